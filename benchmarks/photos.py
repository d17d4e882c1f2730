"""Experiments on the photographs that the documents use, one function each: `python benchmarks/photos.py NAME --help`.

`crossfold` trains a small head on features of Imagewoof's images: an `.npz` file with `features` [n,d] and `path` [n], from any
network, in any order, and the published `noisy_imagewoof.csv`. One hidden layer of 512, dropout .25, 20 epochs, in bfloat16.
"""
import argparse, tempfile, time
from pathlib import Path
from fastai.vision.all import *
from softlabel_nbdev.crossfold import blend, crossfold
from softlabel_nbdev.issues import label_issues
from sklearn.metrics import average_precision_score

class Features(DataLoader):
    "Batches of features `[bs,d]` with their targets, taken by index: as fast as a small head asks for"
    def __init__(self, df, x, y, vocab, shuffle=False):
        store_attr('x,y,vocab')
        super().__init__(dataset=df.row.values, bs=128, shuffle=shuffle, drop_last=shuffle, num_workers=0, device=x.device)
        self.items, self.rows = df, torch.tensor(df.row.values, device=x.device)
    def new(self, **kwargs): return self   # only asked of the validation batches, which are in order and complete
    def create_batches(self, samps):
        for i in chunked(list(samps), self.bs, drop_last=self.drop_last):
            i = torch.tensor(i, device=self.x.device)
            yield self.x[self.rows[i]], self.y[i]

def imagewoof_features(features, csv):
    "DataFrame of images and labels, and their features `[n,d]`"
    z, df = np.load(features), pd.read_csv(csv)
    df['row'] = pd.Series(np.arange(len(z['path'])), index=z['path'])[df.path].values
    x = torch.tensor(z['features'], dtype=torch.float32)
    train = x[df.row[~df.is_valid].values]
    return df, (x - train.mean())/train.std()

class Head(nn.Sequential):
    "One hidden layer of 512 on `d` features"
    def __init__(self, d, c): super().__init__(nn.Linear(d, 512), nn.ReLU(), nn.Dropout(.25), nn.Linear(512, c))
    def forward(self, x):
        with torch.autocast(x.device.type, torch.bfloat16): return super().forward(x).float()

def feature_learner(df, x, y, soft=None, **kwargs):
    "An untrained head on the labels in column `y`, or on `soft` ones; validation labels are from column `clean`, where `df` has it"
    vocab, train, valid = sorted(df[y].unique()), df[~df.is_valid], df[df.is_valid]
    def codes(labels): return torch.tensor(pd.Categorical(labels, vocab).codes.astype(np.int64), device=x.device)
    targets = codes(train[y]) if soft is None else torch.tensor(soft.loc[train.path, vocab].fillna(0).values, dtype=torch.float32, device=x.device)
    dls = DataLoaders(Features(train, x, targets, vocab, shuffle=True), Features(valid, x, codes(valid['clean' if 'clean' in df else y]), vocab))
    loss_func = CrossEntropyLossFlat() if soft is None else nn.CrossEntropyLoss()
    return Learner(dls, Head(x.shape[1], len(vocab)), metrics=accuracy, opt_func=partial(OptimWrapper, opt=torch.optim.AdamW),
                   **{'loss_func': loss_func, **kwargs})

def fit(learn, epochs=20):
    with learn.no_bar(), learn.no_logging(): learn.fit_one_cycle(epochs, 2e-3)
    return learn

def run_crossfold(df, x, noise, seed):
    "Rows of results: accuracy of each method, average precision of each ranking, and CPU time, for one noise level and seed"
    y, rows = f'noisy_labels_{noise}', []
    train, full = df[~df.is_valid], df.assign(clean=df.noisy_labels_0)
    wrong = (train[y] != train.noisy_labels_0).values
    def score(method, secs=0., frame=full, y=y, **kwargs):
        start = time.process_time()
        with no_random(seed): learn = fit(feature_learner(frame, x, y, **kwargs))
        with learn.no_bar(): acc = learn.validate()[1]
        rows.append(dict(noise=noise, seed=seed, method=method, accuracy=100*acc, seconds=secs + time.process_time() - start))
    def make_learner(part): return fit(feature_learner(part, x, y))
    oofs, secs = [], []
    with tempfile.TemporaryDirectory() as save:
        for rounds in (1,2):
            start = time.process_time()
            oofs.append(crossfold(train, make_learner, y=y, rounds=rounds, seed=seed, save=save))
            secs.append(time.process_time() - start)
    secs[1] += secs[0]
    labels, given = train.set_index('path')[y], train[y]
    confidence = oofs[0].to_numpy()[np.arange(len(train)), [oofs[0].columns.get_loc(o) for o in given]].astype(float)
    keep = dict(leave_out=False)
    if noise: score('given labels')
    if noise: score('label smoothing', loss_func=LabelSmoothingCrossEntropy())
    score("the post's recipe", secs[0], soft=blend(labels, oofs[0], .7, hard=True, **keep))
    if noise: score('confidence as weight', secs[0], soft=blend(labels, oofs[0], 1., **keep).mul(confidence, axis=0))
    score('leave out the contradicted', secs[0], soft=blend(labels, oofs[0], 1.))
    if noise: score('two rounds, leave out', secs[1], soft=blend(labels, oofs[1], 1.))
    score('ours', secs[1], soft=blend(labels, oofs[1]))
    if not noise: score('all labels right')
    for r,oof in enumerate(oofs, 1):
        issues = label_issues(oof)
        ap = average_precision_score(wrong, -issues.quality[train.path].values) if wrong.any() else np.nan
        rows.append(dict(noise=noise, seed=seed, method=f'ranking, {r} rounds', accuracy=100*ap, seconds=secs[r-1]))
    return rows

def main_crossfold(args):
    df, x = imagewoof_features(args.features, args.csv)
    if torch.cuda.is_available(): x = x.cuda()
    rows = []
    for seed in args.seeds:
        for noise in args.noise:
            rows += run_crossfold(df, x, noise, seed)
            print(pd.DataFrame(rows).query('noise==@noise and seed==@seed').round(2).to_string(index=False), flush=True)
            pd.DataFrame(rows).round(3).to_csv(args.out, index=False)

if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest='command', required=True)
    p = commands.add_parser('crossfold', help='soft labels from out-of-fold predictions, on features of Imagewoof')
    p.add_argument('--features', required=True, help='.npz with features and path')
    p.add_argument('--csv', required=True, help="the published noisy_imagewoof.csv")
    p.add_argument('--seeds', type=int, nargs='+', default=range(5))
    p.add_argument('--noise', type=int, nargs='+', default=(5,25,50,0), help='per cent of wrong labels')
    p.add_argument('--out', default=Path(__file__).parent/'results/photos_crossfold.csv')
    p.set_defaults(run=main_crossfold)
    args = parser.parse_args()
    args.run(args)
