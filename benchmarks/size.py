"""Peak memory of what chapter 5 does with large tables, of a fresh process: `folds` beyond its labels, the others as a multiple of the
probabilities beyond them. At 100,000 and 400,000 images of 1,000 classes; twice the images should take twice as much, no more."""
from common import main, peak_mb, row

begin = """
import numpy as np, pandas as pd, torch; torch.set_num_threads(1)
from softlabel_nbdev.crossfold import *
from softlabel_nbdev.crossfold import NoiseModel
from softlabel_nbdev.issues import label_issues
n,c = {n},{c}
rng = np.random.default_rng(0)
labels = rng.integers(c, size=n)
names = pd.Index([f'{{i}}.jpg' for i in range(n)])
"""
probs = """
p = rng.random((n,c), dtype=np.float32)
p[np.arange(n),labels] += c/2
for i in range(0, n, 4096): p[i:i+4096] /= p[i:i+4096].sum(1, keepdims=True)
oof = OutOfFold(pd.DataFrame(p, names, range(c), copy=False), pd.Series(labels, names))
"""
steps = {'noise model, ten steps': 'NoiseModel(oof.probs.to_numpy(), oof.codes, steps=10).judge()', 'clean': 'clean(oof).weight', 'soft labels of clean': 'clean(oof).soft',
         'blend': 'blend(oof)', 'label_issues': 'label_issues(oof)'}

def rows(quick=False):
    c = 100 if quick else 1000
    for n in (2000,) if quick else (100_000, 400_000):
        start, case = begin.format(n=n, c=c), f'{n:,} × {c:,}'
        empty = peak_mb(start)
        yield row('folds', f'{case}, beyond its labels', peak_mb(start + 'folds(labels)') - empty, 1000, 'MB', 1)
        size, full = n*c*4/1e6, peak_mb(start + probs)
        for what,code in steps.items():
            yield row(what, f'{case}, beyond the probabilities', peak_mb(start + probs + code) - full, size, 'MB', 1.5)

if __name__ == '__main__': main(rows, __file__)
