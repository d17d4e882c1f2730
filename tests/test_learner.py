"Every callback, loss and metric in a Learner: with MixUp and CutMix, saved and answering in a fresh process."
import subprocess, sys, warnings

from functools import partial

import matplotlib.pyplot as plt, numpy as np, pandas as pd, pytest, torch, torch.nn.functional as F
from fastai.vision.all import (accuracy, accuracy_multi, BCEWithLogitsLossFlat, Callback, CategoryBlock, ColReader, ColSplitter,
    CrossEntropyLossFlat, CutMix, DataBlock, Interpretation, Learner, load_learner, MixUp, RegressionBlock, SGD, set_seed, TransformBlock)
from torch import nn

from softlabel_nbdev.all import *
from softlabel_nbdev.data import *

few = digits().groupby('is_valid').head(90)
several = scenes(90, seed=0)
by_name = pd.Series(np.linspace(.5, 1.5, len(few)), index=few.fname)
soft = pd.get_dummies(few.label).astype(float).set_axis(few.fname)

def quietly(learn, n=1, lr=1e-2, **kw):
    with learn.no_bar(), learn.no_logging(), warnings.catch_warnings():
        warnings.simplefilter('ignore')
        learn.fit(n, lr, **kw)
    return learn

def learners():
    "Name and untrained Learner for each callback, loss and metric of the library"
    one, many = digits_dls(few, bs=16), digits_dls(several, y='labels', bs=16)
    def single(**kw): return Learner(one, digit_cnn(10), **kw)
    yield 'SoftCrossEntropy', single(loss_func=SoftCrossEntropy(weight=torch.ones(10)), metrics=[soft_accuracy, HardTargets(accuracy)])
    yield 'GeneralizedCrossEntropy', single(loss_func=GeneralizedCrossEntropy())
    tree = {'loop': [*'0689'], 'open': [*'123457']}
    cost = cost_matrix(one.vocab, tree)
    metrics = [ErrorCost(tree), ErrorSeverity(tree), GroupAccuracy(tree)]
    yield 'CostWeightedLoss', single(loss_func=CostWeightedLoss(cost), metrics=metrics)
    yield 'MatrixCrossEntropy', single(loss_func=MatrixCrossEntropy(soft_targets(cost)))
    yield 'HierarchicalCrossEntropy', single(loss_func=HierarchicalCrossEntropy(cost))
    yield 'ExpectedCostLoss', single(loss_func=ExpectedCostLoss(cost))
    yield 'LeastCost', single(loss_func=LeastCost(CrossEntropyLossFlat(), cost), metrics=metrics)
    counts = class_counts(one)
    yield 'LogitAdjustedLoss', single(loss_func=LogitAdjustedLoss(counts))
    yield 'ClassRectificationLoss', single(loss_func=ClassRectificationLoss(counts))
    net = digit_cnn(10)
    features = ClassRectificationLoss(counts, compared=Features, miner=InstanceLevel())
    yield 'HookFeatures', Learner(one, net, loss_func=features, cbs=HookFeatures(net[-2]))
    yield 'SoftBCE', Learner(many, digit_cnn(10), loss_func=SoftBCE(ignore=-1), metrics=HardTargets(accuracy_multi, thresh=.5))
    yield 'ImageWeights', single(cbs=ImageWeights(by_name))
    yield 'Curriculum', single(cbs=Curriculum(by_name, .8, .5, 2))
    yield 'SoftLabels', single(loss_func=SoftCrossEntropy(), cbs=SoftLabels(soft))
    yield 'EarlyLearning', single(cbs=EarlyLearning())
    yield 'LeaveOut', single(cbs=LeaveOut(few.fname[:30]))

