"""Time of a loss alone, forward and backward, against PyTorch's own module for the same case: for information, since a training step is\nhundreds of times as long (`step_overhead.py`)."""
import torch
from torch import nn
from common import in_turns, main, rows_of, step
from softlabel_nbdev.losses import SoftCrossEntropy, SoftBCE

def cases(n, c, g):
    "Name, ours, PyTorch's, targets"
    y, p, t = torch.randint(c, (n,), generator=g), torch.randn(n, c, generator=g).softmax(1), (torch.rand(n, c, generator=g) > .9).float()
    w = torch.rand(c, generator=g)+.5
    yield 'class indices', SoftCrossEntropy(), nn.CrossEntropyLoss(), y
    yield 'class indices, weights', SoftCrossEntropy(w), nn.CrossEntropyLoss(w), y
    yield 'probabilities', SoftCrossEntropy(), nn.CrossEntropyLoss(), p
    yield 'probabilities, smoothed', SoftCrossEntropy(label_smoothing=.1), nn.CrossEntropyLoss(label_smoothing=.1), p
    yield 'multi-label', SoftBCE(), nn.BCEWithLogitsLoss(), t
    yield 'multi-label, weights', SoftBCE(w, pos_weight=w), nn.BCEWithLogitsLoss(w, pos_weight=w), t

def rows(quick=False):
    g = torch.Generator().manual_seed(0)
    for n,c in ((256,20),(256,1000)):
        z = torch.randn(n, c, generator=g).requires_grad_()
        for name,ours,theirs,targs in cases(n, c, g):
            what = type(ours).__name__
            times = in_turns({type(theirs).__name__: step(theirs, z, targs), what: step(ours, z, targs)}, 3 if quick else 400)
            yield from rows_of(times, f'[{n},{c}] {name}', {}, unit='µs', scale=1e6)

if __name__ == '__main__': main(rows, __file__)
