"Crossfold gives the same table when it is killed and started again, and when others compute its folds"
import multiprocessing, os, random, signal, time

import joblib, numpy as np, pandas as pd, pytest
from fastai.vision.all import Learner, nn
from softlabel_nbdev.all import crossfold
from softlabel_nbdev.data import digits, digits_dls

few = digits().query('label in ("0", "1", "2")').groupby('label').head(40).drop(columns='is_valid').reset_index(drop=True)

def make_learner(df):
    learn = Learner(digits_dls(df), nn.Sequential(nn.Flatten(), nn.Linear(64, 3)))
    learn.dls.train.rng = random.Random(0) # an order of its own: others draw from `random` too
    return learn

def fit(learn):
    with learn.no_bar(), learn.no_logging(): learn.fit(1)

def run(**kwargs): return crossfold(few, make_learner, fit, n_splits=3, **kwargs)

def same(a, b, **tolerance):
    pd.testing.assert_frame_equal(a.probs, b.probs, check_exact=not tolerance, **tolerance)
    pd.testing.assert_series_equal(a.fold, b.fold)

ROUNDING = dict(rtol=1e-4, atol=1e-5)

def kill(save, after):
    "Start a run, and kill it with `kill -9` after so many seconds; whether it was still running"
    child = multiprocessing.get_context('fork').Process(target=run, kwargs=dict(save=save))
    child.start()
    time.sleep(after)
    os.kill(child.pid, signal.SIGKILL)
    child.join()
    return child.exitcode == -signal.SIGKILL

@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, 'fork'), reason='needs fork')
def test_killed(tmp_path):
    start = time.time()
    whole = run(save=tmp_path/'whole')
    span, rng, hit = time.time() - start, np.random.default_rng(0), 0
    for i in range(20):
        hit += kill(tmp_path/str(i), rng.uniform(0, span))
        same(run(save=tmp_path/str(i)), whole)
    assert hit > 5, f'only {hit} of 20 runs were killed before they were done'

@pytest.mark.slow
def test_side_by_side():
    same(run(n_jobs=2), run(), **ROUNDING)

@pytest.mark.slow
def test_cluster():
    distributed = pytest.importorskip('dask.distributed')
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster, distributed.Client(cluster):
        with joblib.parallel_config(backend='dask'): spread = run()
    same(spread, run(), **ROUNDING)
