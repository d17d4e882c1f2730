"""Imagewoof's photographs as features, in `DataLoaders` that take a batch by its positions, for the experiments beside this file.
With `--images` instead of `--features`, the same experiments fine-tune a whole network (`photo_images.py`).

The features are an `.npz` file with `features` [n,d] and `path` [n], from any network and in any order; the labels are the published
`noisy_imagewoof.csv`. The head is one hidden layer of 512 with dropout .25. All the rest is fastai's and softlabel_nbdev's.
"""
import argparse, os, platform, time
import fastai, softlabel_nbdev
from pathlib import Path
from fastai.vision.all import *
from fastai.callback.data import WeightedDL
from softlabel_nbdev.course import mean_std, quiet_fit
from softlabel_nbdev.photos import photos
from photo_images import Images

class Rows:
    "Features, targets and names of images; positions, one or many, give their features and targets"
    def __init__(self, items, x, y, vocab): store_attr()
    def __len__(self): return len(self.items)
    def __getitem__(self, i): return self.x[i], self.y[i]

class RowsDL(TfmdDL):
    "An item is a position until the batch is made: a hundred times faster than item by item, and `ItemCallback` sees nothing unusual"
    def create_item(self, i): return i or 0
    def create_batch(self, idxs): return self.dataset[idxs]
    def retain(self, batch, idxs): return batch

class WeightedRowsDL(RowsDL, WeightedDL): "The same with images drawn by `wgts`"

def imagewoof(args):
    """DataFrame with `fname`, `label` (the right breed), `noisy_labels_5` … and `is_valid`, and the features of its rows `[n,d]`,
    standardised, or `Images`"""
    df = photos('imagewoof', path=Path(args.csv).parent)[1]
    if args.images: return df, Images(args.images, args.size, args.epochs)
    z = np.load(args.features)
    x = torch.tensor(z['features'], dtype=torch.float32)[pd.Series(np.arange(len(z['path'])), index=z['path'])[df.fname].values]
    train = x[~df.is_valid.values]
    x = (x-train.mean())/train.std()
    return df, x.cuda() if torch.cuda.is_available() else x

def split(df, seed, choose):
    "`df` with its own validation images; to `choose` settings, a fifth of the training images instead, and never the others"
    if not choose: return df
    df = df[~df.is_valid]
    return df.assign(is_valid=df.index.isin(df.groupby('label').sample(frac=.2, random_state=seed).index))

def few(df, per_class, seed):
    "`df` with `per_class` training images of each breed, or with all"
    if per_class is None: return df
    chosen = df[~df.is_valid].groupby('label').sample(per_class, random_state=seed)
    return df[df.is_valid | df.index.isin(chosen.index)]

def feature_dls(df, x, y='label', vocab=None, bs=128, wgts=None):
    "`DataLoaders` of the rows of `df`, with labels (one each, or a list) from column `y`; `wgts` for each training image draws them"
    vocab = sorted(df[y].unique()) if vocab is None else vocab
    if isinstance(x, Images): return x.dls(df, y, vocab, bs, wgts)
    def rows(part):
        if part[y].map(is_listy).all(): targs = torch.tensor([[float(c in o) for c in vocab] for o in part[y]])
        else: targs = torch.tensor(pd.Categorical(part[y], vocab).codes.astype(np.int64))
        return Rows(part.fname.tolist(), x[part.index.values], targs.to(x.device), vocab)
    train, valid = rows(df[~df.is_valid]), rows(df[df.is_valid])
    kwargs = dict(bs=min(bs, len(train)), shuffle=True, drop_last=True, num_workers=0, device=x.device)
    train_dl = RowsDL(train, **kwargs) if wgts is None else WeightedRowsDL(train, wgts=wgts, **kwargs)
    return DataLoaders(train_dl, RowsDL(valid, bs=1024, num_workers=0, device=x.device))

class Head(nn.Sequential):
    "One hidden layer of 512 on `d` features, in bfloat16"
    def __init__(self, d, c): super().__init__(nn.Linear(d,512), nn.ReLU(), nn.Dropout(.25), nn.Linear(512,c))
    def forward(self, x):
        with torch.autocast(x.device.type, torch.bfloat16): return super().forward(x).float()

class NoValidation(Callback):
    "Leaves out the validation of each epoch, whose numbers nobody reads"
    def before_validate(self): raise CancelValidException()

