"""What `ImageWeights` adds to a training step, as a ratio to the same fit without it.

    python benchmarks/step_overhead.py

trains two networks with each method in turns, so that a busy moment of the machine hits all of them, and writes
`results/step_overhead.csv`: the median over the rounds of the processor time of a training step, and its median ratio to
the same without a callback in the same round."""
import argparse, gc, itertools, time
from copy import deepcopy
from pathlib import Path
from fastai.vision.all import *
from softlabel_nbdev.data import digit_cnn, digits, digits_dls
from softlabel_nbdev.items import ItemCallback
from softlabel_nbdev.weights import ImageWeights


class ForumWay(Callback):
    "Cloned sampler and a `.loc` for each batch; the loss is computed a second time, without its mean"
    order, run_valid = 45, False
    def __init__(self, weights): self.weights = weights
    def before_train(self):
        dl, draw = self.dls.train, type(self.dls.train).get_idxs
        def clone():
            idxs, self.idxs = itertools.tee(draw(dl))
            return list(idxs)
        dl.get_idxs = clone
    def after_train(self): del self.dls.train.get_idxs
    def after_loss(self):
        rows = list(itertools.islice(self.idxs, len(self.y)))
        names = self.dls.train_ds.items['fname'].iloc[rows]
        w = torch.tensor(self.weights.loc[names].to_numpy(), dtype=torch.float32, device=self.y.device)
        self.learn.loss_grad = (w*F.cross_entropy(self.pred, self.y, reduction='none')).mean()
        self.learn.loss = self.loss_grad.clone()


class Clock(Callback):
    "Processor time of the training part of an epoch, per step"
    order = -20
    def before_fit(self): self.ms = []
    def before_train(self): self.start = time.process_time()
    def after_train(self): self.ms.append(1e3*(time.process_time()-self.start)/(self.iter+1))


def short_fit(dls, model, cbs, epochs):
    "Milliseconds per step of a short fit, with what the callback does once included"
    learn = Learner(dls, deepcopy(model), loss_func=CrossEntropyLossFlat(), cbs=[Clock(), *L(cbs)])
    with learn.no_bar(), learn.no_logging(): learn.fit(epochs, 1e-3)
    return np.mean(learn.clock.ms)


def small_digits():
    df = digits()
    return digits_dls(df[(~df.is_valid) | (df.index % 50 == 0)]), digit_cnn(10)


def noise(name): return TensorImage(torch.rand(3, 128, 128, generator=torch.Generator().manual_seed(int(name[4:8]))))


def photos_size(n=128):
    "`n` training images of 128 px made of noise; what is in them takes no part in the time of a step"
    df = pd.DataFrame({'fname': [f'img_{i:04d}.png' for i in range(n+2)], 'label': [str(i % 10) for i in range(n+2)]})
    block = DataBlock((TransformBlock(type_tfms=noise), CategoryBlock), get_x=ColReader('fname'), get_y=ColReader('label'),
                      splitter=IndexSplitter([n, n+1]))
    return block.dataloaders(df, bs=64, num_workers=0), resnet18(num_classes=10)


def measure(name, dls, model, rounds, epochs):
    "A row per method"
    names = dls.train_ds.items['fname']
    weights = pd.Series(np.random.default_rng(0).random(len(names))+.5, index=names)
    methods = {'none': lambda: [], 'ItemCallback': ItemCallback, 'ImageWeights': lambda: ImageWeights(weights),
               '.loc, cloned sampler': lambda: ForumWay(weights)}
    times = {m: [] for m in methods}
    for r in range(rounds+1):
        for m in np.roll(list(methods), r):    # each method is first in its turn
            gc.collect()                       # the last learner's, not on this one's time
            ms = short_fit(dls, model, methods[m](), epochs)
            if r: times[m].append(ms)    # the first round warms up
    times = pd.DataFrame(times)
    ratios = times.div(times['none'], axis=0)
    return [dict(network=name, method=m, ms_per_step=round(times[m].median(), 2), ratio=round(ratios[m].median(), 4),
                 ratio_q25=round(ratios[m].quantile(.25), 4), ratio_q75=round(ratios[m].quantile(.75), 4)) for m in methods]


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--rounds', type=int, nargs=2, default=(60, 6), help='rounds for the digits network and for resnet18')
    args = parser.parse_args()
    rows = measure('digits CNN, batch 64', *small_digits(), args.rounds[0], epochs=3)
    rows += measure('resnet18, batch 64, 128 px', *photos_size(), args.rounds[1], epochs=1)
    df = pd.DataFrame(rows)
    df.to_csv(Path(__file__).parent/'results/step_overhead.csv', index=False)
    print(df.to_string(index=False))
