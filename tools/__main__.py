"`python -m tools sync|docs|course`, which the Makefile calls"
import shutil, subprocess, sys
from pathlib import Path

from tools.made import sync
from tools.site import NO_RENDERER, render, renderer

def docs():
    "Render the notebooks as they are into _docs"
    using = renderer(prefer='quarto')
    if not using: return NO_RENDERER
    return '\n'.join(render(using=using)) or print(f'The site is in _docs/, made with {using}.')

def course():
    "Run a copy of the notebooks, and render the site from it"
    copy = Path('_course').resolve()
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree('.', copy, symlinks=True, ignore=shutil.ignore_patterns('.*', '_course', '_docs', '_proc', 'build', 'dist'))
    print('Running the notebooks in a copy, _course/; the working tree stays as it is.', flush=True)
    ran = subprocess.run([Path(sys.executable).with_name('nbdev-test'), '--save', '--do-print'], cwd=copy)
    if ran.returncode: return 'No site: a notebook failed, see above.'
    if not renderer(): return f'All notebooks ran, and are in _course/nbs with their outputs. {NO_RENDERER}'
    for line in render(copy): print(line)
    shutil.rmtree('_docs', ignore_errors=True)
    shutil.move(copy/'_docs', '_docs')
    print(f'The course is in _docs/. To read it:\n    {sys.executable} -m http.server -d _docs\nand open http://localhost:8000')

if __name__ == '__main__': sys.exit(dict(sync=sync, docs=docs, course=course)[sys.argv[1]]())
