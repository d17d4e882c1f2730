"""Wrong labels: the labels as they are, the forum post's recipe, what was this chapter's rule before, early-learning regularisation, and
`clean`, at the three published shares of wrong labels and with none. The labels of the validation images are right. Where a whole network
is fine-tuned (`--images`), the post's recipe has its own two folds, what takes a second round of folds is left out, and all labels right
means given labels with none wrong."""
from photo_features import *
from softlabel_nbdev.crossfold import EarlyLearning, SoftLabels, blend, clean, crossfold
from softlabel_nbdev.losses import SoftCrossEntropy

EPOCHS = 12

def run_noise(df, x, noise, seed):
    "Rows of results: accuracy of each method (%), and CPU seconds, those of its folds included"
    df, images = df.assign(given=df[f'noisy_labels_{noise}'] if noise else df.label), isinstance(x, Images)
    def make_learner(part): return learner(feature_dls(part, x, 'given'))
    def fold(learn): fit(learn, EPOCHS)
    def folds(**kwargs):
        start = time.process_time()
        return crossfold(df, make_learner, fold, y='given', seed=seed, **kwargs), time.process_time()-start
    def score(method, secs=0., trainings=1, label='given', **kwargs):
        start = time.process_time()
        dls = feature_dls(df.assign(label=df[label].where(~df.is_valid, df.label)), x)
        probs,targs = predict(train(dls, seed, EPOCHS, **kwargs))
        return dict(noise=noise, seed=seed, method=method, trainings=trainings, seconds=secs+time.process_time()-start,
                    accuracy=100*(probs.argmax(1)==targs).float().mean().item())
    def soft(table): return dict(loss_func=SoftCrossEntropy(), cbs=SoftLabels(table))
    yield score('given labels')
    if images and noise == 0: return
    yield score('EarlyLearning', cbs=EarlyLearning())
    if images:
        two,secs = folds(n_splits=2)
        yield score("the post's recipe", secs, 3, **soft(blend(two, hard=True)))
    (oof,one),(early,other) = folds(), folds(cbs=EarlyLearning())
    judged = dict(wrong=100*(oof.label != df.set_index('fname').label[oof.index]).mean(), estimated=100*(1-clean(oof, early).right.mean()),
                  model_right=100*(oof.likeliest == df.set_index('fname').label[oof.index]).mean())
    yield score('clean', one+other, 11, cbs=clean(oof, early).cbs) | judged
    yield score('clean, plain folds only', one, 6, cbs=clean(oof).cbs) | judged
    if not images:
        yield score("the post's recipe", one, 6, **soft(blend(oof, hard=True)))
        again,more = folds(without=oof.likeliest != oof.label)
        yield score('contradicted left out, twice', one+more, 11, **soft(blend(again, leave_out=True)))
        yield score('all labels right', label='label')

def run(df, x, seed, choose):
    "Rows of results, one by one, at each share of wrong labels, in %"
    for noise in (25,0,50,5): yield from run_noise(split(df, seed, choose), x, noise, seed)

def main(): experiment('crossfold', run, __doc__, note='noise: wrong labels, %; wrong: among these images; estimated: by the noise model, %; model_right: out of fold, %')
