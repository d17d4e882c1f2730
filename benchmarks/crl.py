"""What class rectification costs: forward and backward as a share of a training step of resnet18 (batch 64, 128 px); against the triplets formed one
by one, as a gist of 2019 forms them (with the absolute value and the p·n sizing that its own lacks); and what the backward pass keeps per image."""
import torch, torch.nn.functional as F
from torchvision.models import resnet18
from common import in_turns, main, row, step
from softlabel_nbdev.crl import ClassRectificationLoss, LogitAdjustedLoss
from softlabel_nbdev.mining import Absolute, Distribution, Features, InstanceLevel

def cartesian(preds, targs, k=25, margin=.5, alpha=.01):
    "Two classes: every anchor × hard positive × hard negative as a row of its own"
    small = int(torch.bincount(targs, minlength=2).argmin())
    prob = preds.softmax(1)[:,small]
    a,n = prob[targs==small],prob[targs!=small]
    p,n = a.sort()[0][:k],n.sort(descending=True)[0][:k]
    t = torch.cartesian_prod(torch.arange(len(a)), torch.arange(len(p)), torch.arange(len(n)))
    a,p,n = a[t[:,0]],p[t[:,1]],n[t[:,2]]
    return alpha*F.relu(margin + (a-p).abs() - (a-n)).mean() + (1-alpha)*F.cross_entropy(preds, targs)

def saved(loss, preds, targs):
    "kB that the backward pass keeps, each storage once"
    sizes = {}
    def pack(t):
        sizes[t.untyped_storage().data_ptr()] = t.untyped_storage().nbytes()
        return t
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t): value = loss(preds, targs)
    value.backward()
    return sum(sizes.values())/1e3

def batch(n, c):
    "Logits and class indices; of two classes the second has two images in five"
    return torch.randn(n, c, requires_grad=True),torch.randint(c, (n,)) if c > 2 else (torch.rand(n) < .4).long()

def crl(c, **kwargs): return ClassRectificationLoss([6,4] if c == 2 else range(1, c+1), **kwargs)

def by_features(n, c, d=512):
    "Instance level, with features as resnet18 makes them"
    loss = crl(c, compared=Features, miner=InstanceLevel())
    loss.features = torch.randn(n, d, requires_grad=True)
    return loss

def shares(rounds):
    "Each loss at batch 64, over a step of resnet18"
    model,x,y = resnet18(num_classes=10),torch.randn(64, 3, 128, 128),torch.arange(64) % 10
    whole = in_turns({'step': lambda: F.cross_entropy(model(x), y).backward()}, min(rounds, 5), block=0).step.median()
    preds,targs = batch(64, 10)
    labels = (torch.rand(64, 20) < .1).float()
    cases = {'CRL, 10 classes': step(crl(10), preds, targs),
             'CRL, absolute': step(crl(10, comparison=Absolute()), preds, targs),
             'CRL, distribution': step(crl(10, comparison=Distribution()), preds, targs),
             'CRL, instance level': step(by_features(64, 10), preds, targs),
             'CRL, 20 labels': step(ClassRectificationLoss([[9,1]]*20), torch.randn(64, 20, requires_grad=True), labels),
             'logit adjustment': step(LogitAdjustedLoss(range(1, 11)), preds, targs)}
    times = in_turns(cases, rounds)
    for name in times: yield row(name, 'share of a resnet18 step', times[name].median()*1e3, whole*1e3, 'ms', limit=.02)

def rows(quick=False):
    rounds = 2 if quick else 40
    torch.manual_seed(0)
    yield from shares(rounds)
    for n in (256,) if quick else (64,256,1024,4096):
        preds,targs = batch(n, 2)
        times = in_turns({'gist': step(cartesian, preds, targs), 'CRL': step(crl(2), preds, targs)}, rounds)
        ratio = (times.CRL/times.gist).median()
        yield row('CRL', f'[{n},2], against the triplets formed', times.CRL.median()*1e3, times.gist.median()*1e3, 'ms', None if n == 64 else 1., ratio)
    if not quick:
        preds,targs = batch(4096, 1000)
        times = in_turns({'cross entropy': step(F.cross_entropy, preds, targs), 'CRL': step(crl(1000), preds, targs)}, 5, block=0)
        yield row('CRL', '[4096,1000], against cross entropy', times.CRL.median()*1e3, times['cross entropy'].median()*1e3, 'ms')
    kept = {n: saved(crl(100), *batch(n, 100))/n for n in (2048,4096,8192)}
    yield row('CRL, kB kept per image', '[4096,100], against [2048,100]', kept[4096], kept[2048], 'kB', limit=1.1)
    yield row('CRL, kB kept per image', '[8192,100], against [4096,100]', kept[8192], kept[4096], 'kB', limit=1.1)
    deep = {n: saved(by_features(n, 100), *batch(n, 100))/n for n in (4096,8192)}   # classes of more than k=25 images
    yield row('instance level, kB kept per image', '[8192,100], against [4096,100]', deep[8192], deep[4096], 'kB', limit=1.1)

if __name__ == '__main__': main(rows, __file__)
