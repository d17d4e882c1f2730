"The losses of chapter 4 against their papers' equations, in training, and the callbacks that keep the best epoch."
import contextlib, io
from types import SimpleNamespace

import numpy as np, pandas as pd, pytest, torch, torch.nn.functional as F
from fastai.callback.mixup import CutMix, MixUp
from fastai.callback.tracker import EarlyStoppingCallback, ReduceLROnPlateau, SaveModelCallback
from fastai.vision.all import (CrossEntropyLossFlat, Interpretation, Learner, accuracy, load_learner, set_seed)

from softlabel_nbdev.all import *
from softlabel_nbdev.data import digit_cnn, digit_image, digits, digits_dls

VOCAB = ['Birman','Ragdoll','pug','rose','oak']
DEEP = {'animal': {'cat': ['Birman','Ragdoll'], 'dog': ['pug']}, 'plant': ['rose','oak']}
STROKES = {'loops': list('0689'), 'curves': list('235'), 'straight': list('147')}

def losses(tree=DEEP, vocab=VOCAB, **kw):
    "One of each loss"
    return [CostWeightedLoss(tree, vocab, **kw), MatrixCrossEntropy(soft_targets(tree, vocab, beta=4), **kw),
            HierarchicalCrossEntropy(tree, vocab, alpha=.7, **kw), ExpectedCostLoss(tree, vocab, w=2, **kw)]

def by_hand(loss, z, k):
    "What one image with logits `z` pays if class `k` is the truth, as the papers write it"
    p, cost = z.softmax(0), torch.tensor(cost_matrix(VOCAB, DEEP).to_numpy(copy=True))
    if isinstance(loss, CostWeightedLoss):
        guess = int(z.argmax())
        return -p[k].log()*(1 if guess == k else cost[k,guess])
    if isinstance(loss, MatrixCrossEntropy):
        row = [np.exp(-4*float(cost[k,j])) for j in range(len(p))]
        return -sum(r/sum(row)*p[j].log() for j,r in enumerate(row))
    if isinstance(loss, ExpectedCostLoss):
        least = min(cost[i,j] for i in range(5) for j in range(5) if i != j)
        return -p[k].log() + 2*sum(p[j]*(cost[k,j]-least) for j in range(5) if j != k)
    paths = list(class_paths(VOCAB, DEEP).values())
    def node(prefix): return sum(p[i] for i,o in enumerate(paths) if o[:len(prefix)] == prefix)
    path = paths[k]
    return -sum(np.exp(-.7*d)*(node(path[:d+1])/node(path[:d])).log() for d in range(len(path)))

@pytest.mark.parametrize('loss', losses(), ids=lambda o: type(o).__name__)
def test_the_papers_equation(loss):
    torch.manual_seed(0)
    preds, targs = torch.randn(10,5).double(), torch.arange(5).repeat(2)
    want = torch.stack([by_hand(loss, z, k) for z,k in zip(preds, targs)])
    loss.reduction = 'none'
    for y in (targs, targs[:,None], targs.int(), F.one_hot(targs, 5), F.one_hot(targs, 5).float()):
        torch.testing.assert_close(loss(preds, y), want, rtol=1e-5, atol=1e-5)
    mixed = torch.rand(10,5).softmax(1).double()
    every = torch.stack([loss(preds, torch.full((10,), k)) for k in range(5)], 1)
    torch.testing.assert_close(loss(preds, mixed), (mixed*every).sum(1))
    missing = targs.clone()
    missing[3] = -100
    loss.reduction = 'mean'
    rest = torch.arange(10) != 3
    torch.testing.assert_close(loss(preds, missing), want[rest].mean(), rtol=1e-5, atol=1e-5)

@pytest.mark.parametrize('loss', losses(reduction='none'), ids=lambda o: type(o).__name__)
def test_gradients_and_their_gradients(loss):
    torch.manual_seed(0)
    loss, preds, targs = loss.double(), torch.randn(5,5).double().requires_grad_(), torch.arange(5)
    for y in (targs, torch.rand(5,5).softmax(1).double()):
        assert torch.autograd.gradcheck(lambda z: loss(z, y), preds)
        assert torch.autograd.gradgradcheck(lambda z: loss(z, y), preds)

