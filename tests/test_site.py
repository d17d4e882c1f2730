"The rendered site: links, anchors, descriptions of pictures, and that exported code, checks and answers stand as agreed"
import html, json, re
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit

import pytest, yaml
from conftest import ROOT
from fastcore.nbio import mk_cell, read_nb
from nbdev.config import nbpath2html
from tools.pages import beside_title, documentation, fold, has_directive

CODE = 'code', 'pre', 'script', 'style'

class Page(HTMLParser):
    "What a page offers to link to (`ids`), what it links to (`urls`), links shown as text (`raw`), pictures without description (`mute`)"
    def __init__(self, fn):
        super().__init__()
        self.ids, self.urls, self.raw, self.mute, self.depth = set(), [], [], [], 0
        self.feed(fn.read_text(encoding='utf-8'))
    def handle_starttag(self, tag, attrs):
        d = dict(attrs)
        self.depth += tag in CODE
        self.ids |= {d.get('id'), d.get('name')}
        self.urls += [d[k] for k in ('href', 'src') if d.get(k)]
        if tag == 'img' and not d.get('alt'): self.mute.append(d.get('src', '')[:60])
    def handle_endtag(self, tag): self.depth -= tag in CODE
    def handle_data(self, data):
        if not self.depth: self.raw += re.findall(r'\]\([^)\s]+\)', data)

@pytest.fixture(scope='module')
def pages(site): return {f.resolve(): Page(f) for f in sorted(site.rglob('*.html'))}

def broken(f, url, pages):
    "Why a link within the site leads nowhere; empty if it leads somewhere"
    u = urlsplit(url)
    if u.scheme or u.netloc: return ''
    to = (f.parent/unquote(u.path)).resolve() if u.path else f
    if to.is_dir(): to = to/'index.html'
    if not to.exists(): return f'{f.name}: {url} is not there'
    missing = u.fragment and to in pages and unquote(u.fragment) not in pages[to].ids
    return f'{f.name}: {url} has no such anchor' if missing else ''

def test_links_and_anchors(pages):
    bad = [b for f, page in pages.items() for url in page.urls if (b := broken(f, url, pages))]
    assert not bad, '\n'.join(bad)

def test_no_link_is_shown_as_text(pages):
    assert not {f.name: page.raw for f, page in pages.items() if page.raw}

def test_pictures_are_described(pages):
    assert not {f.name: page.mute for f, page in pages.items() if page.mute}

def test_source_links_name_a_line(site):
    lib = ROOT/'softlabel_nbdev'
    for f in site.glob('*.html'):
        text = f.read_text()
        assert '#LNone' not in text, f.name
        for module, line in re.findall(r'/softlabel_nbdev/(\w+)\.py#L(\d+)', text):
            code = (lib/f'{module}.py').read_text().splitlines()[int(line) - 1]
            assert re.match(r'\s*(def|class|@)', code), (f.name, module, line)

def test_modules_link_to_pages(site):
    for p in (ROOT/'softlabel_nbdev').glob('*.py'):
        for name in re.findall(r'^Docs: \S+/(\S+\.html\.md)', p.read_text(), flags=re.M): assert (site/name).exists(), name

def test_nothing_of_other_hosts(site):
    for f in [*site.glob('*.html'), *site.rglob('*.css')]:
        assert not re.search(r'<script[^>]*src="http|<link[^>]*stylesheet[^>]*href="http|@import[^;]*http', f.read_text()), f.name

