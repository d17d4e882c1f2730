"Thresholds: against scikit-learn and a grid, with limits, missing labels and names."
import warnings
from functools import partial
from importlib.util import find_spec, module_from_spec

import numpy as np, pandas as pd, pytest, torch
from fastai.vision.all import BCEWithLogitsLossFlat, Learner, nn
from fastcore.test import test_close as close, test_eq as same
from hypothesis import given, settings, strategies as st
from sklearn import metrics as skm

from softlabel_nbdev.data import digits_dls, scenes
from softlabel_nbdev.decisions import Abstention, decide
from softlabel_nbdev.groups import cost_matrix
from softlabel_nbdev.mistakes import least_cost
from softlabel_nbdev.thresholds import tune_abstention, tune_thresholds

QUICK = dict(folds=0, n_boot=0)
F1 = partial(skm.f1_score, zero_division=0)

@pytest.fixture
def data():
    "Probabilities of 400 images in four classes, and their labels"
    rng = np.random.default_rng(0)
    y = rng.random((400,4)) < [.05,.1,.3,.5]
    p = 1/(1 + np.exp(-(rng.normal(size=y.shape) + 2*y - 1)))
    return p.astype(np.float32),y

WAYS = [{}, dict(average='micro'), dict(per_class=False),
        dict(per_class=False, average='micro')]

@pytest.mark.parametrize('kw', WAYS)
def test_the_score_is_sklearns(data, kw):
    p,y = data
    t = tune_thresholds(p, y, **kw)
    close(t.score, F1(y, t.apply(p), average=kw.get('average', 'macro')), eps=1e-12)
    close(t.table.score, F1(y, t.apply(p), average=None), eps=1e-12)
    same(len(set(t.values))==1, kw.get('per_class')==False)
    assert t.cv_score <= t.score
    assert (t.table.low <= t.values).sum() >= 3 and (t.values <= t.table.high).sum() >= 3
    again = tune_thresholds(torch.tensor(p), torch.tensor(y).float(), **kw)
    pd.testing.assert_frame_equal(t.table, again.table)

def test_seeds_shapes_and_precisions(data):
    p,y = data
    assert tune_thresholds(p, y, seed=1).values.equals(tune_thresholds(p, y).values)
    one = tune_thresholds(p[:,3], y[:,3], **QUICK)
    close(one.values[0], tune_thresholds(p, y, **QUICK).values[3])
    same(one.apply(p[:,3]), p[:,3] > one.values[0])
    half = torch.tensor(p).half()
    t = tune_thresholds(half, y, **QUICK)
    close(t.score, F1(y, t.apply(half).numpy(), average='macro'), eps=1e-12)

def test_the_curve_passes_through_the_score(data):
    t = tune_thresholds(*data, vocab=list('abcd'))
    for k in 'abcd':
        assert t.table.score[k] - .03 < t.curves[k].max() <= t.table.score[k] + 1e-12

def test_limits_hold_where_they_are_tuned(data):
    p,y = data
    def decided(metric, **limits):
        return tune_thresholds(p, y, metric, limits=limits, **QUICK).apply(p)
    d = decided('precision', min_recall=.8)
    assert ((d&y).sum(0)/y.sum(0)).min() >= .8
    for metric in ('recall','f1'):
        d = decided(metric, min_precision=.6)
        assert ((d&y).sum(0)/d.sum(0)).min() >= .6
    d = decided('recall', max_false_alarms=.1)
    assert ((d&~y).sum(0)/(~y).sum(0)).max() <= .1
    t = tune_thresholds(p, y, 'recall', limits=dict(min_precision=.6), per_class=False,
                        average='micro', **QUICK)
    d = t.apply(p)
    assert (d&y).sum()/d.sum() >= .6

