"From the notebooks to a site in _docs that needs no network, with Quarto or with smalldocs"
import html, os, re, shutil, subprocess, sys
from importlib.util import find_spec
from pathlib import Path

from fastcore.foundation import working_directory
from fastcore.nbio import read_nb
from nbdev.serve import proc_nbs
from tools.made import markdown, page_names

NO_RENDERER = 'The site needs Quarto on the PATH (https://quarto.org/docs/get-started), or Python 3.11 or newer and smalldocs.'

def renderer(prefer='smalldocs'):
    "'quarto' or 'smalldocs', `prefer` where both are there; empty where neither is"
    have = [n for n, found in (('smalldocs', find_spec('smalldocs')), ('quarto', shutil.which('quarto'))) if found]
    return prefer if prefer in have else ''.join(have[:1])

def mathml(m):
    "A formula as MathML; `styles.css` lets a long one scroll on a narrow screen"
    from latex2mathml.converter import convert
    tex, display = html.unescape(m[2]).strip(), 'block' if m[1] == 'display' else 'inline'
    math = convert(tex, display=display)
    return math if display == 'block' or len(tex) < 40 else f'<span class="long-math">{math}</span>'

def offline(page):
    "The page without what it would load from elsewhere: formulas as MathML, no script or style sheet of another host"
    page = re.sub(r'<span class="math (inline|display)">\s*\\[\[(](.*?)\\[\])]\s*</span>', mathml, page, flags=re.S)
    page = re.sub(r'<script[^>]*\ssrc="https?:[^>]*>\s*</script>\s*', '', page)
    page = re.sub(r"<script[^>]*>\s*define\('jquery'.*?</script>\s*", '', page, flags=re.S)
    return re.sub(r'<link(?=[^>]*rel="stylesheet")[^>]*href="https?:[^>]*>\s*', '', page)

def local_css(css):
    "The style sheet without what it imports from other hosts; their addresses may hold `;` and `)`"
    return re.sub(r'''@import\s*(url\(\s*)?((["'])https?:.*?\3|https?:[^)]*)\s*\)?[^;{}]*;''', '', css)

def finish(root, site):
    "Make a rendered site work without network, and put each page's text beside it, where the library's modules link"
    for fn in [*site.rglob('*.css'), *site.glob('*.html')]:
        text = fn.read_text(encoding='utf-8')
        fn.write_text(local_css(text) if fn.suffix == '.css' else offline(text), encoding='utf-8')
    for page, nb in page_names(root).items(): (site/f'{page}.md').write_text(markdown(read_nb(root/'nbs'/nb)), encoding='utf-8')

def run_smalldocs(root):
    "Render with smalldocs, give its pages the names that nbdev gives them, and return its warnings"
    from smalldocs.site import build
    site = build(proc_nbs(n_workers=0, force=True), quiet=True) # 0: here, and fastai is imported once
    names = {nb.replace('.ipynb', '.html'): page for page, nb in page_names(root).items()}
    for fn in [*site.out.glob('*.html'), *site.out.glob('s*.json'), *site.out.glob('s*.xml')]:
        text = re.sub(r'\b\w+\.html\b', lambda m: names.get(m[0], m[0]), fn.read_text(encoding='utf-8'))
        fn.write_text(text, encoding='utf-8')
        fn.rename(fn.with_name(names.get(fn.name, fn.name)))
    shutil.move(site.out, '_docs')
    return [w for w in site.warnings if 'output-file' not in w] # the option that gives the names

def run_quarto(root):
    env = {**os.environ, 'PYTHONPATH': os.pathsep.join(sys.path)} # nbdev-docs has to find tools.pages
    return ['nbdev-docs failed; see above'] if subprocess.run([Path(sys.executable).with_name('nbdev-docs')], env=env).returncode else []

def render(root='.', using=None):
    "Make `_docs` in `root` anew; returns the renderer's warnings"
    root = Path(root).resolve()
    with working_directory(root):
        for d in ('_proc', '_docs'): shutil.rmtree(d, ignore_errors=True)
        warnings = (run_quarto if (using or renderer()) == 'quarto' else run_smalldocs)(root)
        if Path('_docs').exists(): finish(root, root/'_docs')
    return warnings