def learner(dls, loss_func=None, cbs=None):
    "An untrained `Learner` for `dls`"
    loss_func = loss_func or CrossEntropyLossFlat()
    if isinstance(getattr(dls, 'images', None), Images): return dls.images.untrained(dls, loss_func, cbs)
    model = Head(dls.train_ds.x.shape[1], len(dls.vocab)).to(dls.device)
    return Learner(dls, model, loss_func=loss_func, opt_func=partial(OptimWrapper, opt=torch.optim.AdamW), cbs=cbs)

def fit(learn, epochs, lr=2e-3):
    "Train what `learner` made"
    with learn.added_cbs(NoValidation()):
        if hasattr(learn.dls, 'images'): learn.dls.images.fit(learn)
        else: quiet_fit(learn, epochs, lr)
    return learn

def train(dls, seed, epochs, loss_func=None, cbs=None, lr=2e-3):
    "A trained `Learner` for `dls`; the same seed gives the same weights, order of images and dropout"
    dls.train.rng.seed(seed)
    with no_random(seed): return fit(learner(dls, loss_func, cbs), epochs, lr)

def predict(learn):
    "Probabilities `[n,c]` of the validation images, and their targets"
    with learn.no_bar(): return learn.get_preds()

def save(rows, args, began, note=''):
    "Write `rows` to `results/`, under what is needed to make them again"
    versions = dict(python=platform.python_version(), torch=torch.__version__, fastai=fastai.__version__, softlabel_nbdev=softlabel_nbdev.__version__)
    where = f'{torch.cuda.get_device_name()}' if torch.cuda.is_available() else f'CPU, {os.cpu_count()} cores, {torch.get_num_threads()} used'
    df = pd.DataFrame(rows)
    args.out.parent.mkdir(exist_ok=True)
    with open(args.out, 'w') as f:
        f.write(f'# {args.shown}\n'
                f"# {', '.join(f'{k} {v}' for k,v in versions.items())}; {where}; {time.process_time()-began:.0f} s of CPU time in all\n")
        f.write(f'# {note}\n' if note else '')
        df.round(4).to_csv(f, index=False)

def experiment(name, run, doc, seeds=5, note=''):
    "Read the command line of experiment `name`, do `run(df, x, seed, choose)` for each seed, and save and print its rows"
    p = argparse.ArgumentParser(description=doc)
    data = p.add_mutually_exclusive_group(required=True)
    data.add_argument('--features', help='.npz with features and path: train a head on them, in minutes on a CPU')
    data.add_argument('--images', help="folder of the photographs, as in fastai's archive: fine-tune a whole network on them, on a GPU")
    p.add_argument('--size', type=int, default=128, help='with --images: pixels of a side')
    p.add_argument('--epochs', type=int, default=10, help="with --images: epochs after that of the head alone; the forum post's 10")
    p.add_argument('--per_class', type=int, help='training images of each breed; default: all')
    p.add_argument('--csv', required=True, help='the published noisy_imagewoof.csv')
    p.add_argument('--seeds', type=int, nargs='+', default=range(seeds))
    p.add_argument('--choose', action='store_true', help='validate on a fifth of the training images instead, to choose settings')
    p.add_argument('--out', type=Path, help=f'default: results/photos_{name}.csv, with --images results/images_{name}.csv')
    args, rows, began = p.parse_args(), [], time.process_time()
    args.out = args.out or Path(__file__).parent/f"results/{'images' if args.images else 'photos'}_{name}.csv"
    data = f'--images imagewoof2 --size {args.size} --epochs {args.epochs}' if args.images else '--features imagewoof2-features.npz'
    args.shown = f'python benchmarks/photos.py {name} {data} --csv noisy_imagewoof.csv{f" --per_class {args.per_class}" if args.per_class else ""} --seeds {" ".join(map(str, args.seeds))}'
    df, x = imagewoof(args)
    for seed in args.seeds:
        for row in run(few(df, args.per_class, seed), x, seed, args.choose):
            rows.append(row)
            print(row, flush=True)
            if not args.choose: save(rows, args, began, note)
    runs = pd.DataFrame(rows)
    by = [c for c in runs if not pd.api.types.is_numeric_dtype(runs[c])]
    print(mean_std(runs, by, [c for c in runs if c not in [*by,'seed']], decimals=2).to_string())
