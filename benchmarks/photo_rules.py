"""What to do with an image whose label the folds doubt: the rule of `blend` beside finer ones, after two rounds of folds. For choosing a rule, so
on a fifth of the training images, held out with their right labels; no validation image is looked at."""
from photo_crossfold import *

def run_rules(df, x, noise, seed):
    "A row for each rule: accuracy on the images held out (%)"
    df = df.assign(given=df[f'noisy_labels_{noise}'])
    oof = folds_of(df, x, seed)[0][1]
    given = df[~df.is_valid].set_index('fname').given
    probs = oof.loc[given.index].drop(columns=['label','fold','row'])
    confidence = pd.Series([probs.at[i,c] for i,c in given.items()], given.index)
    contradicted = probs.idxmax(axis=1) != given
    mixed, hard = (blend(given, oof, w, leave_out=False) for w in (.7,1.))
    mended = mixed.mask(contradicted, probs)
    dls = feature_dls(df.assign(label=df.given.where(~df.is_valid, df.label)), x)
    rules = {'left out; mixed labels (blend)': (blend(given, oof), None),
             'left out; given labels': (blend(given, oof, 1.), None),
             'left out, the rest weighted; mixed labels': (blend(given, oof), confidence),
             'weighted by confidence; mixed labels': (mixed, confidence),
             'weighted by confidence; given labels': (hard, confidence),
             'contradicted weighted by confidence²; mixed labels': (mixed, (confidence**2).where(contradicted, 1.)),
             'contradicted get the predicted label': (mended, probs.max(axis=1).where(contradicted, 1.))}
    rows = []
    for rule,(soft,weights) in rules.items():
        cbs = [SoftLabels(soft)] + ([] if weights is None else [ImageWeights(weights, normalize=False)])
        probs,targs = predict(train(dls, seed, EPOCHS, loss_func=SoftCrossEntropy(), cbs=cbs))
        rows.append(dict(noise=noise, seed=seed, method=rule, accuracy=100*(probs.argmax(1)==targs).float().mean().item()))
    return rows

def run(df, x, seed, choose):
    "Rows of results at each published share of wrong labels, in %"
    return [row for noise in (5,25,50) for row in run_rules(split(df, seed, True), x, noise, seed)]

def main(): experiment('rules', run, __doc__, note='noise: wrong labels, %; accuracy on a fifth of the training images, held out')
