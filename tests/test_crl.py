"Class rectification against loops over every triplet, and where it meets fastai"
import subprocess, sys, warnings
from functools import partial
import matplotlib.pyplot as plt, numpy as np, pandas as pd, pytest, torch, torch.nn.functional as F
from fastai.vision.all import (Callback, CategoryBlock, ColReader, ColSplitter, CrossEntropyLossFlat, CutMix, DataBlock,
    DataLoader, DataLoaders, Image, ImageDataLoaders, Learner, MixUp, TransformBlock, load_learner, nn, tensor)
from softlabel_nbdev.all import ImageWeights, LeastCost, SoftBCE, SoftCrossEntropy, SoftLabels, explain
from softlabel_nbdev.crl import ClassRectificationLoss, HookFeatures, class_counts, crl_by_loops
from softlabel_nbdev.mining import Absolute, ClassLevel, Distribution, Features, InstanceLevel, Relative, plot_mining
from softlabel_nbdev.data import digit_cnn, digit_image, digits, digits_dls, scenes

def minority_by_loop(y, c):
    "The minority classes that have two images and others to compare them with"
    held,small = 0,[]
    for size,j in sorted((int((y==j).sum()), j) for j in range(c)):
        held += size
        if held <= len(y)/2 and 1 < size < len(y): small.append(j)
    return small

def pairs_by_loop(loss, prob, y, f):
    "For each anchor, its distances to hard positives and to hard negatives"
    images,k = range(len(y)),loss.miner.k
    for j in minority_by_loop(y, prob.shape[1]):
        inside,outside = [[i for i in images if (y[i]==j)==same] for same in (True,False)]
        for a in inside:
            if isinstance(loss.miner, InstanceLevel):
                d = {i: (f[a]-f[i]).norm() for i in images}
                pos = sorted([i for i in inside if i != a], key=lambda i: -d[i].item())[:k]
                neg = sorted(outside, key=lambda i: d[i].item())[:k]
                yield [d[i] for i in pos],[d[i] for i in neg]
            else:
                pos = [i for i in sorted(inside, key=lambda i: prob[i,j].item())[:k] if i != a]
                neg = sorted(outside, key=lambda i: -prob[i,j].item())[:k]
                yield [(prob[a,j]-prob[i,j]).abs() for i in pos],[prob[a,j]-prob[i,j] for i in neg]

def compared_by_loop(comparison, anchors):
    "The comparison of these pairs, from its formula"
    pos,neg = [torch.stack(sum(kind, [])) for kind in zip(*anchors)]
    if isinstance(comparison, Relative):
        costs = [(comparison.margin + d-e).clamp(min=0) for ds,es in anchors for d in ds for e in es]
        if comparison.active: costs = [o for o in costs if o > 0] or [0*pos.sum()]
        return sum(costs)/len(costs)
    if isinstance(comparison, Absolute):
        return .5*((pos**2).mean() + ((comparison.margin-neg).clamp(min=0)**2).mean())
    nodes = torch.linspace(-1, 2, 151, dtype=pos.dtype)
    h_pos,h_neg = [(1-(d[:,None]-nodes).abs()/.02).clamp(min=0).mean(0) for d in (pos,neg)]
    return sum(h_pos[t]*h_neg[:t+1].sum() for t in range(151))

def crl_by_loop(loss, preds, y, features=None):
    "L_crl, the mean over labels where there are several"
    prob,total = loss.activation(preds),0*preds.sum()
    f = None if features is None else features/features.norm(dim=1, keepdim=True)
    asked = [(torch.stack([1-p,p], 1),(t>=.5).long()) for p,t in zip(prob.T,y.T)] if loss.several else [(prob,y)]
    for p,t in asked:
        anchors = list(pairs_by_loop(loss, p, t, f))
        if anchors: total = total + compared_by_loop(loss.comparison, anchors)
    return total/len(asked)

def random_case(seed, several):
    "Batches of 2 to 14 images, which often lack positives, negatives or minority classes"
    rng = np.random.default_rng(seed)
    n,c = int(rng.integers(2, 15)),int(rng.integers(2, 6))
    preds = torch.tensor(2*rng.normal(size=(n,c)), requires_grad=True)
    features = torch.tensor(rng.normal(size=(n,6)), requires_grad=True)
    if several: y = torch.tensor((rng.random((n,c)) < rng.choice([.2,.5])).astype(float))
    else: y = torch.tensor(rng.choice(c, n, p=rng.dirichlet(np.ones(c))))
    return preds,y,features,int(rng.choice([1,2,3,25])),float(rng.choice([.1,.5,1.]))

