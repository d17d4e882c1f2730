"What is written from the notebooks and settings.ini is what they say, and the commands say what went wrong"
import re, sys
from functools import partial

import pytest
from conftest import ROOT, call, must
from fastcore.nbio import mk_cell, new_nb, write_nb

def test_in_step(copy):
    "`make sync` in a copy that was damaged, for another user, gives the project back but for the user's name"
    git = partial(must, 'git', '-c', 'user.name=t', '-c', 'user.email=t@localhost', cwd=copy)
    git('init', '-q'), git('add', '-A'), git('commit', '-qm', 'before')
    settings = copy/'settings.ini'
    user = re.search('(?m)^user = (.*)', settings.read_text())[1]
    settings.write_text(re.sub('(?m)^user = .*', 'user = nobody-123', settings.read_text()))
    (copy/'README.md').write_text('by hand')
    (copy/'softlabel_nbdev/weights.py').unlink()
    must(sys.executable, '-m', 'tools', 'sync', cwd=copy)
    renamed = git('diff', '--name-only').splitlines()
    for f in ('README.md', 'pyproject.toml', '_quarto.yml', 'nbs/03_weights.ipynb'): assert f in renamed
    for f in renamed: (copy/f).write_text((copy/f).read_text(encoding='utf-8').replace('nobody-123', user), encoding='utf-8')
    assert git('status', '--porcelain') == '', 'run `make sync`, and commit what it writes'

@pytest.fixture
def small(copy):
    "The project with an index and one chapter only; a function from the chapter's code to its folder"
    for p in (copy/'nbs').glob('*.ipynb'): p.unlink()
    (copy/'nbs/sidebar.yml').write_text('website:\n  sidebar:\n    contents: [index.ipynb, 01_one.ipynb]\n')
    def save(name, title, *code):
        cells = [mk_cell(f'# {title}\n\n> A page', 'markdown'), *map(mk_cell, code)]
        write_nb(new_nb(cells), copy/'nbs'/f'{name}.ipynb')
    def make(code):
        save('index', 'Small')
        save('01_one', 'One', 'import math', code)
        return copy
    return make

def test_course(small):
    folder = small('print("two and two:", 2 + 2)')
    before = (folder/'nbs/01_one.ipynb').read_bytes()
    code, said = call(sys.executable, '-m', 'tools', 'course', cwd=folder)
    assert code == 0, said
    assert 'http://localhost' in said
    assert (folder/'nbs/01_one.ipynb').read_bytes() == before # the reader's notebooks are as they were
    assert 'two and two: 4' in (folder/'_docs/one.html').read_text()

def test_failing_cell(small):
    code, said = call(sys.executable, '-m', 'tools', 'course', cwd=small('math.sqrt(-1)'))
    assert code == 1
    for part in ('01_one.ipynb', 'Cell #3', 'ValueError', 'math.sqrt(-1)'): assert part in said, said
