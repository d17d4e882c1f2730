"""What crossfold adds to its fold trainings: its time against that of the fits and predictions within it, of the worker that has most of
them. Measured inside one run, because two runs of the same fits differ by more than what is asked for. CPU seconds for one worker,
seconds by the clock for two, which were started beforehand."""
import os, tempfile, time
from fastai.vision.all import *
from joblib import Parallel, delayed
from common import main, rows_of
from softlabel_nbdev.course import quiet_fit
from softlabel_nbdev.crossfold import crossfold
from softlabel_nbdev.data import digit_cnn, digits, digits_dls

def timed(ticks, clock, f):
    "What `f` returns; the seconds it took go to this process's file in the folder `ticks`"
    start = clock()
    res = f()
    with open(ticks/str(os.getpid()), 'a') as file: file.write(f'{clock()-start}\n')
    return res

class TimedLearner(Learner):
    def get_preds(self, **kwargs): return timed(self.ticks, self.clock, partial(super().get_preds, **kwargs))

def make_learner(df, ticks, clock):
    learn = TimedLearner(digits_dls(df, dl_type=TfmdDL), digit_cnn(10))   # items made anew, as photographs are
    learn.ticks, learn.clock = ticks, clock
    return learn

def fit(learn): timed(learn.ticks, learn.clock, lambda: quiet_fit(learn, 8))

def seconds(df, n_splits, n_jobs):
    "Seconds of the fits and predictions of one crossfold, and of all of it"
    clock = time.process_time if n_jobs == 1 else time.perf_counter
    with tempfile.TemporaryDirectory() as save, tempfile.TemporaryDirectory() as ticks:
        start = clock()
        crossfold(df, partial(make_learner, ticks=Path(ticks), clock=clock), fit, n_splits=n_splits, save=save, n_jobs=n_jobs)
        total = clock()-start
        return {'fits': max(sum(map(float, o.read_text().split())) for o in Path(ticks).iterdir()), 'crossfold': total}

def rows(quick=False):
    df, n = digits().drop(columns='is_valid'), 2 if quick else 4
    for n_jobs in (1,2):
        Parallel(n_jobs)(delayed(digit_cnn)(10) for _ in range(n_jobs))   # starts the workers
        times = pd.DataFrame([seconds(df, n, n_jobs) for _ in range(1 if quick else 5)])
        yield from rows_of(times, f'{n} folds, {n_jobs} worker{"s"*(n_jobs > 1)}, against its fits', {'crossfold': 1.03}, unit='s', scale=1)

if __name__ == '__main__': main(rows, __file__)