def test_rare_classes_share_a_threshold(data):
    p,y = data
    few = y.copy(); few[:,0] = False; few[:3,0] = True
    with pytest.warns(UserWarning, match="1 of 4 classes have fewer than 10 .*'a'"):
        t = tune_thresholds(p, few, vocab=list('abcd'), **QUICK)
    same([*t.table['shared']], [True,False,False,False])
    same([*tune_thresholds(p, few, min_pos=0, **QUICK).table['shared']], [False]*4)
    for average in ('macro','micro'):
        shared = tune_thresholds(p, few, per_class=False, average=average, **QUICK)
        with pytest.warns(UserWarning): t = tune_thresholds(p, few, average=average, **QUICK)
        close(t.values[0], shared.values[0])

def test_no_positives_all_positives_and_ties(data):
    p,y = data
    for kind in (np.zeros_like(y), np.ones_like(y)):
        close(tune_thresholds(p, kind, min_pos=0).score, kind.mean())
    tied = tune_thresholds(np.full((10,1), .3), np.ones((10,1)), min_pos=0, **QUICK)
    close(tied.values[0], .15)

# ---- missing labels

@pytest.mark.parametrize('average', ['macro','micro'])
@pytest.mark.parametrize('per_class', [True,False])
def test_a_missing_label_is_an_image_that_isnt_there(data, average, per_class):
    "One class known in part is the class without these images, in all that is told of it"
    p,y = data
    gone = np.random.default_rng(1).random(400) < .4
    nan,marked = y.astype(float),y.astype(int)
    nan[gone],marked[gone] = np.nan,-1
    kw = dict(average=average, per_class=per_class, **QUICK)
    less = tune_thresholds(p[~gone], y[~gone], **kw)
    for t in (tune_thresholds(p, nan, **kw), tune_thresholds(p, marked, ignore=-1, **kw)):
        pd.testing.assert_frame_equal(t.table, less.table)

def test_missing_labels_of_one_class_leave_the_others_alone(data):
    p,y = data
    nan = y.astype(float)
    nan[::2,3] = np.nan
    t,full = tune_thresholds(p, nan, **QUICK),tune_thresholds(p, y, **QUICK)
    pd.testing.assert_frame_equal(t.table.iloc[:3].drop(columns='total'),
                                  full.table.iloc[:3].drop(columns='total'))
    close(t.values[3], tune_thresholds(p[1::2,3], y[1::2,3], **QUICK).values[0])
    same(t.table.positives[3], y[1::2,3].sum())

def test_what_missing_labels_hide_counts_nowhere(data):
    "Folds, bootstrap, score and limits are the same whatever the unknown probabilities are"
    p,y = data
    nan,other = y.astype(float),p.copy()
    gone = np.random.default_rng(1).random(y.shape) < .3
    nan[gone],other[gone] = np.nan,.99
    for kw in (*WAYS, dict(metric='recall', limits=dict(max_false_alarms=.2))):
        a,b = tune_thresholds(p, nan, **kw),tune_thresholds(other, nan, **kw)
        pd.testing.assert_frame_equal(a.table, b.table)

def test_a_class_without_known_labels_isnt_in_the_mean(data):
    p,y = data
    nan = y.astype(float)
    nan[:,0] = np.nan
    t = tune_thresholds(p, nan, min_pos=0)
    close(t.score, tune_thresholds(p[:,1:], y[:,1:], min_pos=0).score)
    assert np.isnan(t.table.score[0])

# ---- names

def test_frames_keep_their_names(data):
    p,y = data
    vocab = [str(i) for i in (10,2,1,0)]
    probs = pd.DataFrame(p, columns=vocab, index=[f'{i}.png' for i in range(400)])
    targs = pd.DataFrame(y, columns=vocab, index=probs.index)
    t = tune_thresholds(probs, targs, **QUICK)
    pd.testing.assert_frame_equal(t.table, tune_thresholds(p, y, vocab=vocab, **QUICK).table)
    mixed = targs[sorted(vocab)].sample(frac=1, random_state=0)
    pd.testing.assert_frame_equal(t.table, tune_thresholds(probs, mixed, **QUICK).table)
    ordered = tune_thresholds(probs, targs, vocab=sorted(vocab), **QUICK)
    same(ordered.values.to_dict(), t.values.to_dict())
    pd.testing.assert_frame_equal(t.apply(probs[sorted(vocab)]), t.apply(probs))
    assert t.named and not tune_thresholds(p, y, **QUICK).named