def test_far_away():
    "Right where the probability of a whole group is 0 in 32 bits"
    loss = HierarchicalCrossEntropy(DEEP, VOCAB, alpha=.7, reduction='none')
    preds = torch.tensor([[-200.,-201,-203,1,2], [-1e4,-1e4,-1e4,1e4,0]], requires_grad=True)
    exact = preds.detach().double()
    torch.testing.assert_close(loss(preds, torch.tensor([0,2])).double(), loss(exact, torch.tensor([0,2])))
    loss(preds, torch.tensor([0,2])).sum().backward()
    assert preds.grad.isfinite().all()

def test_a_flat_tree_is_cross_entropy():
    torch.manual_seed(0)
    preds, targs, flat = torch.randn(32,5), torch.randint(5, (32,)), {'all': VOCAB}
    rows = soft_targets(flat, VOCAB, keep=.8)
    for loss in (CostWeightedLoss(flat, VOCAB), MatrixCrossEntropy(rows), HierarchicalCrossEntropy(flat, VOCAB, alpha=2), ExpectedCostLoss(flat, VOCAB),
                 HierarchicalCrossEntropy(DEEP, VOCAB, alpha=0), ExpectedCostLoss(DEEP, VOCAB, w=0)):
        torch.testing.assert_close(loss(preds, targs), F.cross_entropy(preds, targs))
    eps = 5*np.exp(-3)/(1+4*np.exp(-3))
    torch.testing.assert_close(MatrixCrossEntropy(soft_targets(flat, VOCAB, beta=3))(preds, targs), F.cross_entropy(preds, targs, label_smoothing=eps))

def test_names_not_positions():
    torch.manual_seed(0)
    preds, targs, order = torch.randn(8,5), torch.randint(5, (8,)), [4,2,0,3,1]
    moved = [VOCAB[i] for i in order]
    for a,b in zip(losses(), losses(vocab=moved)):
        torch.testing.assert_close(a(preds, targs), b(preds[:,order], torch.tensor(order).argsort()[targs]))
    for a,b in zip(losses(), losses(tree=cost_matrix(VOCAB, DEEP), vocab=None)):
        torch.testing.assert_close(a(preds, targs), b(preds, targs))
    for make in (CostWeightedLoss, HierarchicalCrossEntropy, ExpectedCostLoss, soft_targets):
        with pytest.raises(ValueError, match='pass vocab=dls.vocab'): make(DEEP)
    for make in losses():
        with pytest.raises(ValueError, match="'men'"): type(make)(cost_matrix(VOCAB, DEEP)*0 + np.eye(5)*isinstance(make, MatrixCrossEntropy), reduction='men')
    with pytest.raises(ValueError, match="make them with soft_targets"): MatrixCrossEntropy(cost_matrix(VOCAB, DEEP))

def test_true_and_false():
    cost = cost_matrix([False,True], [[0,1],[5,0]])
    assert soft_targets(cost, beta=1).shape == (2,2)
    MatrixCrossEntropy(soft_targets(cost)); ExpectedCostLoss(cost); CostWeightedLoss(cost)
    assert cost_matrix([True,False], cost).to_numpy().tolist() == [[0,5],[1,0]]
    assert least_cost(torch.tensor([.7,.3]), cost) == 1

