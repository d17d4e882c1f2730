"Whoever waits long sees a bar with the time left; nobody else does"
import io, sys

import numpy as np, pandas as pd, pytest, torch
from fastai.vision.all import Learner, nn
from softlabel_nbdev.all import OutOfFold, consensus, crossfold, noise_report, tune_thresholds
from softlabel_nbdev.data import annotate, digits, digits_dls
from softlabel_nbdev.progress import waiting

df = digits().query('not is_valid').groupby('label').head(30).reset_index(drop=True)
rng = np.random.default_rng(0)

def votes(): return consensus(annotate(df.label, [.7]*5, seed=0), method='dawid_skene')

def made_up():
    "Probabilities that agree with four labels of five"
    vocab = sorted(df.label.unique())
    targs = np.stack([df.label == o for o in vocab], 1)
    probs = torch.tensor(2*targs + rng.normal(size=targs.shape)).softmax(1)
    return pd.DataFrame(probs.numpy(), df.fname, vocab), targs

def noise(): return noise_report(OutOfFold(made_up()[0], df.set_index('fname').label), n_boot=5)

def bootstrap(): return tune_thresholds(*made_up(), n_boot=5, per_class=False, folds=0)

def make_learner(part): return Learner(digits_dls(part), nn.Sequential(nn.Flatten(), nn.Linear(64, 10)))

def folds(): return crossfold(df, make_learner, lambda learn: learn.fit(1), n_splits=3)

class Terminal(io.StringIO):
    def isatty(self): return True

@pytest.mark.parametrize('work', [votes, noise, bootstrap, folds])
def test_bar(work, monkeypatch):
    monkeypatch.setitem(waiting.__kwdefaults__, 'after', 0.) # as if each took long
    screen, log = Terminal(), io.StringIO()
    monkeypatch.setattr(sys, 'stdout', screen)
    work()
    monkeypatch.setattr(sys, 'stdout', log)
    work()
    lines = screen.getvalue().split('\r')
    assert [o for o in lines if '%' in o and '<' in o], 'no time left was shown'
    assert not lines[-1].strip() and not lines[-2].strip(), 'the bar stays'
    assert '%' not in log.getvalue()
