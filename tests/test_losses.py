"The contract of losses: what is paid and counted, for every loss, kind of target, missing label, class weight and wrapper."
import warnings
from functools import partial

import numpy as np, pandas as pd, pytest, torch, torch.nn.functional as F
from fastai.losses import (BCEWithLogitsLossFlat, CrossEntropyLossFlat, FocalLoss, FocalLossFlat,
    LabelSmoothingCrossEntropy, LabelSmoothingCrossEntropyFlat)
from hypothesis import given, settings, strategies as st
from torch import nn

from softlabel_nbdev.all import *
from softlabel_nbdev.anatomy import paid_counted

few = settings(max_examples=60, deadline=None, derandomize=True, database=None)
sizes = dict(n=st.integers(1, 7), c=st.integers(2, 6), seed=st.integers(0, 999))
nan = float('nan')

def value_grad(loss, preds, *targs):
    preds = preds.detach().requires_grad_()
    value = loss(preds, *targs)
    return value.detach(), torch.autograd.grad(value.sum(), preds)[0]

def close(a, b, eps=1e-5): torch.testing.assert_close(a, b, rtol=eps, atol=eps)

def targets(kind, n, c, g):
    "Targets of `kind`, drawn by the generator `g`"
    if kind == 'index': return torch.randint(0, c, (n,), generator=g)
    if kind == 'column': return torch.randint(0, c, (n,1), generator=g)
    if kind == 'probs': return torch.randn(n, c, generator=g).softmax(1)
    return (torch.rand(n, c, generator=g) > .5).float()

def ours(c, g, weight=None, **kw):
    "Each loss of the library that takes one label for each image, for `c` classes"
    tree = {'most': list(range(c-1)), 'last': [c-1]}
    cost, kw = cost_matrix(range(c), tree), dict(weight=weight, **kw)
    return [SoftCrossEntropy(**kw), GeneralizedCrossEntropy(**kw), CostWeightedLoss(cost, **kw), MatrixCrossEntropy(soft_targets(cost), **kw),
            HierarchicalCrossEntropy(cost, **kw), ExpectedCostLoss(cost, **kw), LogitAdjustedLoss(range(1, c+1), **kw),
            ClassRectificationLoss(range(1, c+1), SoftCrossEntropy(**kw), eta=.5)]

@few
@given(**sizes, kind=st.sampled_from(['index','column','probs']), weighted=st.booleans(), smoothing=st.sampled_from([0., .1]),
       gaps=st.booleans(), dtype=st.sampled_from([torch.float32, torch.float64, torch.bfloat16, torch.float16]))
