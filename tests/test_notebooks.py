"Every notebook runs, as `nbdev-test` says; the cells flagged slow are left out"
import re

import pytest
from conftest import ROOT

NOTEBOOKS = sorted(p.name for p in (ROOT/'nbs').glob('[!_.]*.ipynb'))

@pytest.fixture(scope='module')
def failed(notebooks):
    "Notebook → what nbdev-test printed of it"
    run, file = notebooks
    code, said = run.wait(), file.read_text()
    names = re.findall(r'^\t(\S+\.ipynb)$', said, flags=re.M)
    if code and not names: names = NOTEBOOKS # it never came to the notebooks
    return {name: trace(said, name) for name in names}

def trace(text, name):
    "The error of one notebook among those of all; nbdev-test begins each with a line `… in <path>:` over `====`"
    parts = re.split(r'^(?=\w+ in \S+\.ipynb:\n=+$)', text, flags=re.M)
    return next((p for p in parts if re.match(rf'\w+ in \S*/{re.escape(name)}:', p)), text)[-4000:]

@pytest.mark.parametrize('name', NOTEBOOKS)
def test_notebook(name, failed):
    if name in failed: pytest.fail(f'{name}\n{failed[name]}', pytrace=False)
