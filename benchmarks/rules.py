"""What to do with labels that out-of-fold predictions doubt: rules beside each other, in many situations, for choosing one.
`python benchmarks/rules.py --features FILE.npz --csv noisy_imagewoof.csv` trains small networks, in plain PyTorch, on features of
Imagewoof's photographs and on scikit-learn's digits, and measures accuracy on training images that were held out with their right labels.
A situation and seed is one group of rows in `results/rules.csv`; those that are there already aren't run again.
With `--valid` the validation images are judged instead (`results/rules_valid.csv`): to report rules, not to choose one.
The exam was run with `--few`, without the rules that take a second round of folds."""
import argparse, itertools
from functools import lru_cache
from pathlib import Path
import numpy as np, pandas as pd, torch, torch.nn.functional as F
from cleanlab.classification import CleanLearning
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import StratifiedKFold
from torch import nn

# what a situation is made of

@lru_cache(4)
def woof(features, csv, seed, first, last, n, valid):
    "Principal components `first` to `last` of the features for training and judging, their right classes, and the published labels by per cent"
    data, df = np.load(features, allow_pickle=False), pd.read_csv(csv)
    where = {o: i for i,o in enumerate(data['path'])}
    df = df[df.path.isin(where.keys())].reset_index(drop=True)
    rng, ours = np.random.default_rng(seed), np.flatnonzero(~df.is_valid)
    ours = rng.permutation(ours)
    judged = np.flatnonzero(df.is_valid) if valid else ours[:len(ours)//5]
    train = ours[len(ours)//5:][:n]
    x = data['features'][[where[o] for o in df.path]].astype(np.float32)
    x = x[np.r_[train, judged]]
    pca = PCA(last, random_state=0).fit(x[:len(train)])
    x = torch.tensor(pca.transform(x)[:,first:]/np.sqrt(pca.explained_variance_[first]), dtype=torch.float32)
    codes = pd.Categorical(df.truth if 'truth' in df else df.noisy_labels_0).categories
    def code(col, rows): return np.array(pd.Categorical(df[col].iloc[rows], categories=codes).codes, int)
    truth = 'truth' if 'truth' in df else 'noisy_labels_0'
    given = {p: code(f'noisy_labels_{p}', train) for p in (5,25,50)}
    return x[:len(train)], x[len(train):], code(truth, train), code(truth, judged), given

def scans(seed, valid):
    "Digits `[n,1,8,8]` for training and judging, and their classes; a fifth of all is for validation"
    d = load_digits()
    x, y = torch.tensor(d.images/8-1, dtype=torch.float32)[:,None], d.target
    kept = np.random.default_rng(12345).permutation(len(y))
    last, ours = kept[:len(y)//5], kept[len(y)//5:]
    ours = np.random.default_rng(seed).permutation(ours)
    judged, train = (last if valid else ours[:len(ours)//4]), ours[len(ours)//4:]
    return x[train], x[judged], y[train], y[judged]

def any_other(y, share, rng, c=10):
    "A `share` of the labels replaced by another class, all alike"
    wrong = rng.permutation(len(y))[:round(share*len(y))]
    out = y.copy()
    out[wrong] = (y[wrong] + rng.integers(1, c, len(wrong))) % c
    return out

def look_alike(y, share, rng, c=10):
    "A `share` of the labels replaced by the class's one look-alike: 0 and 1, 2 and 3, …"
    wrong = rng.permutation(len(y))[:round(share*len(y))]
    out = y.copy()
    out[wrong] = y[wrong] ^ 1
    return out

def situations(args):
    "Name and a function of the seed: inputs, right and given labels, and what to train"
    def photos(noise, per_cent, first=0, last=192, n=2000, few=None):
        def make(seed):
            x, xv, y, yv, published = woof(args.features, args.csv, seed, first, last, n, args.valid)
            if few:
                rows = np.concatenate([np.flatnonzero(y == k)[:few] for k in range(10)])
                x, y = x[rows], y[rows]
            rng = np.random.default_rng(seed)
            given = published[per_cent] if noise == 'published' and per_cent else {'published': any_other, 'any': any_other,
                        'alike': look_alike}[noise](y, per_cent/100, rng)
            return x, xv, y, yv, given, (lambda: mlp(last-first)), 40 if few else 15, 2e-3
        return make
    def digits(noise, per_cent):
        def make(seed):
            x, xv, y, yv = scans(seed, args.valid)
            return x, xv, y, yv, noise(y, per_cent/100, np.random.default_rng(seed)), cnn, 15, 5e-3
        return make
    for p in (0,5,25,50): yield f'photos {p}', photos('published', p)
    for p in (0,10,20,40): yield f'weak {p}', photos('any', p, 7, 21)   # without the components that tell the classes apart best: right for about 70 %
    for p in (20,40): yield f'look-alikes {p}', photos('alike', p)
    for p in (20,): yield f'weak, look-alikes {p}', photos('alike', p, 7, 21)
    for p in (0,10,20,40): yield f'30 per class {p}', photos('any', p, few=30)
    for p in (0,10,20,40): yield f'digits {p}', digits(any_other, p)

# training

def mlp(d): return nn.Sequential(nn.Linear(d, 128), nn.ReLU(), nn.Linear(128, 10))
def cnn(): return nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 16, 3, stride=2, padding=1),
                                nn.BatchNorm2d(16), nn.ReLU(), nn.Flatten(), nn.Linear(16*16, 10))

def robust(z, y, q=.7): return (1 - (z.softmax(1)*y).sum(1)**q)/q
def cross_entropy(z, y): return -(y*z.log_softmax(1)).sum(1)

def train(sit, x, y, seed, w=None, elr=False, loss=cross_entropy, bs=64):
    "A network trained on soft labels `y` `[n,c]` with weights `w`; images of weight 0 aren't there"
    make, epochs, lr = sit
    torch.manual_seed(seed)
    model = make()
    if w is not None:
        there = torch.tensor(w > 0)
        x, y, w = x[there], y[there], torch.tensor(w, dtype=torch.float32)[there]
        w = w/w.mean()
    opt = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=.01, fused=True)
    steps = epochs*-(-len(x)//bs)
    plan = torch.optim.lr_scheduler.OneCycleLR(opt, lr, total_steps=steps)
    past = torch.zeros(len(x), y.shape[1])
    for _ in range(epochs):
        for rows in torch.randperm(len(x)).split(bs):
            if len(rows) < 2: plan.step(); continue
            z = model(x[rows])
            paid = loss(z, y[rows])
            if elr:
                p = z.softmax(1).clamp(1e-4, 1-1e-4)
                past[rows] = .7*past[rows] + .3*(p/p.sum(1, keepdim=True)).detach()
                paid = paid + 3*(1 - (past[rows]*p).sum(1)).log()
            if w is not None: paid = paid*w[rows]
            paid.mean().backward()
            opt.step(); opt.zero_grad(); plan.step()
    return model.eval()

@torch.no_grad()
def probs_of(model, x): return model(x).softmax(1).numpy()

def onehot(y): return torch.tensor(np.eye(10)[y], dtype=torch.float32)

def out_of_fold(sit, x, given, seed, w=None, elr=False):
    "Probabilities of each image by a network trained on the other folds"
    out = np.zeros((len(given), 10))
    for f,(a,b) in enumerate(StratifiedKFold(5, shuffle=True, random_state=seed).split(x, given)):
        model = train(sit, x[a], onehot(given[a]), seed*100+f, None if w is None else w[a], elr)
        out[b] = probs_of(model, x[b])
    return out

# peers

def symmetric(z, y, alpha=.1, beta=1., smallest=-4):
    "Symmetric cross entropy (Wang et al. 2019, arXiv 1908.06112, section 4): its authors' α, β and A for CIFAR-10"
    reverse = -(z.softmax(1)*y.log().clamp(min=smallest)).sum(1)
    return alpha*cross_entropy(z, y) + beta*reverse

class Network(ClassifierMixin, BaseEstimator):
    "What is trained here, as scikit-learn wants it"
    def __init__(self, sit=None, seed=0): self.sit,self.seed = sit,seed
    def fit(self, x, y, sample_weight=None):
        self.model_ = train(self.sit, torch.as_tensor(x), onehot(y), self.seed, sample_weight)
        self.classes_ = np.arange(10)
        return self
    def predict_proba(self, x): return probs_of(self.model_, torch.as_tensor(x))
    def predict(self, x): return self.predict_proba(x).argmax(1)

def run_peers(make, seed):
    "Accuracy (%) of what others use, from the same folds and starting weights as `run`"
    x, xv, y, yv, given, build, epochs, lr = make(seed)
    sit, end = (build, epochs, lr), seed*100+50
    def accuracy(probs): return 100*(probs.argmax(1) == yv).mean()
    first = out_of_fold(sit, x, given, seed)
    cl = CleanLearning(Network(sit, end), seed=seed).fit(x.numpy(), given, pred_probs=first)
    return {'given labels (1)': accuracy(probs_of(train(sit, x, onehot(given), end), xv)),
            'symmetric cross entropy (1)': accuracy(probs_of(train(sit, x, onehot(given), end, loss=symmetric), xv)),
            "cleanlab's CleanLearning (6)": accuracy(cl.predict_proba(xv.numpy()))}, {}

# the noise model

def noise_model(p, given, steps=50):
    "Probability of each class, from what the model says and the label that was given"
    logp, tau = np.log(p.clip(1e-12)), 1.
    c = p.shape[1]
    q = p
    for _ in range(steps):
        t = np.array([q[given == j].sum(0) for j in range(c)]).T + 1e-9    # [true,given]
        t /= t.sum(1, keepdims=True)
        for _ in range(3):
            m = np.exp(tau*logp); m /= m.sum(1, keepdims=True)
            mean = (m*logp).sum(1)
            slope, curve = (q*logp).sum() - mean.sum(), ((m*logp**2).sum(1) - mean**2).sum()
            tau = min(max(tau + slope/max(curve, 1e-9), tau/2), tau*2)
        m = np.exp(tau*logp); m /= m.sum(1, keepdims=True)
        q = m*t[:,given].T
        likely = np.log(q.sum(1)).mean()
        q /= q.sum(1, keepdims=True)
    return q, likely, tau

def of_given(p, given): return p[np.arange(len(given)), given]

def contradicted(p, given):
    "1 where the model confirms the label, else 0; no class dies out"
    keep = p.argmax(1) == given
    for k in range(10):
        if not keep[given == k].any(): keep[given == k] = True
    return keep.astype(float)

def half(q, given):
    "1 where the label is more likely right than wrong"
    keep = of_given(q, given) > .5
    for k in range(10):
        if not keep[given == k].any(): keep[given == k] = True
    return keep.astype(float)

def run(make, seed, few=False):
    "Accuracy of each rule (%), and what the noise model says"
    x, xv, y, yv, given, build, epochs, lr = make(seed)
    sit, hard, out = (build, epochs, lr), onehot(given), {}
    def accuracy(target=hard, w=None, **kw):
        return 100*(probs_of(train(sit, x, target, seed*100+50, w, **kw), xv).argmax(1) == yv).mean()
    out = {'right labels (1)': accuracy(onehot(y)), 'given labels (1)': accuracy(), 'EarlyLearning (1)': accuracy(elr=True),
           'generalised cross entropy (1)': accuracy(loss=robust)}
    first = out_of_fold(sit, x, given, seed)
    q, likely, tau = noise_model(first, given)
    right, keeps = of_given(q, given), contradicted(first, given)
    many = (1-right)[keeps == 0].mean() > .5 if (keeps == 0).any() else False
    facts = dict(wrong=100*(given != y).mean(), contradicted=100*(keeps == 0).mean(), many=float(many))
    rounds = {'plain folds': first, 'ELR folds': out_of_fold(sit, x, given, seed, elr=True)}
    if not few:
        rounds |= {'contradicted out': out_of_fold(sit, x, given, seed, keeps), 'unlikely out': out_of_fold(sit, x, given, seed, half(q, given))}
        rounds['both folds'] = (rounds['plain folds'] + rounds['ELR folds'])/2
    for name,p in rounds.items():
        n = 6 if name in ('plain folds','ELR folds') else 11
        qq, fit, tau = noise_model(p, given)
        conf, post = of_given(p, given), of_given(qq, given)
        facts |= {f'{name}: estimated': 100*(1-post).mean(), f'{name}: likelihood': fit, f'{name}: tau': tau,
                  f'{name}: model right': 100*(p.argmax(1) == y).mean(), f'{name}: model right, estimated': 100*qq[np.arange(len(qq)),p.argmax(1)].mean()}
        ways = {'confidence': conf, 'posterior': post, 'unlikely left out': half(qq, given)}
        if 'folds' in name: ways |= {'posterior²': post**2, 'root of confidence × posterior': np.sqrt(conf*post)}
        for way,w in ways.items():
            out[f'{name}: {way} ({n})'] = accuracy(w=w)
            if name == 'ELR folds': out[f'{name}: {way} + ELR ({n})'] = accuracy(w=w, elr=True)
        if 'folds' in name: out[f'{name}: posterior as soft label ({n})'] = accuracy(torch.tensor(qq, dtype=torch.float32))
    switched = 'contradicted out' if many else 'unlikely out'
    for o in [o for o in out if o.startswith(switched)]: out[o.replace(switched, 'switch')] = out[o]
    elr = facts['ELR folds: likelihood'] > facts['plain folds: likelihood']
    out['the likelier folds: given labels, + ELR if its are (11)'] = out['EarlyLearning (1)' if elr else 'given labels (1)']
    for way in ('confidence','posterior','posterior²','root of confidence × posterior','unlikely left out','posterior as soft label'):
        out[f'the likelier folds: {way} (11)'] = out[f"{'ELR' if elr else 'plain'} folds: {way} (6)"]
        if 'soft' in way: continue
        out[f'the likelier folds: {way}, + ELR if its are (11)'] = out[f'ELR folds: {way} + ELR (6)' if elr else f'plain folds: {way} (6)']
    out["the post's recipe: 70 to 30 (6)"] = accuracy(.7*hard + .3*torch.tensor(first, dtype=torch.float32))
    if few: return out, facts
    p2 = rounds['contradicted out']
    out['contradicted left out, given labels (11)'] = accuracy(w=contradicted(p2, given))
    out['contradicted left out, 70 to 30 (11)'] = accuracy(.7*hard + .3*torch.tensor(p2, dtype=torch.float32), contradicted(p2, given))
    return out, facts

def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--features', required=True)
    parser.add_argument('--csv', required=True)
    parser.add_argument('--valid', action='store_true')
    parser.add_argument('--seeds', type=int, default=5)
    parser.add_argument('--only', default='', help='situations whose name begins so')
    parser.add_argument('--few', action='store_true', help='only rules after one round of folds, at half the cost')
    parser.add_argument('--peers', action='store_true', help="symmetric cross entropy and cleanlab's CleanLearning instead, in the exam (`results/rules_peers.csv`)")
    parser.add_argument('--out', default=None)
    args = parser.parse_args()
    torch.set_num_threads(1)
    args.valid |= args.peers
    name = 'rules_peers' if args.peers else 'rules_valid' if args.valid else 'rules'
    file = Path(args.out or Path(__file__).parent/f'results/{name}.csv')
    done = pd.read_csv(file) if file.exists() else pd.DataFrame(columns=['situation','seed','rule','accuracy'])
    have = set(zip(done.situation, done.seed))
    for seed,(name,make) in itertools.product(range(args.seeds), situations(args)):
        if (name,seed) in have or not name.startswith(args.only): continue
        out, facts = run_peers(make, seed) if args.peers else run(make, seed, args.few)
        rows = [dict(situation=name, seed=seed, rule=k, accuracy=round(v, 2)) for k,v in out.items()]
        rows += [dict(situation=name, seed=seed, rule=f'fact: {k}', accuracy=round(float(v), 4)) for k,v in facts.items()]
        pd.DataFrame(rows).to_csv(file, mode='a', header=not file.exists(), index=False)
        print(name, seed, {k: round(v, 1) for k,v in (facts | out).items()}, flush=True)

if __name__ == '__main__': main()
