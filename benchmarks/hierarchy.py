"Forward and backward of the losses of chapter 4 as a share of a training step of resnet18, batch 64, 128 px."
import torch
from torchvision.models import resnet18
from common import in_turns, main, rows_of, step
from softlabel_nbdev.hierarchy import (CostWeightedLoss, ExpectedCostLoss, HierarchicalCrossEntropy, MatrixCrossEntropy, cost_matrix,
    soft_targets)
from torch.nn.functional import cross_entropy

def hundreds(k): return k//100, k//10  # groups of 100, each of groups of 10
def pairs(k): return k//2              # many small groups: the costliest kind of tree

def losses(c):
    "One of each loss for `c` classes"
    cost = cost_matrix(range(c), hundreds)
    return {'cross entropy': cross_entropy, 'MatrixCrossEntropy': MatrixCrossEntropy(soft_targets(cost)),
            'HXE, groups of 100 and of 10': HierarchicalCrossEntropy(cost), 'HXE, pairs': HierarchicalCrossEntropy(pairs, range(c)),
            'ExpectedCostLoss': ExpectedCostLoss(cost), 'CostWeightedLoss': CostWeightedLoss(cost)}

def calls(c):
    "A step of the network, and each loss alone, as functions without arguments"
    torch.manual_seed(0)
    model, x = resnet18(num_classes=c), torch.randn(64, 3, 128, 128)
    out, y = torch.randn(64, c, requires_grad=True), torch.randint(c, (64,))
    def whole():
        model.zero_grad()
        cross_entropy(model(x), y).backward()
    return {'step': whole, **{name: step(loss, out, y) for name,loss in losses(c).items()}}

def rows(quick=False):
    for c in (37, 1000):
        fs = calls(c)
        times = in_turns(fs, 1 if quick else 5)
        yield from rows_of(times, f'share of a step, {c} classes', dict.fromkeys(list(fs)[1:], .02))

if __name__ == '__main__': main(rows, __file__)
