"""Three troubles at once: a long tail of breeds 20 to 1, labels from two annotators who are right 80 and 60 % of the time, and mistakes
of unequal cost. Each remedy alone, in pairs and all together: do the gains add? The labels of the validation images are right."""
from itertools import combinations
from photo_features import *
from photo_crl import tail_of
from photo_hierarchy import fci
from photo_weights import look_alikes, out_of_fold
from softlabel_nbdev.data import annotate
from softlabel_nbdev.hierarchy import ErrorCost, LeastCost, cost_matrix
from softlabel_nbdev.names import relabel
from softlabel_nbdev.weights import ImageWeights, consensus

EPOCHS, RATIO = 15, 20
remedies = ['votes','tail','cost']

def run(df, x, seed, choose):
    "A row for each set of remedies: balanced accuracy and recall of the five smallest classes (%), mean cost of an image, CPU seconds"
    df, rows = tail_of(split(df, seed, choose), seed, RATIO), []
    right, vocab = df[~df.is_valid].set_index('fname').label, sorted(df.label.unique())
    small = tensor(right.value_counts().reindex(vocab).values).argsort()[:5]
    cost = cost_matrix(vocab, fci)
    votes = annotate(right, [.8,.6], seed=seed, confusion=look_alikes)
    mv = consensus(votes, vocab, method='majority')
    start = time.process_time()
    cl = consensus(votes, vocab, pred_probs=out_of_fold(relabel(df, mv.label), x, seed, EPOCHS))
    secs = time.process_time()-start
    for on in [o for n in range(len(remedies)+1) for o in combinations(remedies, n)]:
        labels = cl.label if 'votes' in on else mv.label
        weights = cl.quality if 'votes' in on else pd.Series(1., labels.index)
        counts = labels.value_counts().reindex(vocab)
        if 'tail' in on: weights = weights/labels.map(counts).astype(float)
        loss_func = CrossEntropyLossFlat()
        dls = feature_dls(relabel(df, labels), x, vocab=vocab)
        start = time.process_time()
        learn = train(dls, seed, EPOCHS, loss_func, ImageWeights(weights))
        if 'cost' in on: learn.loss_func = LeastCost(loss_func, cost)
        learn.metrics = ErrorCost(cost)
        with learn.no_bar(): (_,targs,decided), average = learn.get_preds(with_decoded=True), learn.validate()[1]
        recall = torch.stack([(decided[targs==c]==c).float().mean() for c in range(len(vocab))])
        rows.append({'method': ' + '.join(on) or 'none', 'seed': seed, 'balanced': 100*recall.mean().item(),
                     'minority': 100*recall[small].mean().item(), 'cost': average,
                     'seconds': secs*('votes' in on)+time.process_time()-start})
    return rows

def main(): experiment('all', run, __doc__, note="votes = CROWDLAB's labels, weighted by their quality; tail = weights of 1/n by class; "
                                'cost = decisions of least expected cost; none = majority votes, cross entropy')