def test_the_mean_is_paid_over_counted(n, c, seed, kind, weighted, smoothing, gaps, dtype):
    g = torch.Generator().manual_seed(seed)
    preds, targs = torch.randn(n, c, generator=g).to(dtype), targets(kind, n, c, g)
    weight = torch.rand(c, generator=g) + .5 if weighted else None
    if gaps: targs[:n//2] = nan if kind == 'probs' else -100
    for loss in ours(c, g, weight=weight, label_smoothing=smoothing, ignore=nan if kind == 'probs' and gaps else None):
        paid, counted = loss.paid_counted(preds, targs)
        assert paid.shape == counted.shape == (n,)
        close(loss(preds, targs), paid.sum()/counted.sum() if counted.any() else paid.sum())
        loss.reduction = 'none'
        close(loss(preds, targs), paid)
        loss.reduction = 'sum'
        close(loss(preds, targs), paid.sum())
        if gaps: assert not paid[:n//2].any() and not counted[:n//2].any()

@few
@given(**sizes, kind=st.sampled_from(['index','probs']), weighted=st.booleans(), smoothing=st.sampled_from([0., .1]),
       reduction=st.sampled_from(['mean','sum','none']))
def test_soft_cross_entropy_is_pytorchs(n, c, seed, kind, weighted, smoothing, reduction):
    g = torch.Generator().manual_seed(seed)
    preds, targs = torch.randn(n, c, generator=g)*9, targets(kind, n, c, g)
    kw = dict(weight=torch.rand(c, generator=g)+.5 if weighted else None, label_smoothing=smoothing, reduction=reduction)
    a, b = value_grad(SoftCrossEntropy(**kw), preds, targs), value_grad(nn.CrossEntropyLoss(**kw), preds, targs)
    if weighted and kind == 'probs' and reduction == 'mean': return    # there PyTorch divides by n
    for x,y in zip(a, b): close(x, y)

@few
@given(**sizes, weighted=st.booleans(), positive=st.booleans(), share=st.sampled_from([0., .3, 1.]))
def test_missing_labels_pay_and_count_nothing(n, c, seed, weighted, positive, share):
    g = torch.Generator().manual_seed(seed)
    preds, targs = torch.randn(n, c, generator=g), torch.rand(n, c, generator=g)
    gone = torch.rand(n, c, generator=g) < share
    kw = dict(weight=torch.rand(c, generator=g)+.5 if weighted else None, pos_weight=torch.rand(c, generator=g)+.5 if positive else None)
    value, grad = value_grad(SoftBCE(ignore=nan, **kw), preds, targs.masked_fill(gone, nan))
    cells = F.binary_cross_entropy_with_logits(preds, targs, reduction='none', **kw)
    close(value, cells[~gone].mean() if (~gone).any() else torch.tensor(0.))
    assert not grad[gone].any() and grad.isfinite().all()
    rows = SoftBCE(ignore=-1, reduction='none', **kw)(preds, targs.masked_fill(gone, -1))
    for i in range(n): close(rows[i], cells[i][~gone[i]].mean() if (~gone[i]).any() else torch.tensor(0.))

def theirs(c, weight):
    "Losses of PyTorch and fastai for class indices"
    return [F.cross_entropy, partial(F.cross_entropy, weight=weight), partial(F.cross_entropy, label_smoothing=.2), nn.CrossEntropyLoss(),
            nn.CrossEntropyLoss(weight=weight, label_smoothing=.1), nn.CrossEntropyLoss(ignore_index=1), nn.CrossEntropyLoss(reduction='sum'),
            CrossEntropyLossFlat(), CrossEntropyLossFlat(weight=weight), FocalLoss(), FocalLossFlat(weight=weight),
            LabelSmoothingCrossEntropy(), LabelSmoothingCrossEntropyFlat(), nn.MultiMarginLoss(weight=weight), partial(F.cross_entropy, reduction='sum'),
            LeastCost(CrossEntropyLossFlat(weight=weight), 1-torch.eye(c).numpy()), LeastCost(SoftCrossEntropy(weight=weight), 1-torch.eye(c).numpy())]

@few
@given(**sizes, gaps=st.booleans())
def test_weights_of_one_change_nothing_for_any_loss(n, c, seed, gaps):
    g = torch.Generator().manual_seed(seed)
    preds, targs, weight = torch.randn(n, c, generator=g), targets('index', n, c, g), torch.rand(c, generator=g)+.1
    if gaps and n > 1: targs[:n//2] = -100
    for loss in theirs(c, weight) + ours(c, g, weight=weight):
        if gaps and isinstance(loss, (FocalLoss, FocalLossFlat, LabelSmoothingCrossEntropy, LabelSmoothingCrossEntropyFlat, nn.MultiMarginLoss)):
            continue    # they have no missing labels
        if isinstance(loss, nn.CrossEntropyLoss) and loss.ignore_index == 1:
            if gaps or (targs == 1).all(): continue
        def weighted(p, t):
            paid, counted = paid_counted(loss, p, t)
            return (paid*(1+1e-7)).sum()/counted
        for a,b in zip(value_grad(weighted, preds, targs), value_grad(loss, preds, targs)): close(a.as_subclass(torch.Tensor), b.as_subclass(torch.Tensor))

@few
@given(**sizes)
def test_weights_of_one_with_several_labels(n, c, seed):
    g = torch.Generator().manual_seed(seed)
    preds, targs, weight = torch.randn(n, c, generator=g), targets('labels', n, c, g), torch.rand(c, generator=g)+.1
    for loss in (F.binary_cross_entropy_with_logits, nn.BCEWithLogitsLoss(weight=weight), BCEWithLogitsLossFlat(pos_weight=weight),
                 nn.BCEWithLogitsLoss(reduction='sum'), SoftBCE(weight), SoftBCE(pos_weight=weight, ignore=0), nn.MultiLabelSoftMarginLoss(weight=weight),
                 nn.MSELoss(), nn.SmoothL1Loss()):
        def weighted(p, t):
            paid, counted = paid_counted(loss, p, t)
            return paid.sum()/counted
        for a,b in zip(value_grad(weighted, preds, targs), value_grad(loss, preds, targs)): close(a.as_subclass(torch.Tensor), b.as_subclass(torch.Tensor))

@pytest.mark.parametrize('kind', ['index','column','probs'])
def test_half_precision_and_autocast(kind):
    g = torch.Generator().manual_seed(0)
    preds, targs = torch.randn(6, 4, generator=g), targets(kind, 6, 4, g)
    for loss in ours(4, g):
        want, grad = value_grad(loss, preds, targs)
        for dtype in (torch.float16, torch.bfloat16):
            with torch.autocast('cpu', dtype=torch.bfloat16): inside = value_grad(loss, preds.to(dtype), targs)
            for v,d in (inside, value_grad(loss, preds.to(dtype), targs)):
                assert v.dtype == torch.float32 and d.dtype == dtype
                close(v, want, .03); close(d.float(), grad, .03)

@pytest.mark.parametrize('wrong, says', [
    (torch.tensor([0,1,2,3]), 'outside 0…2'), (torch.tensor([0,-1,2,1]), 'pass ignore=-1'), (torch.tensor([0.,1,2,1]), 'targs.long()'),
    (torch.tensor([True,False,True,True]), 'targs.long()'), (torch.ones(4,3), 'SoftBCE'), (torch.full((4,3), 2.), 'softmax(1)'),
    (torch.full((4,3), nan), 'ignore=nan'), (torch.zeros(4,2), 'class indices [n]'), (torch.zeros(3).long(), 'class indices [n]')])
def test_all_losses_refuse_in_the_same_words(wrong, says):
    for loss in ours(3, None):
        with pytest.raises(ValueError) as e: loss(torch.zeros(4,3), wrong)
        assert says in str(e.value) and type(loss).__name__ in str(e.value)

def test_types_and_options():
    from fastai.torch_core import TensorBase, TensorCategory, TensorImage
    for loss in ours(3, None):
        assert type(loss(TensorImage(torch.zeros(4,3)), TensorCategory([0,1,2,0]))) is torch.Tensor
        with pytest.raises(ValueError, match='men'): loss.reduction = 'men'
    for cls in (SoftCrossEntropy, SoftBCE, GeneralizedCrossEntropy):
        with pytest.raises(ValueError, match='men'): cls(reduction='men')

@pytest.mark.parametrize('kw', [{}, {'weight': 1}, {'label_smoothing': .1}, {'weight': 1, 'label_smoothing': .1}])
@pytest.mark.parametrize('reduction', ['mean','sum','none'])
def test_missing_indices_as_in_pytorch(kw, reduction):
    g = torch.Generator().manual_seed(0)
    z, y = torch.randn(8, 5, generator=g), targets('index', 8, 5, g)
    y[[1,4]] = -100
    if 'weight' in kw: kw = {**kw, 'weight': torch.rand(5, generator=g)+.5}
    a, b = [value_grad(cls(reduction=reduction, **kw), z, y) for cls in (SoftCrossEntropy, nn.CrossEntropyLoss)]
    for x,y in zip(a, b): close(x, y)

@pytest.mark.parametrize('names', [(), ('weight',), ('pos_weight',), ('weight','pos_weight')])
@pytest.mark.parametrize('kind', ['labels','probs'])
def test_soft_bce_is_pytorchs(names, kind):
    g = torch.Generator().manual_seed(0)
    z, targs = torch.randn(8, 5, generator=g), targets(kind, 8, 5, g)
    kw = {o: 3*torch.rand(5, generator=g)+.5 for o in names}
    for reduction in ('mean','sum'):
        a, b = [value_grad(cls(reduction=reduction, **kw), z, targs) for cls in (SoftBCE, nn.BCEWithLogitsLoss)]
        for x,y in zip(a, b): close(x, y)
    cells = F.binary_cross_entropy_with_logits(z, targs, reduction='none', **kw)
    close(SoftBCE(reduction='none', **kw)(z, targs), cells.mean(1))
    close(SoftBCE(**kw).paid_counted(z, targs)[0], cells)

def test_soft_bce_takes_indices_and_smooths():
    g = torch.Generator().manual_seed(0)
    z, y, t = torch.randn(8, 5, generator=g), targets('index', 8, 5, g), targets('labels', 8, 5, g)
    rows = F.one_hot(y, 5).float()
    for o in (y, y[:,None]): close(SoftBCE()(z, o), SoftBCE()(z, rows))
    close(SoftBCE(label_smoothing=.1)(z, t), F.binary_cross_entropy_with_logits(z, t*.9+.05))
    assert torch.equal(SoftBCE(reduction='none')(torch.zeros(2,2), torch.tensor([1,-100])), torch.tensor([2.,1.]).log())

def test_numbers_by_name_are_refused():
    "A loss knows its classes by place: `value_counts()` would put each number at another class"
    counts = pd.Series(list('bbba')).value_counts()
    for make in (lambda o: SoftCrossEntropy(weight=o), lambda o: SoftBCE(pos_weight=o), lambda o: SoftBCE(weight=o), LogitAdjustedLoss,
                 ClassRectificationLoss, class_weights, imbalance):
        with pytest.raises(TypeError, match=r'is a Series.*reindex\(dls.vocab\).tolist\(\)'): make(counts)
        make(counts.reindex(['a','b']).tolist())

def test_read_only_numbers_are_taken_without_a_word():
    "pandas hands its numbers out read-only, of which torch warns"
    counts, probs = np.array([3.,1.]), np.full((2,2), .5)
    for o in (counts, probs): o.flags.writeable = False
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        LogitAdjustedLoss(counts)
        tune_abstention(probs, [0,1], min_accuracy=.5)
