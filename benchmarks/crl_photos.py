"""Chapter 6's experiment on photographs: a head on features of Imagewoof's images, whose training part gets a long tail.

Takes an `.npz` file with `features` [n,d] and `path` [n], from any network, and the published `noisy_imagewoof.csv` (its clean
labels and its split), and writes nbs/results/06_crl_photos.csv.   python benchmarks/crl_photos.py FEATURES CSV
"""
import argparse, time
from pathlib import Path
from fastai.vision.all import *
from softlabel_nbdev.crl import ClassRectificationLoss, HookFeatures
from softlabel_nbdev.data import long_tail

def read(features, csv):
    "Table of the images, and their features scaled by the training part's mean and deviation `[n,d]`"
    z, df = np.load(features), pd.read_csv(csv)
    df['row'] = pd.Series(np.arange(len(z['path'])), index=z['path'])[df.path].values
    x = torch.tensor(z['features'], dtype=torch.float32)
    train = x[df.row[~df.is_valid].values]
    return df.rename(columns={'noisy_labels_0': 'label'}), (x-train.mean())/train.std()

def methods(n, eta):
    "Loss of each method for training counts `n` `[c]`"
    weighted = CrossEntropyLossFlat(weight=(n.sum()/(len(n)*n)).float())
    crl = partial(ClassRectificationLoss, n, eta=eta)
    return {'cross entropy': CrossEntropyLossFlat(), 'class weights': weighted, 'CRL class relative': crl(),
            'CRL instance relative': crl(mining='instance'), 'CRL on class weights': crl(base=weighted)}

def run(df, x, ratio, seed, eta, epochs=20):
    "A row for each method: balanced accuracy, recall of the classes in the minority and of the others, and seconds"
    vocab, rows = sorted(df.label.unique()), []
    kept = df.loc[long_tail(df.label[~df.is_valid], ratio, seed).index]
    def dataset(part): return list(zip(x[part.row.values], torch.tensor(part.label.map(vocab.index).values)))
    train, valid = dataset(kept), dataset(df[df.is_valid])
    n = torch.tensor([(kept.label==v).sum() for v in vocab])
    smallest = n.sort().values.cumsum(0) <= .5*n.sum()
    small = torch.zeros(len(n), dtype=bool).scatter(0, n.argsort(), smallest)
    for name,loss in methods(n, eta).items():
        with no_random(seed):
            dl = DataLoader(train, bs=128, shuffle=True, num_workers=0)
            model = nn.Sequential(nn.Linear(x.shape[1], 256), nn.ReLU(), nn.Dropout(.25), nn.Linear(256, len(vocab)))
            cbs = [HookFeatures(model[1])] if 'instance' in name else []
            learn = Learner(DataLoaders(dl, DataLoader(valid, bs=1024, num_workers=0)), model, loss_func=loss, cbs=cbs)
            start = time.time()
            with learn.no_bar(), learn.no_logging(): learn.fit_one_cycle(epochs, 2e-3)
            secs = time.time()-start
        with learn.no_bar(): probs, targs = learn.get_preds(act=noop)
        recall = torch.stack([(probs.argmax(1)[targs==c]==c).float().mean() for c in range(len(vocab))])*100
        rows.append(dict(method=name, ratio=ratio, seed=seed, images=len(train), seconds=round(secs, 2), balanced=recall.mean().item(),
                         minority=recall[small].mean().item(), majority=recall[~small].mean().item()))
        print(rows[-1], flush=True)
    return rows

if __name__ == '__main__':
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument('features'); p.add_argument('csv')
    p.add_argument('--eta', type=float, default=.1)
    p.add_argument('--ratio', type=float, default=100)
    p.add_argument('--seeds', type=int, nargs='+', default=range(5))
    p.add_argument('--out', default=Path(__file__).parent.parent/'nbs/results/06_crl_photos.csv')
    a = p.parse_args()
    df, x = read(a.features, a.csv)
    runs = pd.DataFrame([row for seed in a.seeds for row in run(df, x, a.ratio, seed, a.eta)])
    runs.round(2).to_csv(a.out, index=False)
    print(runs.groupby('method', sort=False)[['balanced','minority','majority','seconds']].agg(['mean','std']).round(1).to_string())
