"What is built can be installed and imported where nothing else of the project is"
import os, re, sys, tarfile, zipfile

import pytest
from conftest import ROOT, call, must
from tools.made import settings

CFG = settings(ROOT)
LIB = CFG['lib_name']

@pytest.fixture(scope='module')
def dist(tmp_path_factory):
    "The folder with sdist and wheel, built from a copy"
    import shutil
    from conftest import NOT_COPIED
    tmp = tmp_path_factory.mktemp('package')
    src = shutil.copytree(ROOT, tmp/'src', symlinks=True, ignore=NOT_COPIED)
    must(sys.executable, '-m', 'build', '--no-isolation', '-o', tmp/'dist', src)
    return tmp/'dist'

def test_wheel_holds_the_library_and_nothing_else(dist):
    names = zipfile.ZipFile(*dist.glob('*.whl')).namelist()
    others = {n.split('/')[0] for n in names} - {LIB}
    assert [o.split('.')[-1] for o in others] == ['dist-info']
    modules = {n.split('/')[1] for n in names if n.startswith(LIB + '/')}
    assert modules == {p.name for p in (ROOT/LIB).glob('*.py')}

def test_sdist_builds_without_tools(dist):
    names = tarfile.open(*dist.glob('*.tar.gz')).getnames()
    assert not [n for n in names if '/tools' in n or '/tests' in n or n.endswith('.ipynb')]
    assert [n for n in names if n.endswith('/settings.ini')]

def test_import_in_an_empty_environment(dist, tmp_path):
    "A new environment, which sees the dependencies of this one and not the project"
    must(sys.executable, '-m', 'venv', '--without-pip', tmp_path/'env')
    py = tmp_path/'env/bin/python'
    # not in this folder, nor with it on the path: what an editable install leaves in it would be taken for the library
    env = {k: v for k, v in os.environ.items() if k != 'PYTHONPATH'}
    pip = sys.executable, '-m', 'pip', '--python', py, 'install', '-q', '--no-deps', '--no-index'
    must(*pip, *dist.glob('*.whl'), cwd=tmp_path, env=env)
    import fastai
    site = os.path.dirname(os.path.dirname(fastai.__file__))
    code = (f'import sys; sys.path.append({site!r})\nimport {LIB}.all as lib\n'
            f'assert lib.__all__ and lib.__file__.startswith({str(tmp_path)!r}), lib.__file__')
    must(py, '-c', code, cwd=tmp_path, env=env)

def test_version():
    code = (ROOT/LIB/'__init__.py').read_text()
    version = re.search('__version__ = "(.+)"', code)[1]
    assert re.search(rf'^## ({re.escape(version)}|Unreleased)$', (ROOT/'CHANGELOG.md').read_text(), flags=re.M)

RUN = '''import json
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance(colors='NoColor')
for cell in json.load(open('cells.json')): shell.run_cell(cell).raise_error()'''

def versions(py):
    lines = must(py, '-m', 'pip', 'list', '--format=freeze').splitlines()
    return dict(l.split('==') for l in lines if '==' in l)

@pytest.mark.slow
def test_fresh_runtime(dist, tmp_path):
    """In a runtime that has fastai and not this library, each chapter installs it, changes no other version, and runs.
    The wheel and a folder of saved experiments stand in for the repository."""
    import json, shutil
    from fastcore.nbio import read_nb
    must(sys.executable, '-m', 'venv', tmp_path/'env')
    py, wheel = tmp_path/'env/bin/python', next(dist.glob('*.whl'))
    must(py, '-m', 'pip', 'install', '-q', 'fastai', 'ipython')
    env = {k: v for k, v in os.environ.items() if k not in ('PYTHONPATH', 'IN_TEST', 'VIRTUAL_ENV')}
    env |= {'MPLBACKEND': 'agg', 'IPYTHONDIR': str(tmp_path)}
    for saved in ('nbs', 'benchmarks'): shutil.copytree(ROOT/saved/'results', tmp_path/'results', dirs_exist_ok=True)
    for chapter in sorted((ROOT/'nbs').glob('0[1-8]_*.ipynb')):
        before = versions(py)
        cells = [c.source for c in read_nb(chapter).cells if c.cell_type == 'code']
        cells = [c.replace(f"git+{CFG['git_url']}", str(wheel)) for c in cells if not re.search(r'^#\| *slow', c, flags=re.M)]
        (tmp_path/'cells.json').write_text(json.dumps(cells))
        must(py, '-c', RUN, cwd=tmp_path, env=env)
        after = versions(py)
        assert not {k: v for k, v in before.items() if after.get(k) != v}, chapter.name
        must(py, '-m', 'pip', 'uninstall', '-yq', LIB) # absent again for the next
