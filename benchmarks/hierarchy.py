"Forward and backward of the losses of chapter 4 with 1,000 classes and a batch of 256, as a multiple of cross entropy's time."
import time
from pathlib import Path
import numpy as np, pandas as pd, torch, torch.nn.functional as F
from softlabel_nbdev.hierarchy import *

n, c, rounds = 256, 1000, 150
torch.set_num_threads(1)
device = 'cuda' if torch.cuda.is_available() else 'cpu'
torch.manual_seed(0)
out, y = torch.randn(n, c, device=device, requires_grad=True), torch.randint(c, (n,), device=device)

def hundreds(k): return k//100, k//10  # 10 groups of 100, each of 10 groups of 10
def halves(k): return k//500           # 2 groups of 500: the costliest kind of tree
def tens(k): return k//10              # 100 groups of 10

cost, two, small = (cost_matrix(range(c), g) for g in (hundreds, halves, tens))
losses = {'cross entropy': F.cross_entropy,
          'MatrixCrossEntropy': MatrixCrossEntropy(soft_targets(cost)),
          'HierarchicalCrossEntropy, 100 groups': HierarchicalCrossEntropy(small),
          'HierarchicalCrossEntropy, 10 groups of 10 groups': HierarchicalCrossEntropy(cost),
          'HierarchicalCrossEntropy, 2 groups': HierarchicalCrossEntropy(two),
          'ExpectedCost': ExpectedCost(cost),
          'CostWeightedLoss': CostWeightedLoss(F.cross_entropy, cost)}

def step(loss):
    out.grad = None
    loss(out, y).backward()
    if device == 'cuda': torch.cuda.synchronize()

def block(loss, warm=2, steps=6):
    "Seconds of the fastest of a few steps of `loss`, after it has warmed up."
    times = []
    for _ in range(warm + steps):
        start = time.perf_counter()
        step(loss)
        times.append(time.perf_counter() - start)
    return min(times[warm:])

for loss in losses.values():
    if isinstance(loss, torch.nn.Module): loss.to(device)
    block(loss)
times = {name: [] for name in losses}
for _ in range(rounds):                # in turns, so that a disturbance meets all alike
    for name, loss in losses.items(): times[name].append(block(loss))
ms = pd.Series({name: 1000*min(t) for name, t in times.items()})
table = pd.DataFrame({'loss': ms.index, 'milliseconds': ms.round(3).to_numpy(), 'times cross entropy': (ms/ms['cross entropy']).round(2).to_numpy()})
print(f'{device}, {n} × {c}, one thread, fastest steps' if device == 'cpu' else f'{torch.cuda.get_device_name()}, {n} × {c}')
print(table.to_string(index=False))
table.to_csv(Path(__file__).parent/'results'/'hierarchy.csv', index=False)