def test_exported_code_stands_in_full(site):
    "Each cell `#| exports` is on its page, not folded; the documentation of its names comes below, unless the module is private"
    for nb in (ROOT/'nbs').glob('*.ipynb'):
        page = (site/nbpath2html(nb).name).read_text()
        assert 'Exported source' not in page
        text = html.unescape(re.sub('<[^>]+>', '', re.sub(r'<details class="code-fold.*?</details>', '', page, flags=re.S)))
        cells = read_nb(nb).cells
        private = any(has_directive(c, 'default_exp +_') for c in cells)
        for c in cells:
            if not has_directive(c, 'exports'): continue
            lines = [l for l in c.source.splitlines() if re.match('(def|class) ', l)]
            for line in lines: assert line in text, f'{nb.name}: {line}'
            for name in re.findall(r'^(?:def|class) ([A-Za-z]\w*)', c.source, flags=re.M):
                documented = f'id="{name.lower()}"' in page.lower()
                assert not documented if private else documented or '@patch' in c.source, f'{nb.name}: {name} is not documented'

def test_comment_of_kwargs(site):
    "nbdev's table of parameters leaves out what is said of `**kwargs`"
    page = (site/'bce_vs_ce.html').read_text()
    assert re.search(r'<td>kwargs</td>\s*(<td></td>\s*)*<td>As in <code>LabelLoss</code></td>', page)

def test_checks_and_answers():
    cells = [mk_cell('#| code-fold: true\ntest_eq(1, 1)'), mk_cell('#| code-fold: true\n#| code-summary: "Answer"\n2'), mk_cell('3')]
    cells[0].outputs = [dict(output_type='stream', name='stdout', text='said')]
    fold(cells)
    assert cells[0].source.startswith('#| code-summary: "Checks"') and cells[0].outputs == []
    assert '<summary>Answer</summary>' in cells[1].source and cells[2].source == '2'

def test_documentation_of_code_that_stands_above():
    "A table of parameters instead of the signature, which is there already; of what isn't shown, the signature"
    from nbdev.showdoc import show_doc
    from softlabel_nbdev.all import wrap_text
    text = show_doc(wrap_text)._repr_markdown_()
    above, hidden = (documentation(text, wrap_text, shown=o) for o in (True, False))
    assert 'def wrap_text' not in above and '| inches | float |' in above
    assert 'def wrap_text' in hidden and '| inches |' not in hidden
    for text in (above, hidden): assert '### wrap_text' in text and 'The lines into which' in text and '#LNone' not in text

def test_checks_are_closed(site):
    folds = re.findall(r'<details([^>]*)class="code-fold"[^>]*>\s*<summary>(.*?)</summary>', ''.join(f.read_text() for f in site.glob('*.html')))
    assert folds and not [f for f in folds if 'open' in f[0]]
    assert {s for _, s in folds} <= {'Checks', 'Code'}

def test_lines_fit():
    "Code that a reader sees, on a click or without, has lines of at most 80 characters"
    for nb in sorted((ROOT/'nbs').glob('*.ipynb')):
        for c in read_nb(nb).cells:
            if c.cell_type != 'code' or has_directive(c, r'(hide|export\b|echo: *false)'): continue
            wide = [l for l in c.source.splitlines() if len(l) > 80 and not l.startswith('#|')]
            assert not wide, (nb.name, wide)

def test_first_cell_is_title_and_question():
    assert beside_title('# T\n\n> Why?') == '' and beside_title('# T\n\n> Why?\n\nMore') == 'More'

def sidebar():
    "Section → its notebooks, as sidebar.yml has them"
    contents = yaml.safe_load((ROOT/'nbs/sidebar.yml').read_text())['website']['sidebar']['contents']
    return {s['section']: [o['href'] for o in s['contents']] for s in contents}

def test_sidebar_has_every_page_once():
    listed = sum(sidebar().values(), [])
    assert sorted(listed) == sorted(p.name for p in (ROOT/'nbs').glob('*.ipynb'))
    assert [*sidebar()] == ['Start', 'Chapters', 'Under the hood']

def test_colab_installs_from_the_repository():
    for p in (ROOT/'nbs').glob('*.ipynb'):
        installs = [l for c in read_nb(p).cells[:8] for l in c.source.splitlines() if 'pip install -q' in l and c.cell_type == 'code']
        if re.match(r'0\d', p.name): assert len(installs) == 1 and 'git+https://github.com/' in installs[0], p.name
