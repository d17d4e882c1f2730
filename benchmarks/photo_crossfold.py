"""Wrong labels: the labels as they are, the forum post's recipe, what was this chapter's rule before, early-learning regularisation, and
`clean`, at the three published shares of wrong labels and with none. The labels of the validation images are right."""
from photo_features import *
from softlabel_nbdev.crossfold import EarlyLearning, SoftLabels, blend, clean, crossfold
from softlabel_nbdev.losses import SoftCrossEntropy

EPOCHS = 12

def run_noise(df, x, noise, seed):
    "Rows of results: accuracy of each method (%), and CPU seconds, those of its folds included"
    df, rows = df.assign(given=df[f'noisy_labels_{noise}'] if noise else df.label), []
    def make_learner(part): return learner(feature_dls(part, x, 'given'))
    def fold(learn): fit(learn, EPOCHS)
    def folds(**kwargs):
        start = time.process_time()
        return crossfold(df, make_learner, fold, y='given', seed=seed, **kwargs), time.process_time()-start
    def score(method, secs=0., trainings=1, label='given', **kwargs):
        start = time.process_time()
        dls = feature_dls(df.assign(label=df[label].where(~df.is_valid, df.label)), x)
        probs,targs = predict(train(dls, seed, EPOCHS, **kwargs))
        rows.append(dict(noise=noise, seed=seed, method=method, trainings=trainings, seconds=secs+time.process_time()-start,
                         accuracy=100*(probs.argmax(1)==targs).float().mean().item()))
    def soft(table): return dict(loss_func=SoftCrossEntropy(), cbs=SoftLabels(table))
    score('given labels')
    score('EarlyLearning', cbs=EarlyLearning())
    (oof,one),(early,other) = folds(), folds(cbs=EarlyLearning())
    score('clean', one+other, 11, cbs=clean(oof, early).cbs)
    score('clean, plain folds only', one, 6, cbs=clean(oof).cbs)
    score("the post's recipe", one, 6, **soft(blend(oof, hard=True)))
    contradicted = oof.likeliest != oof.label
    again,more = folds(without=contradicted)
    score('contradicted left out, twice', one+more, 11, **soft(blend(again, leave_out=True)))
    score('all labels right', label='label')
    for row in rows: row |= dict(wrong=100*(oof.label != df.set_index('fname').label[oof.index]).mean(), estimated=100*(1-clean(oof, early).right.mean()))
    return rows

def run(df, x, seed, choose):
    "Rows of results at each share of wrong labels, in %"
    return [row for noise in (25,5,50,0) for row in run_noise(split(df, seed, choose), x, noise, seed)]

def main(): experiment('crossfold', run, __doc__, note='noise: wrong labels, %; estimated: by the noise model, %')