def test_other_names_are_refused(data):
    p,y = data
    probs,targs = pd.DataFrame(p, columns=list('abcd')),pd.DataFrame(y, columns=list('abce'))
    with pytest.raises(ValueError, match="columns of targs.*'e'"): tune_thresholds(probs, targs)
    with pytest.raises(ValueError, match="columns of probs"):
        tune_thresholds(probs, y, vocab=list('abcx'))
    targs = pd.DataFrame(y, columns=list('abcd'), index=range(1,401))
    with pytest.raises(ValueError, match='2 rows are in only one'): tune_thresholds(probs, targs)

def test_names_that_are_numbers_are_names(data):
    p,y = data
    t = tune_thresholds(p, y, vocab=['0','1','2','3'], **QUICK)
    same([*t.reorder(['3','1','2','0']).values], [*t.values.iloc[[3,1,2,0]]])
    t = tune_thresholds(p, y, **QUICK)
    same([*t.reorder(['3','1','2','0']).values], [*t.values])

# ---- functions and refusals

def test_any_function_reaches_the_exact_optimum_up_to_the_grid(data):
    p,y = data
    t,exact = (tune_thresholds(p, y, o, folds=0) for o in (F1, 'f1'))
    assert exact.score - .02 < t.score <= exact.score
    samples = partial(F1, average='samples')
    one = tune_thresholds(p, y, samples, per_class=False, average='micro', folds=0)
    close(one.score, samples(y, one.apply(p)))
    nan = y.astype(float)
    nan[::2,3] = np.nan
    t = tune_thresholds(p, nan, F1, folds=0)
    close(t.values[3], tune_thresholds(p[1::2,3], y[1::2,3], F1, folds=0).values[0])
    with pytest.raises(ValueError, match='200 of 1,600 labels are missing'):
        tune_thresholds(p, nan, samples, per_class=False, average='micro')

REFUSED = {
    "class '2'": lambda p,y: tune_thresholds(p, y*.5, vocab=list('0123')),
    'ignore=-1': lambda p,y: tune_thresholds(p, np.where(y, 1, -1)),
    'logits': lambda p,y: tune_thresholds(p*3-1, y),
    'the same shape': lambda p,y: tune_thresholds(p, y[:,0][:9]),
    'see tune_abstention': lambda p,y: tune_thresholds(p, y.argmax(1)),
    '3 different names for 4': lambda p,y: tune_thresholds(p, y, vocab=list('abc')),
    'neither': lambda p,y: tune_thresholds(p, y, average='weighted'),
    'by name': lambda p,y: tune_thresholds(p, y, F1, limits=dict(min_recall=.5)),
    'per_class=False': lambda p,y: tune_thresholds(p, y, F1, average='micro'),
    'for 4 of 4 classes': lambda p,y: tune_thresholds(
        p, y, limits=dict(min_recall=.95, min_precision=.95))}

@pytest.mark.parametrize('says', REFUSED)
def test_refusals_say_what_to_do(data, says):
    p,y = data
    if says=="class '2'": y = y*(np.arange(4)==2)
    with pytest.raises(ValueError, match=says): REFUSED[says](p, y)

METRICS = dict(
    f1=F1, f2=partial(skm.fbeta_score, beta=2, zero_division=0),
    accuracy=skm.accuracy_score, jaccard=partial(skm.jaccard_score, zero_division=0),
    balanced_accuracy=lambda y,d: (skm.recall_score(y, d, zero_division=0)
                                   + skm.recall_score(~y, ~d, zero_division=0))/2,
    mcc=skm.matthews_corrcoef)

