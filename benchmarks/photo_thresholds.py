"""Eight of the ten breeds are known and learned one against rest with binary cross entropy; two are "none of these". Thresholds are
tuned on one half of the validation images and measured on the other."""
from photo_features import *
from sklearn.metrics import f1_score
from softlabel_nbdev.losses import SoftBCE
from softlabel_nbdev.thresholds import tune_abstention, tune_thresholds

EPOCHS = 8

def score(method, seed, targs, decided):
    "A row of results, in %: F1, `none` images given a name, images whose names are exactly right"
    y, d = to_np(targs).astype(bool), to_np(decided).astype(bool)
    none = ~y.any(1)
    return dict(method=method, seed=seed, f1_macro=100*f1_score(y, d, average='macro'), f1_micro=100*f1_score(y, d, average='micro'),
                false_alarms=100*d[none].any(1).mean(), found=100*(d&y)[~none].any(1).mean(), exact=100*(d==y).all(1).mean())

def run(df, x, seed, choose):
    "Rows of each way to decide, with the two strangers unseen in training, or among its images"
    df, rng, rows = split(df, seed, choose).reset_index(names='row'), np.random.default_rng(seed), []
    breeds = sorted(df.label.unique())
    strangers = rng.choice(breeds, 2, replace=False)
    known = [o for o in breeds if o not in strangers]
    df['names'] = [[] if o in strangers else [o] for o in df.label]
    df['tune'] = rng.permutation(len(df)) % 2 == 0
    for setting,part in (('unseen', df[df.is_valid | df.label.isin(known)]), ('seen', df)):
        part = part.set_index('row')
        learn = train(feature_dls(part, x, 'names', known), seed, EPOCHS, SoftBCE())
        probs,targs = predict(learn)
        tune = part[part.is_valid].tune.values
        each, one, micro = (tune_thresholds(probs[tune], targs[tune], vocab=known, n_boot=0, **o) for o in ({}, dict(per_class=False), dict(average='micro')))
        quiet = tune_thresholds(probs[tune], targs[tune], vocab=known, n_boot=0,
                                limits=dict(max_false_alarms=.01))
        ways = {'0.5': probs>.5, 'one threshold': one.apply(probs), 'a threshold per class': each.apply(probs),
                'per class, micro': micro.apply(probs), 'per class, 1 % false alarms each': quiet.apply(probs)}
        if setting=='unseen':
            p,names = predict(train(feature_dls(part, x, vocab=known), seed, EPOCHS, CrossEntropyLossFlat(ignore_index=-1)))
            answer = tune_abstention(p[tune], names[tune]).apply(p)
            ways['softmax, abstaining'] = F.one_hot(answer.clamp(min=0), len(known)).bool() & (answer>=0)[:,None]
            ways['softmax, always answering'] = F.one_hot(p.argmax(1), len(known)).bool()
        rows += [{'strangers': setting, **score(k, seed, targs[~tune], v[~tune])} for k,v in ways.items()]
    return rows

def main(): experiment('thresholds', run, __doc__, note='strangers: whether the two unknown breeds were among the training images; all metrics in %, on the half not tuned on')