def test_a_thousand_classes():
    "Batches of 4,096 images of 1,000 classes"
    tree = pd.DataFrame({'broad': np.arange(1000)//100, 'narrow': np.arange(1000)//10})
    preds, targs = torch.randn(4096, 1000, requires_grad=True), torch.randint(1000, (4096,))
    for loss in losses(tree, range(1000)): loss(preds, targs).backward()
    assert preds.grad.isfinite().all()

def kept(loss, n, c=100):
    "Bytes that the backward pass keeps for a batch of `n`, each storage once, beyond what the loss itself holds"
    own, sizes = {o.untyped_storage().data_ptr() for o in loss.buffers()}, {}
    def pack(t):
        storage = t.untyped_storage()
        if storage.data_ptr() not in own: sizes[storage.data_ptr()] = storage.nbytes()
        return t
    preds, targs = torch.randn(n, c, requires_grad=True), torch.randint(c, (n,))
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t): value = loss(preds, targs)
    value.backward()
    return sum(sizes.values())

def test_memory_is_linear_in_the_batch():
    tree = pd.DataFrame({'broad': np.arange(100)//20, 'narrow': np.arange(100)//5})
    for loss in losses(tree, range(100)):
        small, large = kept(loss, 256), kept(loss, 4096)
        assert large <= 1.1*16*small, f'{type(loss).__name__}: {small} bytes for 256 images, {large} for 4096'

few = digits().groupby(['label','is_valid']).head(4)

def quietly(learn, epochs=1, **kw):
    with learn.no_bar(), learn.no_logging(), contextlib.redirect_stdout(io.StringIO()) as out: learn.fit(epochs, 3e-3, **kw)
    return out.getvalue()

@pytest.mark.parametrize('wrapped', [False, True])
def test_in_a_learner(tmp_path, wrapped):
    "Training with MixUp and CutMix, finding a rate, predictions, test-time augmentation, an exported model"
    for loss in losses(STROKES, list('0123456789')):
        if wrapped: loss = LeastCost(loss, STROKES, list('0123456789'), temperature=2.)
        learn = Learner(digits_dls(few, bs=20), digit_cnn(10), loss_func=loss, path=tmp_path, metrics=[accuracy, ErrorCost(STROKES), ErrorSeverity(STROKES), GroupAccuracy(STROKES)])
        for cbs in (None, MixUp(), CutMix()): quietly(learn, cbs=cbs)
        assert learn.loss_func is loss and loss.reduction == 'mean'
        with learn.no_bar(), learn.no_logging():
            learn.lr_find(num_it=3, show_plot=False, suggest_funcs=())
            Interpretation.from_learner(learn)
            probs,targs,answers,each = learn.get_preds(with_decoded=True, with_loss=True)
            tta = learn.tta(n=2)[0]
            said = learn.predict(digit_image(few.fname.iloc[0]))
        assert each.shape == targs.shape
        assert (answers == (least_cost(probs, STROKES, learn.dls.vocab) if wrapped else probs.argmax(1))).all()
        torch.testing.assert_close(tta.sum(1), torch.ones(len(tta)))
        learn.export()
        loaded = load_learner(learn.path/'export.pkl')
        with loaded.no_bar(): again = loaded.predict(digit_image(few.fname.iloc[0]))
        assert said[0] == again[0]
        torch.testing.assert_close(said[2], again[2])

def pairs(metric, preds, targs, vocab):
    learn = SimpleNamespace(dls=SimpleNamespace(vocab=vocab), loss_func=CrossEntropyLossFlat(), pred=preds, y=targs, to_detach=lambda o: o.detach())
    metric.reset()
    metric.accumulate(learn)
    return metric.value

@pytest.mark.parametrize('metric', [ErrorCost, ErrorSeverity, GroupAccuracy])
def test_callbacks_keep_the_best_epoch(tmp_path, metric):
    set_seed(0)
    learn = Learner(digits_dls(few, bs=20), digit_cnn(10), metrics=metric(STROKES), path=tmp_path)
    name = metric(STROKES).name
    assert name == learn.recorder.metrics[-1].name
    best = SaveModelCallback(monitor=name)
    stop, reduce = EarlyStoppingCallback(monitor=name, patience=9), ReduceLROnPlateau(monitor=name, patience=9)
    quietly(learn, 6, cbs=[best, stop, reduce])
    values = [row[2] for row in learn.recorder.values]
    better = np.greater if metric is GroupAccuracy else np.less
    assert all(cb.comp is better for cb in (best, stop, reduce))
    with learn.no_bar(): kept = learn.validate()[1]
    assert len(set(values)) > 1
    assert kept == pytest.approx((max if metric is GroupAccuracy else min)(values))
    right = 9*torch.eye(5)
    assert pairs(metric(DEEP), right, torch.arange(5), VOCAB) == (1 if metric is GroupAccuracy else 0)

def test_asking_and_deciding_are_one():
    "What a LeastCost answers is what it expects to cost least"
    probs = torch.tensor([[.55,.45],[.6,.4],[.92,.08],[.2,.8]])
    cost = cost_matrix(['well','ill'], [[0,1],[9,0]])
    loss = LeastCost(CrossEntropyLossFlat(), cost)
    torch.testing.assert_close(loss.expected_costs(probs), expected_costs(probs, cost))
    assert (loss.decodes(probs) == expected_costs(probs, cost).argmin(1)).all()
    assert loss.decodes(probs).tolist() == [1,1,0,1]
