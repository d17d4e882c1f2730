"""What crossfold adds to the bare fold trainings.

The bare loop trains and predicts the same folds, by hand. CPU seconds for one worker, as they don't depend on what else the
machine does; seconds by the clock for two, where folds train side by side in processes of their own.
"""
import tempfile, time
from fastai.vision.all import *
from joblib import Parallel, delayed
from common import in_turns, main, rows_of
from softlabel_nbdev.course import quiet_fit
from softlabel_nbdev.crossfold import crossfold
from softlabel_nbdev.data import digit_cnn, digits, digits_dls
from softlabel_nbdev.folds import folds

def make_learner(df): return quiet_fit(Learner(digits_dls(df), digit_cnn(10)), 8)

def bare_fold(df):
    learn = make_learner(df)
    with learn.no_bar(), learn.no_logging(): return learn.get_preds()[0]

def rows(quick=False):
    df, n = digits().drop(columns='is_valid'), 2 if quick else 3
    fold = folds(df.label, n)
    for n_jobs in (1,2):
        def bare(): Parallel(n_jobs)(delayed(bare_fold)(df.assign(is_valid=fold==f)) for f in range(n))
        def ours():
            with tempfile.TemporaryDirectory() as save: crossfold(df, make_learner, n, rounds=1, save=save, n_jobs=n_jobs)
        times = in_turns({'bare fits': bare, 'crossfold': ours}, 1 if quick else 3, 0, time.process_time if n_jobs == 1 else time.perf_counter)
        yield from rows_of(times, f'{n} folds, {n_jobs} worker{"s"*(n_jobs > 1)}, against the bare fits', {'crossfold': 1.03}, unit='s', scale=1)

if __name__ == '__main__': main(rows, __file__)
