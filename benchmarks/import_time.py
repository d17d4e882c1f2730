"Time to import the whole library against `fastai.vision.all` alone, each in a fresh Python, in turns."
import pandas as pd
from common import child, main, rows_of

def seconds(module):
    "Processor time of the import, which the disk's cache does not change"
    return child(f'import time; start = time.process_time(); import {module}; print(time.process_time()-start)')[0]

def rows(quick=False):
    modules = ['fastai.vision.all','softlabel_nbdev.all']
    for m in modules: seconds(m)
    times = pd.DataFrame([{m: seconds(m) for m in modules} for _ in range(1 if quick else 3)])
    yield from rows_of(times, 'against fastai.vision.all', unit='s', scale=1)

if __name__ == '__main__': main(rows, __file__)