@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(1, 50), st.integers(1, 4), st.integers(0, 2**31), st.sampled_from([1,2,8]),
       st.sampled_from([*METRICS]), st.lists(st.floats(0, 1), min_size=1, max_size=29))
def test_never_below_a_grid(n, c, seed, digits, metric, grid):
    rng = np.random.default_rng(seed)
    p,y = rng.random((n,c)).round(digits),rng.random((n,c)) < .3
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        best = [max(METRICS[metric](y[:,k], p[:,k]>g) for g in grid) for k in range(c)]
        t = tune_thresholds(p, y, metric, min_pos=0, **QUICK)
    assert t.score >= np.mean(best) - 1e-9

# ---- no answer

FIVE = np.array([[.9,.1],[.2,.8],[.6,.4],[.55,.45],[.3,.7]])

def test_abstention_by_hand():
    found = tune_abstention(FIVE, [0,1,1,-1,1], min_accuracy=1.)
    close(found.threshold, .65)
    same(found.apply(FIVE), torch.tensor([0,1,-1,-1,1]))
    close(found.curve.coverage, [1,.8,.6,.4,.2])
    close(found.curve.accuracy, [.6,.75,1,1,1])
    close(tune_abstention(FIVE, [0,1,0,-1,1]).threshold, .575)

def test_abstention_takes_a_tree(tmp_path):
    "What takes a cost takes a tree, in any order of the vocab, and it goes into the file"
    tree, rng = {'cat': ['Birman','Ragdoll'], 'dog': ['pug']}, np.random.default_rng(0)
    vocab = ['pug','Birman','Ragdoll']
    probs, targs = rng.dirichlet(np.ones(3), 60), rng.integers(3, size=60)
    cost = cost_matrix(vocab, tree)
    by_tree, by_cost = [tune_abstention(probs, targs, min_accuracy=.4, **kw) for kw in (dict(cost=tree, vocab=vocab), dict(cost=cost))]
    assert by_tree.threshold == by_cost.threshold
    same(by_tree.apply(probs), by_cost.apply(probs))
    same(decide(probs, tree, vocab)[0], least_cost(probs, tree, vocab))
    by_tree.to_csv(tmp_path/'a.csv')
    same(Abstention.from_csv(tmp_path/'a.csv').cost, cost)
    with pytest.raises(ValueError, match='pass vocab=dls.vocab'): tune_abstention(probs, targs, cost=tree)

@pytest.mark.parametrize('targs,kw,says', [
    ([0,1,1,0,1], {}, 'pass min_accuracy'),
    ([1,1,1,0,0], dict(min_accuracy=.9), 'at best 0.5000 of the answers are right, where 2 of 5'),
    ([0,1], {}, 'position of the right class'),
    ([0,1,2,-1,1], {}, '1 of 5 targs are neither')])
def test_abstention_refuses(targs, kw, says):
    with pytest.raises(ValueError, match=says): tune_abstention(FIVE, targs, **kw)

def test_thresholds_of_another_class(monkeypatch):
    "A notebook that defines the module patches `Learner` for those after it, whose `Thresholds` are the library's"
    monkeypatch.setattr(Learner, 'use_thresholds', Learner.use_thresholds)   # to be put back
    spec = find_spec('softlabel_nbdev.decisions')
    spec.loader.exec_module(module_from_spec(spec))
    dls = digits_dls(scenes(200, seed=0), y='labels', bs=16)
    model = nn.Sequential(nn.Flatten(), nn.Linear(576, 10))
    learn = Learner(dls, model, loss_func=BCEWithLogitsLossFlat())
    with learn.no_bar(): probs,targs = learn.get_preds()
    found = tune_thresholds(probs, targs, vocab=list(dls.vocab), n_boot=0, folds=0)
    learn.use_thresholds(found)
    with learn.no_bar(): said = learn.get_preds(with_decoded=True)[2]
    same(said.tolist(), found.apply(probs).tolist())
