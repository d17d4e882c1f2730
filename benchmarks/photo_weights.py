"""Five simulated annotators of the ten breeds, right 80, 70, 60, 50 and 40 % of the time, who take a breed for one that looks like
it: what to do with their votes? The labels of the validation images are right."""
from photo_features import *
from softlabel_nbdev.crossfold import SoftLabels, crossfold
from softlabel_nbdev.data import annotate
from softlabel_nbdev.losses import SoftCrossEntropy
from softlabel_nbdev.names import relabel
from softlabel_nbdev.weights import Curriculum, ImageWeights, consensus

EPOCHS = 8
skills = [.8,.7,.6,.5,.4]
look_alikes = {'Australian terrier': ['Border terrier','Shih-Tzu'], 'Border terrier': ['Australian terrier','Shih-Tzu'],
    'Beagle': ['English foxhound','Rhodesian ridgeback'], 'English foxhound': ['Beagle','Rhodesian ridgeback'],
    'Rhodesian ridgeback': ['English foxhound','Dingo'], 'Dingo': ['Rhodesian ridgeback','Golden retriever'],
    'Golden retriever': ['Dingo','Rhodesian ridgeback'], 'Samoyed': ['Old English sheepdog','Golden retriever'],
    'Old English sheepdog': ['Shih-Tzu','Samoyed'], 'Shih-Tzu': ['Australian terrier','Old English sheepdog']}

def out_of_fold(df, x, seed, epochs=EPOCHS):
    "Probabilities for each training image of `df` from heads that were trained on the others, by file name"
    vocab = sorted(df.label.unique())
    def make_learner(part): return learner(feature_dls(part, x, vocab=vocab))
    def fold(learn): fit(learn, epochs)
    return crossfold(df, make_learner, fold, seed=seed, fewer_splits=True).probs[vocab]

def setups(df, x, seed):
    "For each method the labels it trains on, by file name, its callback and its loss"
    right, vocab = df[~df.is_valid].set_index('fname').label, sorted(df.label.unique())
    votes = annotate(right, skills, seed=seed, confusion=look_alikes)
    mv = consensus(votes, vocab, method='majority')
    start = time.process_time()
    oof = out_of_fold(relabel(df, mv.label), x, seed)
    secs = time.process_time()-start
    cl = consensus(votes, vocab, pred_probs=oof)
    ds = consensus(votes, vocab, method='dawid_skene')
    soft = dict(loss_func=SoftCrossEntropy())
    return {'majority': (mv.label, {}, 0),
            'threshold, 3 of 5 votes': (mv.label[mv.agreement>.5], {}, 0),
            'weight = agreement': (mv.label, dict(cbs=ImageWeights(mv.agreement)), 0),
            'weight = agreement²': (mv.label, dict(cbs=ImageWeights(mv.agreement**2)), 0),
            'curriculum': (mv.label, dict(cbs=Curriculum(mv.agreement, .8, .2, 5)), 0),
            'soft labels from votes': (mv.label, dict(cbs=SoftLabels(mv.probs), **soft), 0),
            'Dawid–Skene labels': (ds.label, {}, 0),
            'weight = Dawid–Skene quality': (ds.label, dict(cbs=ImageWeights(ds.quality)), 0),
            'CROWDLAB labels': (cl.label, {}, secs),
            'weight = CROWDLAB quality': (cl.label, dict(cbs=ImageWeights(cl.quality)), secs),
            'right labels': (right, {}, 0)}

def run(df, x, seed, choose):
    "A row for each method: accuracy on right labels (%), its training labels right (%), CPU seconds"
    df, rows = split(df, seed, choose), []
    right = df.set_index('fname').label
    for method,(labels,kwargs,secs) in setups(df, x, seed).items():
        part = df[df.is_valid | df.fname.isin(labels.index)]
        dls = feature_dls(relabel(part, labels), x)
        start = time.process_time()
        probs,targs = predict(train(dls, seed, EPOCHS, **kwargs))
        rows.append(dict(method=method, seed=seed, accuracy=100*(probs.argmax(1)==targs).float().mean().item(), images=len(labels),
                         right=100*(labels==right[labels.index]).mean(), seconds=secs+time.process_time()-start))
    return rows

def main(): experiment('weights', run, __doc__, note='accuracy and training labels right in %; seconds of CPU time, with the five folds where they are used')
