"""What each technique adds to a training step, over the same fit of plain fastai with cross entropy: processor time of the training part
of short fits, the methods in turns. Beside `ImageWeights` stands the way of a forum thread: a cloned sampler and a pandas `.loc` per batch.
"""
import gc, itertools, time
from copy import deepcopy
from fastai.vision.all import *
from common import main, rows_of
from softlabel_nbdev.crl import ClassRectificationLoss
from softlabel_nbdev.crossfold import SoftLabels
from softlabel_nbdev.data import digit_cnn, digits, digits_dls
from softlabel_nbdev.hierarchy import CostWeightedLoss, ExpectedCostLoss, HierarchicalCrossEntropy, MatrixCrossEntropy, cost_matrix, soft_targets
from softlabel_nbdev.items import ItemCallback
from softlabel_nbdev.losses import SoftCrossEntropy
from softlabel_nbdev.rare import class_counts
from softlabel_nbdev.weights import Curriculum, ImageWeights

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
    def before_fit(self): self.seconds = []
    def before_train(self): self.start = time.process_time()
    def after_train(self): self.seconds.append((time.process_time()-self.start)/(self.iter+1))

def short_fit(dls, model, epochs, loss_func=None, cbs=None):
    "Seconds per step of a short fit, with what a callback does once included"
    learn = Learner(dls, deepcopy(model), loss_func=loss_func or CrossEntropyLossFlat(), cbs=[Clock(), *L(cbs)])
    with learn.no_bar(), learn.no_logging(): learn.fit(epochs, 1e-3)
    return np.mean(learn.clock.seconds)

def small_digits():
    df = digits()
    few = df[(~df.is_valid) | (df.index % 50 == 0)]
    return digits_dls(few, dl_type=TfmdDL), digit_cnn(10)   # items made anew, as photographs are

def noise(name): return TensorImage(torch.rand(3, 128, 128, generator=torch.Generator().manual_seed(int(name[4:8]))))

def photos_size(n):
    "`n` training images of 128 px made of noise; what is in them takes no part in the time of a step"
    df = pd.DataFrame({'fname': [f'img_{i:04d}.png' for i in range(n+2)], 'label': [str(i % 10) for i in range(n+2)]})
    block = DataBlock((TransformBlock(type_tfms=noise), CategoryBlock), get_x=ColReader('fname'), get_y=ColReader('label'),
                      splitter=IndexSplitter([n, n+1]))
    return block.dataloaders(df, bs=64, num_workers=0), resnet18(num_classes=10)

def methods(dls):
    "Arguments of `Learner` for each technique"
    items = dls.train_ds.items
    weights = pd.Series(np.random.default_rng(0).random(len(items))+.5, index=items.fname)
    soft = pd.get_dummies(items.set_index('fname').label).astype('float32')*.9 + .01
    cost = cost_matrix(dls.vocab, int)
    counts = class_counts(dls)
    return {'plain': dict, 'ItemCallback': lambda: dict(cbs=ItemCallback()), 'ImageWeights': lambda: dict(cbs=ImageWeights(weights)),
        '.loc, cloned sampler': lambda: dict(cbs=ForumWay(weights)), 'Curriculum': lambda: dict(cbs=Curriculum(weights/2, .7, .3, 2)),
        'SoftLabels': lambda: dict(cbs=SoftLabels(soft), loss_func=SoftCrossEntropy()), 'SoftCrossEntropy': lambda: dict(loss_func=SoftCrossEntropy()),
        'MatrixCrossEntropy': lambda: dict(loss_func=MatrixCrossEntropy(soft_targets(cost))),
        'HierarchicalCrossEntropy': lambda: dict(loss_func=HierarchicalCrossEntropy(cost)), 'ExpectedCostLoss': lambda: dict(loss_func=ExpectedCostLoss(cost)),
        'CostWeightedLoss': lambda: dict(loss_func=CostWeightedLoss(cost)),
        'ClassRectificationLoss': lambda: dict(loss_func=ClassRectificationLoss(counts))}

def measure(case, dls, model, rounds, epochs, limit, names=None):
    fs = {name: f for name,f in methods(dls).items() if names is None or name in names}
    times = []
    for r in range(rounds+1):
        secs = {}
        for name in np.roll(list(fs), r):    # each method is first in its turn
            gc.collect()                     # the last learner's garbage, not on this one's time
            secs[str(name)] = short_fit(dls, model, epochs, **fs[name]())
        times.append(secs)
    yield from rows_of(pd.DataFrame(times[1:])[list(fs)], case, {'ImageWeights': limit})   # the first round warms up

def rows(quick=False):
    yield from measure('step of the digits CNN, batch 64', *small_digits(), 1 if quick else 8, 1 if quick else 2, 1.05)
    if not quick: yield from measure('step of resnet18, batch 64, 128 px', *photos_size(128), 5, 1, 1.01, ['plain','ImageWeights'])

if __name__ == '__main__': main(rows, __file__)
