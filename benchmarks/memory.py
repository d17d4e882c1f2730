"""Peak memory of a process: importing the library against `fastai.vision.all`, and short trainings of the digits CNN with each technique
against the same training without it; of three processes the smallest, since the same program's peak differs by hundreds of MB
from one process to the next. What thresholds take is in thresholds.csv, and what the class rectification loss keeps, in crl.csv."""
from common import main, peak_mb, row

begin = """
import torch; torch.set_num_threads(1)
from fastai.vision.all import *
from softlabel_nbdev.all import *
from softlabel_nbdev.data import *
set_seed(0)
df = digits()
counts = df.label[~df.is_valid].value_counts().sort_index().tolist()
soft = pd.get_dummies(df.set_index('fname').label).astype('float32')
agreement = pd.Series(np.linspace(.2, 1, len(df)), df.fname)
def fit(**kwargs):
    learn = Learner(digits_dls(df), digit_cnn(10), **kwargs)
    with learn.no_bar(), learn.no_logging(): learn.fit_one_cycle(2, 1e-2)
    return learn
def untrained(df): return Learner(digits_dls(df), digit_cnn(10))
def two_epochs(learn): learn.fit_one_cycle(2, 1e-2)
def fold(df):
    learn = untrained(df)
    with learn.no_bar(), learn.no_logging(): two_epochs(learn)
    return learn
"""
techniques = {
    'ImageWeights': 'fit(cbs=ImageWeights(agreement))',
    'Curriculum': 'fit(cbs=Curriculum(agreement, .8, .2, 1))',
    'SoftLabels': 'fit(cbs=SoftLabels(soft), loss_func=SoftCrossEntropy())',
    'MatrixCrossEntropy': "fit(loss_func=MatrixCrossEntropy(soft_targets(cost_matrix(list('0123456789'), int))))",
    'ClassRectificationLoss': 'fit(loss_func=ClassRectificationLoss(counts))'}
bare = """
from softlabel_nbdev.folds import folds
df = df.drop(columns='is_valid')
part = folds(df.label, 3)
for f in range(3):
    learn = fold(df.assign(is_valid=part==f))
    with learn.no_bar(): learn.get_preds()
"""
crossfolded = "crossfold(df.drop(columns='is_valid'), untrained, two_epochs, n_splits=3)"

def rows(quick=False):
    def smallest(code): return min(peak_mb(code) for _ in range(1 if quick else 3))
    yield row('import softlabel_nbdev.all', 'against fastai.vision.all', smallest('import softlabel_nbdev.all'), smallest('import fastai.vision.all'), 'MB')
    plain = smallest(begin+'fit()')
    for name,code in list(techniques.items())[:1 if quick else None]:
        yield row(name, 'digits CNN, two epochs, against no technique', smallest(begin+code), plain, 'MB')
    if not quick: yield row('crossfold', 'three folds, against the bare fits', smallest(begin+crossfolded), smallest(begin+bare), 'MB')

if __name__ == '__main__': main(rows, __file__)
