"""What class rectification costs: forward + backward over plain cross entropy, and over a training step of a small network.

The triplets are formed beside it as a gist of 2019 forms them (with the absolute value and the p·n sizing that its own lacks).
Prints ratios and writes results/crl.csv.   python benchmarks/crl.py
"""
import time
from pathlib import Path
import pandas as pd, torch, torch.nn.functional as F
from fastai.losses import CrossEntropyLossFlat
from fastai.torch_core import TensorBase
from softlabel_nbdev.crl import ClassRectificationLoss
from softlabel_nbdev.data import digit_cnn

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

def seconds(step, repeats):
    "Shortest time of `step`, which other work on the machine disturbs least, after three that do not count"
    times = []
    for _ in range(repeats+3):
        start = time.perf_counter(); step(); times.append(time.perf_counter()-start)
    return min(times[3:])

def saved(loss, out, targ):
    "Bytes that the backward pass keeps, each storage once"
    sizes = {}
    def pack(t):
        sizes[t.untyped_storage().data_ptr()] = t.untyped_storage().nbytes()
        return t
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t): value = loss(out, targ)
    value.backward()
    return sum(sizes.values())

def case(name, loss, base, out, targ, repeats):
    "One row: time and memory of `loss`, over those of `base`"
    def step(f):
        def run():
            out.grad = None
            f(out, targ).backward()
        return run
    mine, plain = seconds(step(loss), repeats), seconds(step(base), repeats)
    row = {'loss': name, 'batch': len(out), 'classes': out.shape[1], 'ms': 1e3*mine, 'plain ms': 1e3*plain, 'ratio': mine/plain,
           'saved kB': saved(loss, out, targ)/1e3}
    print('{loss:28s} batch {batch:5d} classes {classes:4d}  {ms:9.3f} ms  {ratio:7.1f} x plain  keeps {saved kB:9.0f} kB'.format(**row), flush=True)
    return row

def share_of_step(batch=64, repeats=40):
    "The part of a training step of the course's small network on 8×8 digits that the loss takes"
    model, x, y = digit_cnn(10), torch.rand(batch, 1, 8, 8), torch.arange(batch) % 10
    def time_with(loss): return seconds(lambda: loss(model(x), y).backward(), repeats)
    mine, plain = time_with(ClassRectificationLoss(range(1, 11))), time_with(F.cross_entropy)
    print(f'training step of digit_cnn, batch {batch}: {1e3*mine:.1f} ms, with plain cross entropy {1e3*plain:.1f} ms')
    return {'loss': 'step of digit_cnn with CRL', 'batch': batch, 'classes': 10, 'ms': 1e3*mine, 'plain ms': 1e3*plain, 'ratio': mine/plain}

def main():
    torch.set_num_threads(1)
    torch.manual_seed(0)
    rows = []
    for n in (64, 256, 1024, 4096):
        out, targ = torch.randn(n, 2, requires_grad=True), (torch.rand(n) < .4).long()
        rows.append(case('CRL', ClassRectificationLoss([6,4]), F.cross_entropy, out, targ, 50))
        rows.append(case('cartesian triplets', cartesian, F.cross_entropy, out, targ, 8))
    for n in (256, 512, 1024, 2048):
        out, targ = torch.randn(n, 100, requires_grad=True), torch.randint(100, (n,))
        rows.append(case('CRL', ClassRectificationLoss(range(1, 101)), F.cross_entropy, out, targ, 50))
    out, targ = torch.randn(1024, 100, requires_grad=True), torch.randint(100, (1024,))
    as_fastai = TensorBase(out.detach()).requires_grad_()
    rows.append(case('CRL, fastai tensors', ClassRectificationLoss(range(1, 101)), CrossEntropyLossFlat(), as_fastai, TensorBase(targ), 50))
    for comparison in ('absolute', 'distribution'):
        loss = ClassRectificationLoss(range(1, 101), comparison=comparison)
        rows.append(case(f'CRL {comparison}', loss, F.cross_entropy, out, targ, 20))
    labels = (torch.rand(1024, 100) < .1).float()
    rows.append(case('CRL, multi-label', ClassRectificationLoss([[9,1]]*100), F.binary_cross_entropy_with_logits, out, labels, 20))
    rows += [share_of_step(n) for n in (64, 1024)]
    pd.DataFrame(rows).round(3).to_csv(Path(__file__).parent/'results/crl.csv', index=False)

if __name__ == '__main__': main()
