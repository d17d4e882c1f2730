"ImageWeights in training: the step by hand, weights of 1, and a Learner that is left as it was."
import warnings
from copy import deepcopy
from functools import partial

import numpy as np, pandas as pd, pytest, torch, torch.nn.functional as F
from fastai.vision.all import (accuracy, BCEWithLogitsLossFlat, Callback, CancelBatchException, CancelFitException, CrossEntropyLossFlat,
    FocalLossFlat, GradientAccumulation, LabelSmoothingCrossEntropy, Learner, load_learner, MixedPrecision, OptimWrapper, SGD, set_seed,
    ShortEpochCallback)
from torch import nn

from softlabel_nbdev.all import *
from softlabel_nbdev.course import quiet_fit
from softlabel_nbdev.data import *

df = digits().iloc[:300]
sc = scenes(400, seed=0).query('labels != ""')[:300]     # empty scenes all have the same pixels
w = pd.Series(np.random.default_rng(0).random(300), index=df.fname)
sw = pd.DataFrame(np.random.default_rng(1).random((300,10)), index=sc.fname, columns=list('0123456789'))
cw = torch.linspace(.5, 2, 10)

def trained(learn, epochs=1, lr=1e-2, **kwargs):
    with learn.no_bar(), learn.no_logging(): learn.fit(epochs, lr, **kwargs)
    return nn.utils.parameters_to_vector(learn.model.parameters()).detach()

class ByHand(Callback):
    "Takes each step with a copy of the model too, weights found by comparing pixels, and keeps the largest difference"
    order = 100
    def __init__(self, losses, table): self.losses,self.table,self.diff,self.n = losses,table,0.,0
    def before_fit(self): self.images = torch.stack([x for x,y in self.dls.train_ds]).flatten(1).to(self.dls.device)
    def before_batch(self):
        if not self.training: return
        where = torch.cdist(self.x.flatten(1), self.images).argmin(1)
        self.hand = deepcopy(self.model)
        opt = torch.optim.SGD(self.hand.parameters(), lr=.1)
        (self.losses(self.hand(self.x), self.y) * self.table.to(where.device)[where]).mean().backward()
        opt.step()
    def after_step(self):
        diffs = [(p-q).abs().max().item() for p,q in zip(self.model.parameters(), self.hand.parameters())]
        self.diff,self.n = max(self.diff, *diffs),self.n+1

def largest_difference(dls, losses, weights, table):
    "Largest difference between parameters after a step with `ImageWeights` and after the step by hand"
    by_hand = ByHand(losses, table/table.mean())
    trained(Learner(dls, digit_cnn(10), opt_func=partial(OptimWrapper, opt=torch.optim.SGD), cbs=[ImageWeights(weights), by_hand]), lr=.1, wd=0.)
    assert by_hand.n >= 3
    return by_hand.diff

@pytest.mark.parametrize('workers', [0, 2])
def test_the_step_by_hand(workers):
    dls = digits_dls(df, num_workers=workers)
    assert largest_difference(dls, nn.CrossEntropyLoss(reduction='none'), w, align(w, dls)) < 1e-6

@pytest.mark.parametrize('workers', [0, 2])
def test_the_step_by_hand_with_several_labels(workers):
    def per_image(p, y): return F.binary_cross_entropy_with_logits(p, y, reduction='none').mean(1)
    dls = digits_dls(sc, y='labels', num_workers=workers)
    assert largest_difference(dls, nn.BCEWithLogitsLoss(reduction='none'), sw[sw.columns[::-1]], align(sw, dls)) < 1e-6
    assert largest_difference(dls, per_image, sw['3'], align(sw['3'], dls)) < 1e-6

@pytest.mark.parametrize('weights, how', [(pd.Series(.7, index=df.fname), {}), (pd.Series(1, index=df.fname), {'normalize': False, 'num_workers': 2}),
                                          (pd.DataFrame(1, index=sw.index, columns=sw.columns), {'y': 'labels'})])
def test_weights_of_one_change_nothing_down_to_the_last_bit(weights, how):
    normalize = how.pop('normalize', True)
    several = 'y' in how
    def run(cbs=None):
        set_seed(0)
        loss = BCEWithLogitsLossFlat() if several else CrossEntropyLossFlat()
        return trained(Learner(digits_dls(sc if several else df, **how), digit_cnn(10), loss_func=loss, cbs=cbs), 2)
    assert torch.equal(run(ImageWeights(weights, normalize=normalize)), run())

def first_loss(loss_func, cbs=(), df=df, **kwargs):
    "Recorded training loss of the first batch"
    set_seed(0)
    dls = digits_dls(df, shuffle=False, **kwargs)
    model = nn.Sequential(nn.Flatten(), nn.Linear(dls.one_batch()[0][0].numel(), 10))
    learn = Learner(dls, model, loss_func=loss_func, cbs=[ShortEpochCallback(1e-9), *cbs])
    return quiet_fit(learn, 1).recorder.losses[0].item()

