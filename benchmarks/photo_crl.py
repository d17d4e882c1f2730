"""A long tail of breeds, 50 or 100 training images of the largest for each of the smallest: plain cross entropy, weights by class, focal
loss, oversampling, logit adjustment, and the class rectification loss, alone and on top of others. The validation images are as published."""
from photo_features import *
from softlabel_nbdev.crl import ClassRectificationLoss, HookFeatures, LogitAdjustedLoss, class_weights
from softlabel_nbdev.mining import Features, InstanceLevel
from softlabel_nbdev.losses import SoftCrossEntropy
from softlabel_nbdev.data import long_tail

EPOCHS, BETA, ETA = 30, .999, .1

def recalls(learn):
    "Share of the validation images of each class that is found `[c]`"
    probs,targs = predict(learn)
    return torch.stack([(probs[targs==c].argmax(1)==c).float().mean() for c in range(len(learn.dls.vocab))])

def tail_of(df, seed, ratio):
    "`df` with a long tail of the training images"
    return df[df.is_valid | df.index.isin(long_tail(df[~df.is_valid].label, ratio, seed).index)]

class HookHidden(HookFeatures):
    "Hands over what the last ReLU puts out: the hidden layer, of a `Head` and of fastai's own head alike"
    def __init__(self): super().__init__(None)
    def before_fit(self):
        super().before_fit()
        self.layer = [o for o in flatten_model(self.model) if isinstance(o, nn.ReLU)][-1]

def run_tail(df, x, seed, ratio, choose):
    "A row for each method: balanced accuracy, recall of the five smallest and of the five largest classes, in %, CPU seconds"
    df, rows = tail_of(split(df, seed, choose), seed, ratio), []
    vocab, labels = sorted(df.label.unique()), df[~df.is_valid].label
    counts = torch.tensor(labels.value_counts().reindex(vocab).values).float()
    small = counts.argsort()[:5]
    def crl(**kwargs): return ClassRectificationLoss(counts, **{'eta': ETA, **kwargs})
    ce,weighted = SoftCrossEntropy(),SoftCrossEntropy(weight=class_weights(counts))
    balanced = SoftCrossEntropy(weight=class_weights(counts, beta=BETA))
    by_features = crl(compared=Features, miner=InstanceLevel())
    over = (1/counts)[[vocab.index(o) for o in labels]].numpy()
    setups = {'CE': (ce, None), 'focal, γ=2': (FocalLossFlat(), None), 'CE weighted by 1/n': (weighted, None),
              'class-balanced CE': (balanced, None), 'oversampling': (ce, over), "CRL, the paper's η=.01": (crl(eta=.01), None),
              f'CRL, η={ETA}': (crl(), None), 'CRL, η=1': (crl(eta=1.), None), f'CRL instance, η={ETA}': (by_features, None),
              'CRL + 1/n': (crl(base=weighted), None), 'logit adjustment': (LogitAdjustedLoss(counts), None)}
    for method,(loss_func,wgts) in setups.items():
        start = time.process_time()
        cbs = HookHidden() if 'instance' in method else None
        r = 100*recalls(train(feature_dls(df, x, vocab=vocab, wgts=wgts), seed, EPOCHS, loss_func, cbs))
        rest = torch.ones(len(vocab)).bool()
        rest[small] = False
        rows.append(dict(ratio=f'{ratio} to 1', method=method, seed=seed, balanced=r.mean().item(), minority=r[small].mean().item(),
                         smallest=r[small[0]].item(), majority=r[rest].mean().item(), seconds=time.process_time()-start))
    return rows

def run(df, x, seed, choose): return [row for ratio in (50,100) for row in run_tail(df, x, seed, ratio, choose)]

def main(): experiment('crl', run, __doc__, note='balanced accuracy, mean recall of the five smallest, recall of the smallest and mean recall of the five largest classes, in %')