def whole(several, c, **kwargs):
    "A loss that is the rectification alone"
    loss = ClassRectificationLoss([[9,1]]*c if several else range(1, c+1), eta=1., **kwargs)
    loss.omega = torch.ones_like(loss.omega)
    return loss.double()

@pytest.mark.parametrize('several', (False,True))
@pytest.mark.parametrize('kind', ('relative','active','absolute','distribution'))
@pytest.mark.parametrize('level', ('class','instance'))
def test_loops(level, kind, several):
    for seed in range(25):
        preds,y,features,k,margin = random_case(seed, several)
        comparison = {'relative': Relative(margin), 'active': Relative(margin, active=True),
                      'absolute': Absolute(margin), 'distribution': Distribution()}[kind]
        parts = dict(miner=ClassLevel(k)) if level == 'class' else dict(miner=InstanceLevel(k), compared=Features)
        loss = whole(several, preds.shape[1], comparison=comparison, **parts)
        loss.features = features
        fast,slow = loss(preds, y),crl_by_loop(loss, preds, y, features)
        torch.testing.assert_close(fast, slow, atol=1e-8, rtol=0)
        grads = [torch.autograd.grad(o, (preds,features), allow_unused=True, materialize_grads=True) for o in (fast,slow)]
        for a,b in zip(*grads): torch.testing.assert_close(a, b, atol=1e-8, rtol=0)
        loss.reduction = 'none'
        assert loss(preds, y).shape == (len(y),)
        torch.testing.assert_close(loss(preds, y).mean(), fast)

def test_definition():
    for seed in range(40):
        preds,y,_,k,margin = random_case(seed, False)
        loss = whole(False, preds.shape[1], miner=ClassLevel(k), comparison=Relative(margin))
        torch.testing.assert_close(loss(preds, y), crl_by_loops(preds.softmax(1), y, k, margin))

@pytest.mark.parametrize('comparison', (Relative(.7),Absolute(),Distribution()))
def test_gradcheck(comparison):
    torch.manual_seed(0)
    y,preds = tensor([0]*6+[1]*3+[2]*2),torch.randn(11, 3).double().requires_grad_()
    loss = ClassRectificationLoss([6,3,2], eta=.9, comparison=comparison).double()
    assert torch.autograd.gradcheck(lambda p: loss(p, y), preds)
    assert torch.autograd.gradgradcheck(lambda p: loss(p, y), preds)

def test_missing():
    torch.manual_seed(0)
    preds,y = torch.randn(40, 3),tensor([0]*20+[1]*8+[2]*6+[-100]*6)
    for base in (None,SoftCrossEntropy(weight=[1.,2,5])):
        loss = ClassRectificationLoss([20,8,6], base, eta=.5)
        torch.testing.assert_close(loss(preds, y), loss(preds[:34], y[:34]))
    labels = (torch.rand(40, 2) > .7).float()
    labels[:15,0] = -1
    z = preds[:,:2].clone().requires_grad_()
    loss = ClassRectificationLoss([[30,10],[20,20]], SoftBCE(ignore=-1), eta=.9)
    loss(z, labels).backward()
    assert not z.grad[:15,0].any() and z.grad[15:,0].any()
    with pytest.raises(ValueError, match='ignore=-1'): ClassRectificationLoss([[30,10],[20,20]])(z, labels)
    first = loss.rectification(z, labels.clamp(min=0), labels >= 0)[15:,0]
    alone = ClassRectificationLoss([[30,10]], eta=.9).rectification(z[15:,:1], labels[15:,:1])[:,0]
    torch.testing.assert_close(first, alone)

def test_kinds_of_targets():
    torch.manual_seed(0)
    preds,y = torch.randn(32, 3),tensor([0]*20+[1]*8+[2]*4)
    loss = ClassRectificationLoss([20,8,4], eta=.5)
    for same in (y[:,None],F.one_hot(y, 3).float(),y.int()): torch.testing.assert_close(loss(preds, same), loss(preds, y))
    half = ClassRectificationLoss([20,8,4], eta=.5)
    torch.testing.assert_close(half(preds.half(), y), loss(preds.half().float(), y))
    with torch.autocast('cpu', dtype=torch.bfloat16): assert loss(nn.Linear(3,3)(preds), y).dtype is torch.float32
    with pytest.raises(ValueError, match='counts are for 3 classes'): loss(torch.randn(4,5), y[:4])
    with pytest.raises(ValueError, match='from 0 to 1'): ClassRectificationLoss([5,1], eta=2)
    for base in (F.cross_entropy,SoftBCE()):
        with pytest.raises(ValueError, match='SoftCrossEntropy'): ClassRectificationLoss([5,1], base)