@pytest.mark.parametrize('loss_func', [CrossEntropyLossFlat(), nn.CrossEntropyLoss(), FocalLossFlat(weight=cw), LabelSmoothingCrossEntropy(),
    F.cross_entropy, nn.CrossEntropyLoss(reduction='sum'), nn.CrossEntropyLoss(weight=cw, label_smoothing=.1), nn.CrossEntropyLoss(ignore_index=3),
    CrossEntropyLossFlat(weight=cw), SoftCrossEntropy(weight=cw), SoftCrossEntropy(ignore=3), SoftBCE(weight=cw)], ids=str)
def test_weights_of_nearly_one_change_nearly_nothing(loss_func):
    near = ImageWeights(pd.Series(np.linspace(1-1e-6, 1+1e-6, len(df)), index=df.fname))
    assert first_loss(loss_func, [near])/first_loss(loss_func) == pytest.approx(1., abs=1e-5)

@pytest.mark.parametrize('loss_func', [BCEWithLogitsLossFlat(), BCEWithLogitsLossFlat(pos_weight=cw), SoftBCE(weight=cw, ignore=0),
                                       SoftBCE(label_smoothing=.1)], ids=str)
def test_weights_of_nearly_one_with_several_labels(loss_func):
    near = ImageWeights(pd.DataFrame(np.linspace(1-1e-6, 1+1e-6, 3000).reshape(300,10), index=sw.index, columns=sw.columns))
    ours, plain = [first_loss(loss_func, cbs, df=sc, y='labels') for cbs in ([near], [])]
    assert ours/plain == pytest.approx(1., abs=1e-5)

def learner(cbs, **kwargs): return Learner(digits_dls(df), digit_cnn(10), metrics=accuracy, cbs=cbs, **kwargs)

class Recorded(Callback):
    "Checks that the recorded loss is the weighted one"
    order = 48
    def after_loss(self):
        if not self.training: return torch.testing.assert_close(plain(self.loss), plain(F.cross_entropy(self.pred, self.y)))
        cb = self.image_weights
        want = (cb.w[cb.idx]*plain(F.cross_entropy(self.pred, self.y, reduction='none'))).mean()
        torch.testing.assert_close(plain(self.loss), want, rtol=1e-5, atol=1e-5)

def plain(x): return x.as_subclass(torch.Tensor)

def test_the_recorded_loss_and_a_learner_that_goes_on(tmp_path):
    learn = learner([ImageWeights(w), Recorded()])
    loss_func = learn.loss_func
    quiet_fit(learn, 2)
    learn.path = tmp_path
    with learn.no_bar(), learn.no_logging():
        learn.fine_tune(1)
        learn.lr_find(num_it=20, show_plot=False)
    learn.remove_cb(Recorded)
    learn.export()
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        again = load_learner(tmp_path/'export.pkl')
    with again.no_bar(), learn.no_bar(): assert again.predict(df.iloc[0])[0] == learn.predict(df.iloc[0])[0]
    assert learn.loss_func is loss_func

class Trip(Callback):
    "Raises an error in the second batch, at the worst moment"
    order = 46
    def __init__(self, exc): self.exc = exc
    def after_pred(self):
        if self.training and self.iter==1: raise self.exc

@pytest.mark.parametrize('exc', [KeyboardInterrupt(), ValueError('tripped'), CancelBatchException(), CancelFitException()], ids=repr)
def test_an_error_leaves_the_loss_as_it_was(exc):
    learn = learner([ImageWeights(w), Trip(exc)])
    loss_func = learn.loss_func
    try: quiet_fit(learn, 1)
    except (KeyboardInterrupt, ValueError): pass
    learn.remove_cb(Trip)
    quiet_fit(learn, 1)
    assert learn.loss_func is loss_func

def test_gradient_accumulation_and_mixed_precision():
    def steps(bs, *cbs):
        "Parameters after plain SGD in batches of `bs`, not shuffled"
        set_seed(0)
        all_df = digits()
        part = pd.concat([all_df[~all_df.is_valid][:256], all_df[all_df.is_valid][:10]])
        weights = ImageWeights(pd.Series(np.random.default_rng(0).random(len(all_df)), index=all_df.fname))
        learn = Learner(digits_dls(part, bs=bs, shuffle=False), nn.Sequential(nn.Flatten(), nn.Linear(64,10)), opt_func=SGD, cbs=[weights, *cbs])
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')       # PyTorch says that mixed precision is off without CUDA
            return trained(learn, 2, .1)
    eps = 1e-2 if torch.cuda.is_available() else 1e-6
    torch.testing.assert_close(steps(16, GradientAccumulation(32)), steps(32), rtol=0, atol=1e-6)
    torch.testing.assert_close(steps(32, MixedPrecision()), steps(32), rtol=0, atol=eps)
