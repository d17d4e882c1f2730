"""Majority and Dawid and Skene beside crowd-kit's, from the same table with a row for each vote, at four sizes: seconds of processor time and
peak memory of a process. crowd-kit is no dependency: it is measured where it is installed, or by the Python that CROWDKIT_PYTHON names;
without it the rows have no reference. `growth` is the time for a size over that of the next smaller one, by the ratio of their votes."""
import os, sys
from importlib.util import find_spec
from common import child, main, row

make = """
import resource, sys, time
import numpy as np, pandas as pd
rng = np.random.default_rng(0)
images, people, each, c = {size}
true = rng.integers(c, size=images)
skill = rng.uniform(.4, .95, people)
image = np.repeat(np.arange(images), each)
who = rng.integers(people, size=len(image))
right = rng.random(len(image)) < skill[who]
label = np.where(right, true[image], rng.integers(c, size=len(image)))
names = [np.char.add(o, n.astype(str)) for o,n in (('img', image), ('who', who), ('class', label))]
votes = pd.DataFrame(dict(zip({columns}, names))).drop_duplicates({columns}[:2]).reset_index(drop=True)
true = pd.Series(np.char.add('class', true.astype(str)), np.char.add('img', np.arange(images).astype(str)))
def measure(f):
    start = time.process_time()
    found = f()
    secs = time.process_time() - start
    print(secs, (found == true[found.index]).mean())
"""
ours = """
from softlabel_nbdev.votes import consensus
measure(lambda: consensus(votes, method='{method}').label)
"""
theirs = """
from crowdkit.aggregation import {method}
measure(lambda: {method}().fit_predict(votes))
"""
peak = "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss/1e3)"
methods = {'majority': 'MajorityVote', 'dawid_skene': 'DawidSkene'}
sizes = [(2000,50,5,10), (20000,500,5,10), (50000,1000,5,10), (200000,5000,5,10)]

def measured(method, size, crowdkit=None):
    "Seconds, share of right labels and peak memory in MB, of ours or of crowd-kit's"
    columns = ['task','worker','label'] if crowdkit else ['image','annotator','label']
    begin = make.format(size=size, columns=columns)
    if crowdkit: return child(begin + theirs.format(method=methods[method]) + peak, crowdkit)
    return child(begin + ours.format(method=method) + peak)

def rows(quick):
    crowdkit = os.environ.get('CROWDKIT_PYTHON') or (sys.executable if find_spec('crowdkit') else None)
    nothing = [float('nan')]*3
    for method in methods:
        before = None
        for size in sizes[:1] if quick else sizes:
            votes = size[0]*size[2]
            secs,right,mb = measured(method, size)
            other = measured(method, size, crowdkit) if crowdkit else nothing
            case = f'{votes:,} votes, {size[0]:,} × {size[1]:,}'
            last = size == sizes[-1]
            if method == 'majority': yield row(f'{method}, time', case, secs, other[0], 's', limit=None)
            else: yield row(f'{method}, time', case, secs, other[0], 's', limit=1 if last and crowdkit else None)
            yield row(f'{method}, labels right', case, 100*right, 100*other[1], '%')
            yield row(f'{method}, peak memory', case, mb, other[2], 'MB')
            if before: yield row(f'{method}, growth', case, secs/before[0], votes/before[1], '', ratio=secs/before[0]/(votes/before[1]))
            if last and method == 'majority': yield row('majority, against 1 s', case, secs, 1, 's', limit=1)
            if last: yield row(f'{method}, against 1.5 GB', case, mb, 1500, 'MB', limit=1)
            before = secs,votes

if __name__ == '__main__': main(rows, __file__)
