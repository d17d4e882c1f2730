"Votes: any order and any form give the same consensus, and no table of images × annotators is made"
import numpy as np, pandas as pd, pytest, tracemalloc
from softlabel_nbdev.votes import Consensus, consensus, read_votes

def crowd(n, people, per_image, seed, c=4):
    rng = np.random.default_rng(seed)
    image = np.repeat(np.arange(n), per_image)
    who = rng.integers(people, size=len(image))
    true = rng.integers(c, size=n)
    label = np.where(rng.random(len(image)) < .7, true[image], rng.integers(c, size=len(image)))
    votes = pd.DataFrame({'image': [f'i{o}.png' for o in image], 'annotator': [f'p{o}' for o in who],
                          'label': [f'c{o}' for o in label]})
    return votes.drop_duplicates(['image','annotator']).reset_index(drop=True)

@pytest.mark.parametrize('method', ['majority','dawid_skene'])
@pytest.mark.parametrize('seed', range(3))
def test_order_and_form(method, seed):
    votes = crowd(60, 7, 4, seed)
    want = consensus(votes, method=method)
    wide = votes.pivot(index='image', columns='annotator', values='label')
    forms = {'shuffled': votes.sample(frac=1, random_state=seed), 'wide': wide, 'turned': wide.iloc[::-1,::-1],
             'crowd-kit': votes.set_axis(['task','worker','label'], axis=1), 'named': wide.reset_index(),
             'again': read_votes(votes).long()}
    for form,table in forms.items():
        found = consensus(table, method=method)
        assert found.label[want.label.index].tolist() == want.label.tolist(), form
        np.testing.assert_allclose(found.probs.loc[want.label.index].to_numpy(), want.probs.to_numpy(), atol=1e-6, err_msg=form)
        np.testing.assert_allclose(found.annotators.skill[want.annotators.index], want.annotators.skill, atol=1e-6, err_msg=form)

def test_several_labels_in_all_forms():
    rng = np.random.default_rng(0)
    lists = pd.DataFrame({who: [[c for c in 'abc' if rng.random() < .5] for _ in range(30)] for who in ('Ann','Bob','Cas')},
                         [f'i{i}.png' for i in range(30)])
    lists = lists.astype(object).where(rng.random(lists.shape) < .9, None)
    want = consensus(lists)
    flat = pd.DataFrame({(who,c): [None if o is None else float(c in o) for o in lists[who]] for who in lists for c in 'abc'}, lists.index)
    texts = read_votes(lists.map(lambda o: o if o is None else ';'.join(o)), label_delim=';')
    for votes in (flat, texts, lists.map(lambda o: o if o is None else set(o))):
        found = consensus(votes)
        assert found.label.tolist() == want.label.tolist()
        np.testing.assert_allclose(found.probs, want.probs)

def test_no_dense_table():
    "30,000 images × 20,000 annotators would be 4.8 GB"
    votes = crowd(30000, 20000, 5, 0)
    tracemalloc.start()
    found = consensus(votes)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(found) == 30000 and peak < 3e8

def test_csv(tmp_path):
    found = consensus(crowd(40, 6, 4, 0).replace({'c0': 'label', 'c1': 'probs', 'c2': 'quality'}))
    found.to_csv(tmp_path/'votes.csv')
    again = Consensus.from_csv(tmp_path/'votes.csv')
    assert again.label.equals(found.label.rename_axis('image'))
    np.testing.assert_allclose(again.probs[found.vocab], found.probs)
    assert again.annotators.votes.to_dict() == found.annotators.votes.to_dict()
