"Every notebook runs, as `nbdev-test` says; the cells flagged slow are left out"
import os, re, subprocess, sys
from pathlib import Path

import pytest
from conftest import ROOT

NOTEBOOKS = sorted(p.name for p in (ROOT/'nbs').glob('[!_.]*.ipynb'))

@pytest.fixture(scope='module')
def failed():
    "Notebook → what nbdev-test printed of it"
    cmd = [Path(sys.executable).with_name('nbdev-test'), '--n-workers', str(min(os.cpu_count(), 4))]
    env = {'OMP_NUM_THREADS': '1', 'SOFTLABEL_DATA': 'digits', **os.environ, 'PYTHONPATH': str(ROOT)}
    res = subprocess.run(cmd, cwd=ROOT, text=True, capture_output=True, env=env)
    names = re.findall(r'^\t(\S+\.ipynb)$', res.stderr, flags=re.M)
    if res.returncode and not names: names = NOTEBOOKS # it never came to the notebooks
    return {name: trace(res.stderr, name) for name in names}

def trace(text, name):
    "The error of one notebook among those of all; nbdev-test begins each with a line `… in <path>:` over `====`"
    parts = re.split(r'^(?=\w+ in \S+\.ipynb:\n=+$)', text, flags=re.M)
    return next((p for p in parts if re.match(rf'\w+ in \S*/{re.escape(name)}:', p)), text)[-4000:]

@pytest.mark.parametrize('name', NOTEBOOKS)
def test_notebook(name, failed):
    if name in failed: pytest.fail(f'{name}\n{failed[name]}', pytrace=False)
