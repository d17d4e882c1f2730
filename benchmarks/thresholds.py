"""Exact threshold tuning against a grid of 29 thresholds with scikit-learn's f1_score, at 100,000 images × 20 classes; against
scikit-learn's `TunedThresholdClassifierCV`, one class after the other, at 10,000 × 20, in time and in the F2 that it finds; and its
memory at 1,000,000 × 100. Both others find thresholds and nothing else; by default `tune_thresholds` also cross-validates and gives intervals.
"""
import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import f1_score, fbeta_score, make_scorer
from sklearn.model_selection import TunedThresholdClassifierCV
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

class Given(ClassifierMixin, BaseEstimator):
    "A classifier whose one feature is the probability that it gives"
    classes_ = np.array([False,True])
    def fit(self, x, y): return self
    def __sklearn_is_fitted__(self): return True
    def predict_proba(self, x): return np.hstack([1-x, x])

def sklearns(p, y):
    "Macro F2 that scikit-learn's tuner finds, with 100 thresholds for each class"
    tuner = TunedThresholdClassifierCV(Given(), scoring=make_scorer(fbeta_score, beta=2), cv='prefit', refit=False)
    return np.mean([tuner.fit(p[:,[k]], y[:,k]).best_score_ for k in range(p.shape[1])])

def beside_sklearn(n, c, rounds):
    "Rows of F2 and of time beside scikit-learn's tuner"
    p,y = data(n, c)
    case = f"{n:,} × {c}, F2, against scikit-learn's tuner"
    ours,theirs = tune_thresholds(p, y, 'f2', folds=0, n_boot=0).score,sklearns(p, y)
    yield row('macro F2 on the images tuned on', case, 100*ours, 100*theirs, '%')
    fs = {'100 thresholds': lambda: sklearns(p, y),
          'thresholds alone': lambda: tune_thresholds(p, y, 'f2', folds=0, n_boot=0),
          'with cross-validation and intervals': lambda: tune_thresholds(p, y, 'f2')}
    yield from rows_of(in_turns(fs, rounds, 0), case, dict.fromkeys(fs, .1), unit='s', scale=1)

def rows(quick=False):
    n,c = (2000,5) if quick else (100_000,20)
    p,y = data(n, c)
    fs = {'29 thresholds with f1_score': lambda: grid(p, y),
          'thresholds alone': lambda: tune_thresholds(p, y, folds=0, n_boot=0),
          'thresholds alone, micro average': lambda: tune_thresholds(p, y, average='micro', folds=0, n_boot=0),
          'with cross-validation and intervals': lambda: tune_thresholds(p, y)}
    times = in_turns(fs, 1 if quick else 3, 0)
    yield from rows_of(times, f'{n:,} × {c}, against the grid', dict.fromkeys(fs, .1), unit='s', scale=1)
    yield from beside_sklearn(*((500,5,1) if quick else (10_000,20,3)))
    n,c = (20_000,5) if quick else (1_000_000,100)
    for what,options in (('with cross-validation and intervals', ''), ('one threshold for all, alone', ', per_class=False, folds=0, n_boot=0')):
        gb = peak_mb(f'from thresholds import *; tune_thresholds(*data({n}, {c}){options})')/1e3
        yield row(what, f'{n:,} × {c}, peak memory against 4 GB', gb, 4, 'GB', limit=1)

if __name__ == '__main__': main(rows, __file__)
