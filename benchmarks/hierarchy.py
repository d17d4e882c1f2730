"Forward and backward of the losses of chapter 4 with 1,000 classes and a batch of 256, against cross entropy."
import torch, torch.nn.functional as F
from common import in_turns, main, rows_of
from softlabel_nbdev.hierarchy import CostWeightedLoss, ExpectedCost, HierarchicalCrossEntropy, MatrixCrossEntropy, cost_matrix, soft_targets

def hundreds(k): return k//100, k//10  # 10 groups of 100, each of 10 groups of 10
def halves(k): return k//500           # 2 groups of 500: the costliest kind of tree
def tens(k): return k//10              # 100 groups of 10

def rows(quick=False):
    n, c = 256, 1000
    torch.manual_seed(0)
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    out, y = torch.randn(n, c, device=device, requires_grad=True), torch.randint(c, (n,), device=device)
    cost, two, small = (cost_matrix(range(c), g) for g in (hundreds, halves, tens))
    losses = {'MatrixCrossEntropy': MatrixCrossEntropy(soft_targets(cost)),
              'HXE, 100 groups': HierarchicalCrossEntropy(small),
              'HXE, 10 groups of 10 groups': HierarchicalCrossEntropy(cost),
              'HXE, 2 groups': HierarchicalCrossEntropy(two),
              'ExpectedCost': ExpectedCost(cost),
              'CostWeightedLoss': CostWeightedLoss(F.cross_entropy, cost)}
    def step(loss):
        if isinstance(loss, torch.nn.Module): loss.to(device)
        def run():
            out.grad = None
            loss(out, y).backward()
            if device == 'cuda': torch.cuda.synchronize()
        return run
    for name,loss in losses.items():
        times = in_turns({'cross entropy': step(F.cross_entropy), name: step(loss)}, 3 if quick else 400)
        yield from rows_of(times, f'[{n},{c}] on {device}, against cross entropy', {name: 2})

if __name__ == '__main__': main(rows, __file__)
