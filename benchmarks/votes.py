"""Majority and Dawid and Skene beside crowd-kit's, from the same table with a row for each vote, at four sizes: seconds of processor time and
peak memory of a process, medians of three processes each, in turns. crowd-kit is no dependency: it is measured where it is installed, or by the Python that CROWDKIT_PYTHON names;
without it the rows have no reference. `growth` is the time for a size over that of the next smaller one, beside the ratio of their votes."""
import os, sys
from importlib.util import find_spec
import numpy as np
from common import child, main, row

make = """
import re, time
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
del names, image, who, right, label
def measure(f):
    start = time.process_time()
    found = f()
    secs = time.process_time() - start
    print(secs, (found == true[found.index]).mean())
"""
ours = """
from softlabel_nbdev.votes import consensus
measure(lambda: consensus(votes, method='majority').label)
measure(lambda: consensus(votes, method='dawid_skene').label)
"""
theirs = """
from crowdkit.aggregation import MajorityVote, DawidSkene
measure(lambda: MajorityVote().fit_predict(votes))
measure(lambda: DawidSkene().fit_predict(votes))
"""
# not ru_maxrss, which starts from the memory of the process that started this one
peak = r"print(int(re.search(r'VmHWM:\s+(\d+)', open('/proc/self/status').read())[1])/1e3)"
sizes = [(2000,50,5,10), (20000,500,5,10), (50000,1000,5,10), (200000,5000,5,10)]

def measured(size, crowdkit=None):
    "Seconds and share of right labels, of the majority and of Dawid and Skene, and peak memory in MB: ours or crowd-kit's"
    columns = ['task','worker','label'] if crowdkit else ['image','annotator','label']
    begin = make.format(size=size, columns=columns)
    return child(begin + (theirs if crowdkit else ours) + peak, crowdkit or sys.executable)

def in_turns(size, crowdkit, rounds):
    "What `measured` says of ours and of crowd-kit's, medians; NaN where there is no crowd-kit"
    mine,theirs = [],[]
    for _ in range(rounds):
        mine.append(measured(size))
        theirs.append(measured(size, crowdkit) if crowdkit else [np.nan]*5)
    return np.median(mine, 0),np.median(theirs, 0)

def rows(quick):
    crowdkit = os.environ.get('CROWDKIT_PYTHON') or (sys.executable if find_spec('crowdkit') else None)
    before = None
    for size in sizes[:1] if quick else sizes:
        case = f'{size[0]*size[2]:,} votes, {size[0]:,} × {size[1]:,}'
        mine,other = in_turns(size, crowdkit, 1 if quick else 3)
        last = size == sizes[-1]
        yield row('majority, time', case, mine[0], other[0], 's')
        yield row('Dawid and Skene, time', case, mine[2], other[2], 's', limit=1 if last and crowdkit else None)
        yield row('majority, labels right', case, 100*mine[1], 100*other[1], '%')
        yield row('Dawid and Skene, labels right', case, 100*mine[3], 100*other[3], '%')
        yield row('peak memory', case, mine[4], other[4], 'MB')
        if before:
            votes = size[0]/before[0]
            yield row('Dawid and Skene, growth', case, mine[2]/before[1], votes, 'times')
        before = size[0],mine[2]
    if not quick:
        yield row('majority, against a second', case, mine[0], 1, 's', limit=1)
        yield row('peak memory, against 1.5 GB', case, mine[4], 1500, 'MB', limit=1)

if __name__ == '__main__': main(rows, __file__)
