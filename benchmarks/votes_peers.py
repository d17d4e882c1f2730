"""Share of right labels, in %, of ways to count votes: ours, crowd-kit's and peerannot's, on the same votes. Real people's are bluebirds'
(`nbs/results/bluebirds.csv`), as all 39 voted and as a few drawn for each image; the others are simulated, 400 images of ten classes and 20 people, right
for 40 to 95 %. `pip install crowd-kit`, `pip install --no-deps peerannot` and `pip install sparse` bring the peers; writes
`results/votes_peers.csv`, a row for each method, case and seed."""
from pathlib import Path
import numpy as np, pandas as pd
from crowdkit.aggregation import DawidSkene, OneCoinDawidSkene
from peerannot.models.aggregation.dawid_skene import DawidSkene as PeerAnnot
from softlabel_nbdev.votes import consensus

here = Path(__file__).parent

def bluebirds(each, seed):
    "Votes of `each` people drawn for every image, and the right labels"
    df = pd.read_csv(here/'../nbs/results/bluebirds.csv', comment='#', index_col='image')
    votes = df.drop(columns='truth').rename_axis(columns='annotator').stack().rename('label').reset_index()
    return votes.groupby('image').sample(each, random_state=seed), df.truth

def simulated(each, seed, images=400, people=20, c=10, tail=1):
    "Votes of `each` of `people` on every image; the first class is `tail` times as frequent as the last"
    rng = np.random.default_rng(seed)
    share = np.geomspace(tail, 1, c)
    truth = rng.choice(c, images, p=share/share.sum())
    skill = rng.uniform(.4, .95, people)
    image = np.repeat(np.arange(images), each)
    who = np.concatenate([rng.choice(people, each, replace=False) for _ in range(images)])
    label = np.where(rng.random(len(image)) < skill[who], truth[image], rng.integers(c, size=len(image)))
    return pd.DataFrame(dict(image=image, annotator=who, label=label)), pd.Series(truth)

def crowdkit(votes, model):
    names = dict(image='task', annotator='worker')
    return model().fit_predict(votes.rename(columns=names))

def weighted(votes):
    """peerannot's WDS, votes weighted by the diagonal of its Dawid and Skene's confusion matrices; by its definition, because calling
    the class itself raises an error in version 0.0.1.post43"""
    who, image = (votes[k].astype('category').cat for k in ('annotator', 'image'))
    i, j, k = image.codes.to_numpy(), who.codes.to_numpy(), votes.label.to_numpy()
    answers = {}
    for task,worker,label in zip(i.tolist(), j.tolist(), k.tolist()): answers.setdefault(task, {})[worker] = label
    model = PeerAnnot(answers, n_workers=int(j.max()) + 1, n_classes=int(k.max()) + 1)
    model.run()
    weight = np.zeros((len(answers), int(k.max()) + 1))
    np.add.at(weight, (i, k), model.pi[j, k, k])
    return pd.Series(weight.argmax(1), image.categories)

methods = {'majority': lambda votes: consensus(votes, method='majority').label,
           'Dawid and Skene': lambda votes: consensus(votes, method='dawid_skene').label,
           "crowd-kit's Dawid and Skene": lambda votes: crowdkit(votes, DawidSkene),
           "crowd-kit's one-coin Dawid and Skene": lambda votes: crowdkit(votes, OneCoinDawidSkene),
           "peerannot's weighted Dawid and Skene": weighted}
cases = {f'bluebirds, {n} votes': lambda seed, n=n: bluebirds(n, seed) for n in (3,5,10,39)}
cases |= {f'simulated, {n} votes': lambda seed, n=n: simulated(n, seed) for n in (3,5)}
cases['simulated, 5 votes, a tail of 50 to 1'] = lambda seed: simulated(5, seed, tail=50)

if __name__ == '__main__':
    rows = []
    for case,make in cases.items():
        for seed in range(1 if '39' in case else 5):
            votes, truth = make(seed)
            for method,f in methods.items():
                label = f(votes)
                right = 100*(label.astype(int) == truth[label.index]).mean()
                rows.append(dict(case=case, seed=seed, method=method, right=round(right, 2)))
    df = pd.DataFrame(rows)
    df.to_csv(here/'results/votes_peers.csv', index=False)
    print(df.pivot_table(index='method', columns='case', values='right', sort=False).round(1).to_string())