def test_batches_with_little_in_them():
    loss = ClassRectificationLoss([90,9,1], eta=.5)
    for n in ([8],[7,0,1],[6,1,1],[5,0,3],[4,4],[1],[0,0,1]):
        y = torch.arange(len(n)).repeat_interleave(tensor(n))
        for scale in (1,200):                                # at 200, probabilities of exactly 0 and 1
            preds = (scale*torch.randn(len(y), 3)).requires_grad_()
            loss(preds, y).backward()
            assert preds.grad.isfinite().all()

def test_large():
    torch.manual_seed(0)
    preds,y = torch.randn(4096, 1000, requires_grad=True),torch.randint(1000, (4096,))
    ClassRectificationLoss(range(1, 1001), eta=.5)(preds, y).backward()
    assert preds.grad.isfinite().all()

@pytest.fixture(scope='module')
def dls(): return digits_dls(digits().iloc[:300])

def fitted(dls, loss, cbs=None, c=10):
    model = digit_cnn(c)
    cbs = [HookFeatures(model[-2]) if o == 'hook' else o() for o in cbs or []]
    learn = Learner(dls, model, loss_func=loss, cbs=cbs)
    with learn.no_bar(), learn.no_logging(): learn.fit(1)
    assert np.isfinite(learn.recorder.values[-1]).all()
    return learn

def instance(dls, **kwargs): return ClassRectificationLoss(class_counts(dls), compared=Features, miner=InstanceLevel(), **kwargs)

@pytest.mark.parametrize('mix', (MixUp,CutMix))
def test_mixup(dls, mix):
    fitted(dls, ClassRectificationLoss(class_counts(dls)), [mix])
    learn = fitted(dls, instance(dls), ['hook',mix])
    assert learn.loss_func.features is None and not learn.model[-2]._forward_hooks

def test_mixup_is_the_mixture():
    "The loss of two targets, mixed image by image, is what fastai makes of `reduction='none'`"
    torch.manual_seed(0)
    preds,y,lam = torch.randn(32, 3),tensor([0]*20+[1]*8+[2]*4),torch.rand(32)
    loss,other = ClassRectificationLoss([20,8,4], eta=.5, reduction='none'),y[torch.randperm(32)]
    mixed = torch.lerp(loss(preds, other), loss(preds, y), lam).mean()
    assert mixed.isfinite()
    same = torch.lerp(loss(preds, y), loss(preds, y), lam).mean()
    torch.testing.assert_close(same, loss(preds, y).mean())

def test_hook_finds_its_loss(dls):
    fitted(dls, LeastCost(instance(dls), 1-np.eye(10)), ['hook'])
    soft = pd.get_dummies(digits().label).astype(float).set_axis(digits().fname)
    fitted(dls, instance(dls), ['hook',partial(SoftLabels, soft)])
    fitted(dls, instance(dls), ['hook',partial(ImageWeights, pd.Series(np.linspace(.5, 1.5, 300), index=digits().fname[:300]))])
    with pytest.raises(ValueError, match='HookFeatures found no'): fitted(dls, CrossEntropyLossFlat(), ['hook'])
    with pytest.raises(ValueError, match='cbs=HookFeatures'): fitted(dls, instance(dls))
    learn = fitted(dls, instance(dls), ['hook'])
    with pytest.raises(ValueError, match='to its base'), learn.no_bar(): explain(learn, 2)
    learn.loss_func = learn.loss_func.base
    learn.remove_cb(HookFeatures)
    with learn.no_bar(): assert len(explain(learn, 2)) == 2

def test_export(dls, tmp_path):
    learn = fitted(dls, instance(dls), ['hook'])
    learn.remove_cb(HookFeatures)
    learn.export(tmp_path/'crl.pkl')
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        again = load_learner(tmp_path/'crl.pkl')
    x = digits().fname[0]
    with learn.no_bar(), again.no_bar(): assert again.predict(x)[0] == learn.predict(x)[0]

def test_left_out(dls):
    "An image that is left out is not there: nothing of it is mined"
    soft = pd.get_dummies(digits().label).astype(float).set_axis(digits().fname)
    soft.loc[digits().fname[digits().label == '7']] = np.nan
    class Look(Callback):
        def before_batch(self):
            if self.training: assert not (self.y.argmax(1) == 7).any()
    fitted(dls, ClassRectificationLoss(class_counts(dls)), [partial(SoftLabels, soft),Look])

