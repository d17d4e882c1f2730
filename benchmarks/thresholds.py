"""Times exact threshold tuning against a grid of 29 thresholds with scikit-learn's f1_score, at 100,000 images x 20 classes,
and measures time and memory at 1,000,000 x 100. Prints the ratios and writes results/thresholds.csv beside this file.

    OMP_NUM_THREADS=1 python benchmarks/thresholds.py
"""
import resource, time, warnings
from pathlib import Path
import numpy as np, pandas as pd
from sklearn.metrics import f1_score
from softlabel_nbdev.thresholds import tune_thresholds

def data(n, c, seed=0):
    "Probabilities, float32, and targets of `c` classes between one in a hundred and one in two"
    rng = np.random.default_rng(seed)
    p,y = np.empty((n,c), np.float32),np.empty((n,c), bool)
    for k,share in enumerate(np.linspace(.01, .5, c)):
        y[:,k] = rng.random(n) < share
        p[:,k] = 1/(1 + np.exp(2 - 2*y[:,k] - rng.normal(size=n)))
    return p,y

def timed(f, repeats):
    "The least of `repeats` processor times in seconds, and the last result"
    times = []
    for _ in range(repeats):
        start = time.process_time()
        res = f()
        times.append(time.process_time() - start)
    return min(times),res

def grid(p, y): return np.mean(np.max([f1_score(y, p>t, average=None) for t in np.linspace(.05, .99, 29)], axis=0))
def row(what, n, c, seconds, macro_f1):
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss/2**20
    print(f'{what:60} {n:>9,} x {c:<4} {seconds:8.2f} s   macro F1 {macro_f1:.5f}   peak memory so far {peak:.1f} GB')
    return dict(what=what, images=n, classes=c, seconds=round(seconds, 2), macro_f1=round(macro_f1, 6), peak_gb=round(peak, 1))

if __name__=='__main__':
    warnings.simplefilter('ignore')
    n,c = 100_000,20
    p,y = data(n, c)
    ours,res = timed(lambda: tune_thresholds(p, y), 3)
    rows = [row('tune_thresholds, with cross-validation and intervals', n, c, ours, res.score)]
    alone,res = timed(lambda: tune_thresholds(p, y, folds=0, n_boot=0), 3)
    rows.append(row('tune_thresholds, thresholds alone', n, c, alone, res.score))
    micro,res = timed(lambda: tune_thresholds(p, y, average='micro', folds=0, n_boot=0), 3)
    rows.append(row('tune_thresholds, thresholds alone, micro average', n, c, micro, f1_score(y, res.apply(p), average='macro')))
    theirs,best = timed(lambda: grid(p, y), 2)
    rows.append(row('29 thresholds with f1_score', n, c, theirs, best))
    print(f'{theirs/ours:.0f} times as fast with cross-validation and intervals, {theirs/alone:.0f} times alone')
    n,c = 1_000_000,100
    p,y = data(n, c)
    seconds,res = timed(lambda: tune_thresholds(p, y), 1)
    rows.append(row('tune_thresholds, with cross-validation and intervals', n, c, seconds, res.score))
    seconds,res = timed(lambda: tune_thresholds(p, y, per_class=False, folds=0, n_boot=0), 1)
    rows.append(row('tune_thresholds, one for all, thresholds alone', n, c, seconds, res.score))
    pd.DataFrame(rows).to_csv(Path(__file__).parent/'results'/'thresholds.csv', index=False)
