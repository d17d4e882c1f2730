"""Soft labels from out-of-fold predictions, at the three published shares of wrong labels and with none: the labels as they are, label
smoothing, the forum post's recipe, confidence as a weight, and what chapter 5 offers. The labels of the validation images are right."""
import tempfile
from photo_features import *
from sklearn.metrics import average_precision_score
from softlabel_nbdev.crossfold import SoftLabels, blend, crossfold
from softlabel_nbdev.issues import label_issues
from softlabel_nbdev.losses import SoftCrossEntropy
from softlabel_nbdev.weights import ImageWeights

EPOCHS = 20

def folds_of(df, x, seed):
    "Out-of-fold probabilities of one round and of two, and the CPU seconds of each"
    def make_learner(part): return train(feature_dls(part, x, 'given'), seed, EPOCHS)
    oofs, secs = [], []
    with tempfile.TemporaryDirectory() as tmp:
        for rounds in (1,2):
            start = time.process_time()
            oofs.append(crossfold(df, make_learner, y='given', rounds=rounds, seed=seed, save=tmp))
            secs.append(sum(secs) + time.process_time()-start)
    return oofs, secs

def run_noise(df, x, noise, seed):
    "Rows of results: accuracy of each method and average precision of each ranking (%), and CPU seconds"
    df, rows = df.assign(given=df[f'noisy_labels_{noise}'] if noise else df.label), []
    (one,two),secs = folds_of(df, x, seed)
    part = df[~df.is_valid].set_index('fname')
    labels, given, wrong = part.given, one.label, (part.given != part.label).values
    confidence = pd.Series([one.at[i,c] for i,c in given.items()], given.index)
    def score(method, secs=0., **kwargs):
        start = time.process_time()
        dls = feature_dls(df.assign(label=df.given.where(~df.is_valid, df.label)), x)
        probs,targs = predict(train(dls, seed, EPOCHS, **kwargs))
        rows.append(dict(noise=noise, seed=seed, method=method, accuracy=100*(probs.argmax(1)==targs).float().mean().item(),
                         seconds=secs+time.process_time()-start))
    def soft(oof, *args, **kwargs): return dict(loss_func=SoftCrossEntropy(), cbs=SoftLabels(blend(labels, oof, *args, **kwargs)))
    score('given labels' if noise else 'all labels right')
    if noise: score('label smoothing', loss_func=LabelSmoothingCrossEntropy())
    score("the post's recipe", secs[0], **soft(one, .7, hard=True, leave_out=False))
    if noise: score('confidence as weight', secs[0], cbs=ImageWeights(confidence, normalize=False))
    score('leave out the contradicted', secs[0], **soft(one, 1.))
    if noise: score('two rounds, leave out', secs[1], **soft(two, 1.))
    score('ours', secs[1], **soft(two))
    for r,oof in enumerate((one,two), 1):
        ap = average_precision_score(wrong, -label_issues(oof).quality[part.index].values) if wrong.any() else np.nan
        rows.append(dict(noise=noise, seed=seed, method=f'ranking, {r} rounds', accuracy=100*ap, seconds=secs[r-1]))
    return rows

def run(df, x, seed, choose):
    "Rows of results at each share of wrong labels, in %"
    return [row for noise in (5,25,50,0) for row in run_noise(split(df, seed, choose), x, noise, seed)]

def main(): experiment('crossfold', run, __doc__, note='noise: wrong labels, %; accuracy: of the ranking rows, average precision of finding the wrong labels')