def loaders(y, vocab=None):
    out = DataLoaders(DataLoader(list(zip(torch.randn(len(y), 3), y)), bs=2))
    if vocab: out.vocab = vocab
    return out

def test_class_counts(dls, tmp_path):
    df = digits().iloc[:300]
    assert class_counts(dls).tolist() == df.label[~df.is_valid].value_counts().sort_index().tolist()
    scene = scenes(40, seed=0)
    with_1 = scene[~scene.is_valid].labels.str.contains('1').sum()
    assert class_counts(digits_dls(scene, y='labels', bs=16))[1].tolist() == [32-with_1,with_1]
    assert class_counts(loaders([0,2,2,0,0], 'abc')).tolist() == [3,0,2]
    assert class_counts(loaders([0,2,-100], 'abc')).tolist() == [1,0,1]
    assert class_counts(loaders(tensor([[1.,1],[1,0],[0,0]]), 'ab')).tolist() == [[1,2],[2,1]]
    assert class_counts(loaders(tensor([[1.,1],[1,-1],[0,0]]), 'ab'), ignore=-1).tolist() == [[1,2],[1,1]]
    torch.testing.assert_close(class_counts(loaders(tensor([[.9,.1],[.3,.7]]), 'ab')), tensor([1.2,.8]))
    names = [tmp_path/f'{c}{i}.png' for c,many in (('a',2),('b',6)) for i in range(many)]
    for f in names: Image.new('L', (4,4)).save(f)
    files = ImageDataLoaders.from_name_func(tmp_path, names, lambda name: name[0], valid_pct=.25, seed=0, bs=2, num_workers=0)
    for f in names: f.unlink()
    assert class_counts(files).sum() == 6                     # without opening the pictures, which are gone

def test_class_counts_refuses():
    with pytest.raises(ValueError, match='no vocab'): class_counts(loaders([0,1]))
    with pytest.raises(ValueError): class_counts(loaders([0,3,-1], 'abc'))
    class Stream(torch.utils.data.IterableDataset):
        def __iter__(self): yield from []
    stream = DataLoaders(DataLoader(Stream(), bs=2))
    stream.vocab = 'ab'
    with pytest.raises(ValueError, match='Stream has no length'): class_counts(stream)
    df = digits().iloc[:40].assign(odd=digits().label.astype(int) % 2)
    blocks = (TransformBlock(type_tfms=digit_image),CategoryBlock,CategoryBlock)
    two = DataBlock(blocks, n_inp=1, get_x=ColReader('fname'), get_y=[ColReader('label'),ColReader('odd')], splitter=ColSplitter())
    with pytest.raises(ValueError, match='2 targets'): class_counts(two.dataloaders(df, bs=8, num_workers=0))

def test_plot_mining(dls):
    learn = Learner(dls, digit_cnn(10), loss_func=CrossEntropyLossFlat())
    assert len(plot_mining(learn, 2)) == 6
    scene = digits_dls(scenes(60, seed=0), y='labels', bs=32)
    assert len(plot_mining(Learner(scene, digit_cnn(10), loss_func=SoftBCE()), 2)) == 6
    plt.close('all')

two_processes = '''
import os, sys, torch, torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel
from softlabel_nbdev.crl import ClassRectificationLoss
rank = int(sys.argv[1])
dist.init_process_group('gloo', init_method='file://'+sys.argv[2], rank=rank, world_size=2)
torch.manual_seed(0)
model, x, y = torch.nn.Linear(4, 3), torch.randn(40, 4), torch.arange(40) % 8 % 3
loss = ClassRectificationLoss([20,8,4], eta=.9)
ddp = DistributedDataParallel(model)
loss(ddp(x[rank::2]), y[rank::2]).backward()
together = model.weight.grad.clone()
model.zero_grad()
(sum(loss(model(x[r::2]), y[r::2]) for r in range(2))/2).backward()
assert torch.allclose(together, model.weight.grad, atol=1e-6)
print('equal')
dist.destroy_process_group()
'''
@pytest.mark.slow
def test_two_processes(tmp_path):
    "Each mines its own part of the batch, and the gradients are averaged, as for any loss"
    (tmp_path/'two.py').write_text(two_processes)
    jobs = [subprocess.Popen([sys.executable, '-W', 'ignore', tmp_path/'two.py', str(r), tmp_path/'store'],
                             stdout=subprocess.PIPE, text=True) for r in range(2)]
    assert [job.communicate()[0].strip() for job in jobs] == ['equal','equal']
