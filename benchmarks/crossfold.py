"""What crossfold adds to the bare fold trainings: `python benchmarks/crossfold.py`.

The bare loop trains and predicts the same folds, by hand. CPU seconds for one worker, as they don't depend on what else the
machine does; seconds by the clock for two, where folds train side by side in processes of their own. Ratios are the medians
over repeats, in turns.
"""
import argparse, os, tempfile, time
from pathlib import Path
from fastai.vision.all import *
from joblib import Parallel, delayed
from softlabel_nbdev.course import quiet_fit
from softlabel_nbdev.crossfold import crossfold
from softlabel_nbdev.data import digit_cnn, digits, digits_dls
from softlabel_nbdev.folds import folds

def make_learner(df): return quiet_fit(Learner(digits_dls(df), digit_cnn(10)), int(os.environ.get('EPOCHS', 8)))

def bare_fold(df):
    learn = make_learner(df)
    with learn.no_bar(), learn.no_logging(): return learn.get_preds()[0]

def bare(df, n_jobs, n_splits):
    fold = folds(df.label, n_splits)
    return Parallel(n_jobs)(delayed(bare_fold)(df.assign(is_valid=fold==f)) for f in range(n_splits))

def ours(df, n_jobs, n_splits):
    with tempfile.TemporaryDirectory() as save: return crossfold(df, make_learner, n_splits, rounds=1, save=save, n_jobs=n_jobs)

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--repeats', type=int, default=5)
    parser.add_argument('--n_splits', type=int, default=5)
    parser.add_argument('--workers', type=int, nargs='+', default=(1,2))
    parser.add_argument('--out', default=Path(__file__).parent/'results/crossfold.csv')
    args = parser.parse_args()
    df, rows = digits().drop(columns='is_valid'), []
    for n_jobs in args.workers:
        clock = time.process_time if n_jobs == 1 else time.perf_counter
        for f in (bare, ours): f(df, n_jobs, args.n_splits)   # start the workers, fill the caches
        for repeat in range(args.repeats):
            for f in (bare, ours) if repeat % 2 else (ours, bare):
                start = clock()
                f(df, n_jobs, args.n_splits)
                rows.append(dict(workers=n_jobs, repeat=repeat, what=f.__name__, seconds=clock() - start))
    runs = pd.DataFrame(rows).round(3)
    runs.to_csv(args.out, index=False)
    table = runs.pivot_table(index=['workers','repeat'], columns='what', values='seconds')
    ratio = (table.ours/table.bare).groupby('workers').median()
    for n,r in ratio.items(): print(f'{n} worker{"s"*(n > 1)}: crossfold / bare fold trainings = {r:.3f}')

if __name__ == '__main__': main()
