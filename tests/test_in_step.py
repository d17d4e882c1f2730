"What is written from the notebooks and settings.ini is what they say, and the commands say what went wrong"
import re, sys

import pytest
from conftest import ROOT, call, must
from fastcore.nbio import mk_cell, new_nb, write_nb

def changed(folder):
    "What `make sync` changes in the folder, as git says"
    git = 'git', '-c', 'user.name=t', '-c', 'user.email=t@localhost'
    must('git', 'init', '-q', cwd=folder)
    must('git', 'add', '-A', cwd=folder)
    must(*git, 'commit', '-qm', 'before', cwd=folder)
    must(sys.executable, '-m', 'tools', 'sync', cwd=folder)
    return must('git', 'status', '--porcelain', cwd=folder)

def test_in_step(copy):
    assert changed(copy) == '', 'run `make sync`, and commit what it writes'

def test_out_of_step_is_seen(copy):
    settings = copy/'settings.ini'
    settings.write_text(re.sub('(?m)^user = .*', 'user = somebody', settings.read_text()))
    (copy/'README.md').write_text('by hand')
    (copy/'softlabel_nbdev/weights.py').unlink()
    seen = changed(copy)
    for f in ('README.md', 'pyproject.toml', '_quarto.yml', 'nbs/03_weights.ipynb'): assert f in seen
    assert 'somebody/softlabel_nbdev' in (copy/'pyproject.toml').read_text()
    assert (copy/'softlabel_nbdev/weights.py').exists()

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
