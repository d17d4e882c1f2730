"""Exact threshold tuning against a grid of 29 thresholds with scikit-learn's f1_score, at 100,000 images × 20 classes, and its
memory at 1,000,000 × 100. The grid finds thresholds and nothing else; by default `tune_thresholds` also cross-validates and gives intervals.
"""
import numpy as np
from sklearn.metrics import f1_score
from common import in_turns, main, peak_mb, row, rows_of
from softlabel_nbdev.thresholds import tune_thresholds

def data(n, c, seed=0):
    "Probabilities, float32, and targets of `c` classes between one in a hundred and one in two"
    rng = np.random.default_rng(seed)
    p,y = np.empty((n,c), np.float32),np.empty((n,c), bool)
    for k,share in enumerate(np.linspace(.01, .5, c)):
        y[:,k] = rng.random(n) < share
        p[:,k] = 1/(1 + np.exp(2 - 2*y[:,k] - rng.normal(size=n)))
    return p,y

def grid(p, y): return np.max([f1_score(y, p>t, average=None) for t in np.linspace(.05, .99, 29)], axis=0)

def rows(quick=False):
    n,c = (2000,5) if quick else (100_000,20)
    p,y = data(n, c)
    fs = {'29 thresholds with f1_score': lambda: grid(p, y),
          'thresholds alone': lambda: tune_thresholds(p, y, folds=0, n_boot=0),
          'thresholds alone, micro average': lambda: tune_thresholds(p, y, average='micro', folds=0, n_boot=0),
          'with cross-validation and intervals': lambda: tune_thresholds(p, y)}
    times = in_turns(fs, 1 if quick else 3, 0)
    yield from rows_of(times, f'{n:,} × {c}, against the grid', dict.fromkeys(fs, .1), unit='s', scale=1)
    n,c = (20_000,5) if quick else (1_000_000,100)
    for what,options in (('with cross-validation and intervals', ''), ('one threshold for all, alone', ', per_class=False, folds=0, n_boot=0')):
        gb = peak_mb(f'from thresholds import *; tune_thresholds(*data({n}, {c}){options})')/1e3
        yield row(what, f'{n:,} × {c}, peak memory against 4 GB', gb, 4, 'GB', limit=1)

if __name__ == '__main__': main(rows, __file__)
