"""Peak memory of a process: importing the library against `fastai.vision.all`, and short trainings of the digits CNN with each technique
against the same training without it. What thresholds take is in thresholds.csv, and what the class rectification loss keeps, in crl.csv."""
from common import main, peak_mb, row

begin = """
import torch; torch.set_num_threads(1)
from fastai.vision.all import *
from softlabel_nbdev.all import *
from softlabel_nbdev.data import *
set_seed(0)
df = digits()
counts = df.label[~df.is_valid].value_counts().sort_index()
soft = pd.get_dummies(df.set_index('fname').label).astype('float32')
agreement = pd.Series(np.linspace(.2, 1, len(df)), df.fname)
def fit(**kwargs):
    learn = Learner(digits_dls(df), digit_cnn(10), **kwargs)
    with learn.no_bar(), learn.no_logging(): learn.fit_one_cycle(2, 1e-2)
    return learn
def fold(df):
    learn = Learner(digits_dls(df), digit_cnn(10))
    with learn.no_bar(), learn.no_logging(): learn.fit_one_cycle(2, 1e-2)
    return learn
"""
techniques = {
    'ImageWeights': 'fit(cbs=ImageWeights(agreement))',
    'Curriculum': 'fit(cbs=Curriculum(agreement, .8, .2, 1))',
    'SoftLabels': 'fit(cbs=SoftLabels(soft), loss_func=SoftCrossEntropy())',
    'MatrixCrossEntropy': "fit(loss_func=MatrixCrossEntropy(soft_targets(cost_matrix(list('0123456789'), int))))",
    'ClassRectificationLoss': 'fit(loss_func=ClassRectificationLoss(counts))'}
bare = "for part in folds(df.label, 3).unique(): fold(df.assign(is_valid=folds(df.label, 3)==part)).get_preds()"
crossfolded = "import tempfile\nwith tempfile.TemporaryDirectory() as d: crossfold(df.drop(columns='is_valid'), fold, n_splits=3, rounds=1, save=d)"

def rows(quick=False):
    yield row('import softlabel_nbdev.all', 'against fastai.vision.all', peak_mb('import softlabel_nbdev.all'), peak_mb('import fastai.vision.all'), 'MB')
    plain = peak_mb(begin+'fit()')
    for name,code in list(techniques.items())[:1 if quick else None]:
        yield row(name, 'digits CNN, two epochs, against no technique', peak_mb(begin+code), plain, 'MB')
    if not quick: yield row('crossfold', 'three folds, against the bare fits', peak_mb(begin+crossfolded), peak_mb(begin+bare), 'MB')

if __name__ == '__main__': main(rows, __file__)
