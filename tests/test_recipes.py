"Each chapter's recipe, pasted: its one cell run in an empty folder, with nothing before it"
import json, os, subprocess, sys

import pytest
from conftest import ROOT

CHAPTERS = ['01_anatomy', '02_bce_vs_ce', '03_weights', '04_hierarchy', '05_crossfold', '06_crl', '07_thresholds']

def recipe(chapter):
    "The first cell that a reader would paste"
    cells = json.loads((ROOT/f'nbs/{chapter}.ipynb').read_text(encoding='utf-8'))['cells']
    code = (''.join(c['source']) for c in cells if c['cell_type'] == 'code')
    return next(o for o in code if 'from softlabel_nbdev.all import *' in o)

@pytest.mark.slow
@pytest.mark.parametrize('chapter', CHAPTERS)
def test_recipe(chapter, tmp_path):
    (tmp_path/'recipe.py').write_text(recipe(chapter), encoding='utf-8')
    env = {**os.environ, 'PYTHONPATH': str(ROOT), 'OMP_NUM_THREADS': '1', 'MPLBACKEND': 'agg'}
    done = subprocess.run([sys.executable, '-W', 'ignore', 'recipe.py'], cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
