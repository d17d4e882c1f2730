"""What class rectification costs: forward + backward over plain cross entropy, over batch size and classes; what the backward pass keeps;
and its part of a training step of a small network.

The triplets are formed beside it as a gist of 2019 forms them (with the absolute value and the p·n sizing that its own lacks).
"""
import torch, torch.nn.functional as F
from fastai.losses import CrossEntropyLossFlat
from fastai.torch_core import TensorBase
from common import in_turns, main, row, rows_of
from softlabel_nbdev.crl import ClassRectificationLoss
from softlabel_nbdev.data import digit_cnn
from softlabel_nbdev.mining import _largest

def cartesian(out, targ, k=25, margin=.5, alpha=.01):
    "Two classes: every anchor × hard positive × hard negative as a row of its own, the classes found on the CPU"
    counts = torch.bincount(targ.cpu(), minlength=2)
    small = int(counts.argmin())
    prob = out.softmax(1)[:,small]
    a, n = prob[targ==small], prob[targ!=small]
    p, n = a.sort()[0][:k], n.sort(descending=True)[0][:k]
    t = torch.cartesian_prod(torch.arange(len(a)), torch.arange(len(p)), torch.arange(len(n)))
    a, p, n = a[t[:,0]], p[t[:,1]], n[t[:,2]]
    return alpha*F.relu(margin + (a-p).abs() - (a-n)).mean() + (1-alpha)*F.cross_entropy(out, targ)

def sorting(out, targ, k=25):
    "Cross entropy, and of the rest only what can't be left out: the columns of half the classes, their `k` largest, two sorts, a search"
    x = out.detach().t().index_select(0, torch.arange(0, out.shape[1], 2))
    targ[x[0].argsort()].argsort(stable=True)
    torch.searchsorted(-x.gather(1, _largest(x, k)), x[:,:110].contiguous())
    return F.cross_entropy(out, targ)

def saved(loss, out, targ):
    "kB that the backward pass keeps, each storage once"
    sizes = {}
    def pack(t):
        sizes[t.untyped_storage().data_ptr()] = t.untyped_storage().nbytes()
        return t
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t): value = loss(out, targ)
    value.backward()
    return sum(sizes.values())/1e3

def step(loss, out, targ):
    "A function that does forward and backward of `loss`"
    def run():
        out.grad = None
        loss(out, targ).backward()
    return run

def batch(n, c): return torch.randn(n, c, requires_grad=True), torch.randint(c, (n,)) if c > 2 else (torch.rand(n) < .4).long()
def crl(c, **kwargs): return ClassRectificationLoss([6,4] if c == 2 else range(1, c+1), **kwargs)

def rows(quick=False):
    rounds = 2 if quick else 60
    torch.manual_seed(0)
    for n,c in [(64,2),(256,100)] if quick else [(64,2),(256,2),(1024,2),(4096,2),(64,100),(256,100),(1024,100),(4096,100),(1024,10),(1024,1000)]:
        out, targ = batch(n, c)
        others = {2: {'triplets formed, the gist': cartesian}, 100: {'cross entropy, and sorting': sorting} if n == 1024 else {}}
        losses = {'cross entropy': F.cross_entropy, 'CRL': crl(c), **others.get(c, {})}
        times = in_turns({name: step(loss, out, targ) for name,loss in losses.items()}, rounds)
        yield from rows_of(times, f'[{n},{c}], against cross entropy', {'CRL': 3} if (n,c) == (1024,100) else {})
    (out, targ), y = batch(1024, 100), (torch.rand(1024, 100) < .1).float()
    times = in_turns({'cross entropy': step(F.cross_entropy, out, targ), **{f'CRL {o}': step(crl(100, comparison=o), out, targ) for o in ('absolute','distribution')}}, rounds)
    yield from rows_of(times, '[1024,100], against cross entropy')
    as_fastai, targs = TensorBase(out.detach()).requires_grad_(), TensorBase(targ)
    times = in_turns({'cross entropy': step(CrossEntropyLossFlat(), as_fastai, targs), 'CRL, fastai tensors': step(crl(100), as_fastai, targs)}, rounds)
    yield from rows_of(times, "[1024,100], against fastai's cross entropy")
    bce = F.binary_cross_entropy_with_logits
    times = in_turns({'BCE': step(bce, out, y), 'CRL, multi-label': step(ClassRectificationLoss([[9,1]]*100), out, y)}, rounds)
    yield from rows_of(times, '[1024,100], against binary cross entropy')
    for n in (64,1024):
        model, x, y = digit_cnn(10), torch.rand(n, 1, 8, 8), torch.arange(n) % 10
        times = in_turns({'cross entropy': lambda: F.cross_entropy(model(x), y).backward(), 'CRL': lambda: crl(10)(model(x), y).backward()}, 2 if quick else 15)
        yield from rows_of(times, f'training step of digit_cnn, batch {n}')
    kept = {n: saved(crl(100), *batch(n, 100)) for n in (512,2048,8192)}   # from 2,048 on, classes have more than k=25 images
    yield row('CRL, kB kept per image', '[2048,100], against [512,100]', kept[2048]/2048, kept[512]/512, 'kB')
    yield row('CRL, kB kept per image', '[8192,100], against [2048,100]', kept[8192]/8192, kept[2048]/2048, 'kB', limit=1.1)
    yield row('CRL, kB kept', '[1024,2], against the triplets formed', saved(crl(2), *batch(1024, 2)), saved(cartesian, *batch(1024, 2)), 'kB')

if __name__ == '__main__': main(rows, __file__)