ANSWER = '''
import sys, warnings; warnings.filterwarnings('ignore')
from fastai.vision.all import *
for fn in sorted(Path(sys.argv[1]).glob('*.pkl')):
    learn = load_learner(fn)
    with learn.no_bar(), learn.no_logging():
        item = 'digit_0001.png' if 'SoftBCE' not in fn.stem else 'scene_0001.png'
        items = pd.read_pickle(fn.with_suffix('.df'))
        label, _, probs = learn.predict(items.iloc[0])
        dl = learn.dls.test_dl(items, with_labels=False)
        preds = learn.get_preds(dl=dl)[0]
        tta = learn.tta(dl=dl, n=1)[0]
    print(fn.stem, str(label), f'{probs.sum():.4f}', len(preds), len(tta))
'''

def test_saved_and_answering_in_a_fresh_process(tmp_path):
    want = {}
    for name,learn in learners():
        quietly(learn)
        items = learn.dls.valid_ds.items.iloc[:5]
        with learn.no_bar(): label,_,probs = learn.predict(items.iloc[0])
        learn.path = tmp_path
        learn.export(f'{name}.pkl')
        items.to_pickle(tmp_path/f'{name}.df')
        want[name] = f'{label} {probs.sum():.4f} 5 5'
    done = subprocess.run([sys.executable, '-W', 'ignore', '-c', ANSWER, tmp_path], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    got = dict(line.split(' ', 1) for line in done.stdout.splitlines())
    assert got == want

@pytest.mark.parametrize('mix', [MixUp, CutMix])
def test_mixup_and_cutmix(mix):
    for name,learn in learners():
        learn.add_cb(mix())
        if name in ('ImageWeights','EarlyLearning'):
            with pytest.raises(ValueError, match=f'train without {mix.__name__}'): quietly(learn)
        else: assert np.isfinite(quietly(learn).recorder.losses[-1]), name

@pytest.mark.parametrize('share', [.1, .5])
def test_the_printed_loss_is_that_of_the_images_that_are_there(share):
    left_out = np.random.default_rng(0).random(len(few)) < share
    table = soft.copy()
    table[left_out] = np.nan
    set_seed(0)
    learn = Learner(digits_dls(few, bs=16), digit_cnn(10), loss_func=SoftCrossEntropy(), cbs=SoftLabels(table))
    quietly(learn, 12, 3e-3)
    losses = [row[0] for row in learn.recorder.values]
    assert losses[-1] < .7*losses[0] and losses[-1] == min(losses)

def test_two_targets():
    "ImageWeights weighs a loss of both; soft labels, which replace one, say that they can't"
    block = DataBlock((TransformBlock(type_tfms=digit_image), CategoryBlock, CategoryBlock), n_inp=1, get_x=ColReader('fname'),
                      get_y=[ColReader('label'), lambda o: int(o['label']) % 2], splitter=ColSplitter())
    class Both(nn.Module):
        reduction = 'mean'
        def forward(self, p, a, b):
            return F.cross_entropy(p[:,:10], a, reduction=self.reduction) + F.cross_entropy(p[:,10:], b, reduction=self.reduction)
    dls = block.dataloaders(few, bs=16, num_workers=0)
    quietly(Learner(dls, digit_cnn(12), loss_func=Both(), cbs=ImageWeights(by_name)))
    with pytest.raises(ValueError, match='an image has 2 targets'):
        quietly(Learner(dls, digit_cnn(12), loss_func=Both(), cbs=SoftLabels(soft)))

def test_weights_of_one_leave_training_as_it_is():
    "Loss functions with class weights and missing labels, in a whole training"
    near = pd.Series(np.linspace(1-1e-6, 1+1e-6, len(few)), index=few.fname)
    class Partly(Callback):
        "No label for each second image"
        order = -4
        def before_batch(self):
            if not self.training: return
            y = self.y.clone()
            y[::2] = -100
            self.learn.yb = (y,)
    weight = torch.linspace(.1, 1, 10)
    for loss in (CrossEntropyLossFlat(weight=weight), partial(F.cross_entropy, weight=weight), nn.CrossEntropyLoss(), SoftCrossEntropy(weight),
                 LeastCost(CrossEntropyLossFlat(weight=weight), 1-np.eye(10))):
        ends = []
        for cbs in ([], [ImageWeights(near)]):
            set_seed(0)
            learn = quietly(Learner(digits_dls(few), digit_cnn(10), loss_func=loss, opt_func=SGD, cbs=[Partly(), *cbs]), 2)
            ends.append(nn.utils.parameters_to_vector(learn.model.parameters()).detach())
        torch.testing.assert_close(*ends, rtol=1e-4, atol=1e-4)

def test_a_batch_with_nothing_to_count():
    class Nothing(Callback):
        order = -4
        def before_batch(self): self.learn.yb = (torch.full_like(self.y, -100),)
    for loss in (nn.CrossEntropyLoss(), SoftCrossEntropy()):
        learn = Learner(digits_dls(few), digit_cnn(10), loss_func=loss, cbs=[Nothing(), ImageWeights(by_name)])
        quietly(learn)
        assert learn.recorder.losses[-1] == 0
        assert all(p.isfinite().all() for p in learn.model.parameters())

def soft_dls():
    "Digits with a soft label for each image: 0.73 for its class, 0.03 for each other"
    def soft_label(r): return [.73 if c == r['label'] else .03 for c in '0123456789']
    block = DataBlock((TransformBlock(type_tfms=digit_image), SoftCategoryBlock('0123456789')), get_x=ColReader('fname'),
                      get_y=soft_label, splitter=ColSplitter())
    return block.dataloaders(few, bs=16, num_workers=0)

@pytest.mark.parametrize('kind', ['index','probs','labels'])
def test_everything_that_one_does_with_a_learner(kind, tmp_path):
    w = torch.linspace(.5, 1.5, 10)
    dls, loss, metric = {
        'index': lambda: (digits_dls(few, bs=16), SoftCrossEntropy(w), HardTargets(accuracy)),
        'probs': lambda: (soft_dls(), SoftCrossEntropy(), HardTargets(accuracy)),
        'labels': lambda: (digits_dls(several, y='labels', bs=16), SoftBCE(w, ignore=-1, thresh=.4), HardTargets(accuracy_multi, thresh=.5))}[kind]()
    learn = quietly(Learner(dls, digit_cnn(10), loss_func=loss, metrics=metric, path=tmp_path))
    item = dls.valid_ds.items.iloc[0]
    with learn.no_bar(), learn.no_logging():
        learn.lr_find(num_it=5, show_plot=False)
        learn.fit(1, cbs=MixUp())
        losses = learn.get_preds(with_loss=True)[2]
        assert losses.shape == (len(dls.valid_ds),) and learn.loss_func.reduction == 'mean'
        learn.show_results(max_n=2)
        Interpretation.from_learner(learn).plot_top_losses(2)
        plt.close('all')
        before = learn.predict(item)
        learn.export('model.pkl')
        again = load_learner(tmp_path/'model.pkl')
        with again.no_bar(): after = again.predict(item)
    assert before[0] == after[0]
    torch.testing.assert_close(before[2], after[2])

def test_soft_bce_trains_as_fastais_own_loss():
    ends = []
    for loss in (BCEWithLogitsLossFlat(), SoftBCE()):
        set_seed(0)
        learn = quietly(Learner(digits_dls(several, y='labels', bs=16), digit_cnn(10), loss_func=loss))
        ends.append(learn.model[-1].weight.detach().as_subclass(torch.Tensor))
    torch.testing.assert_close(*ends, rtol=1e-5, atol=1e-5)

def test_loss_for_says_why(capsys):
    assert type(loss_for(digits_dls(few))) is SoftCrossEntropy
    assert type(loss_for(digits_dls(several, y='labels'))) is SoftBCE
    loss_for(digits_dls(few.assign(labels=few.label), y='labels'))
    assert 'a CategoryBlock and SoftCrossEntropy serve better' in capsys.readouterr().out
    block = DataBlock((TransformBlock(type_tfms=digit_image), RegressionBlock), get_x=ColReader('fname'), get_y=ColReader('i'), splitter=ColSplitter())
    with pytest.raises(ValueError, match='MSELossFlat'):
        loss_for(block.dataloaders(few.assign(i=range(len(few))), num_workers=0))
