"Ratios measured side by side, one row each in one format, for every benchmark in this folder."
import argparse, datetime, os, platform, subprocess, sys, time
from pathlib import Path
import fastai, pandas as pd, sklearn, torch
import softlabel_nbdev

columns = ['what','case','unit','ours','reference','ratio','limit','within']

def in_turns(fs, rounds=40, block=.0005, clock=time.process_time):
    """Seconds of a call of each of `fs` (name → function), a row per round. They take turns, in an order that changes, so that a busy
    moment of the machine meets all; short ones are called often enough to fill `block` seconds, less than other work leaves them
    at a time; with a `block` of 0 all are called once."""
    def seconds(f, number):
        start = clock()
        for _ in range(number): f()
        return (clock()-start)/number
    for f in fs.values(): f()
    number = {name: max(1, int(block/max(seconds(f, 2), 1e-7))) if block else 1 for name,f in fs.items()}
    names = list(fs)
    return pd.DataFrame([{name: seconds(fs[name], number[name]) for name in names[r%len(names):]+names[:r%len(names)]} for r in range(rounds)])[names]

def step(loss, preds, targs):
    "A function that does forward and backward of `loss`"
    def run():
        preds.grad = None
        loss(preds, targs).backward()
    return run

def row(what, case, ours, reference, unit, limit=None, ratio=None):
    "A row of results: `ratio` is ours/reference unless it is given, `limit` the most it may be"
    ratio = ours/reference if ratio is None else ratio
    within = '' if limit is None else 'ok' if ratio <= limit else 'OVER'
    return dict(zip(columns, (what, case, unit, float(f'{ours:.4g}'), float(f'{reference:.4g}'), round(ratio, 4), limit, within)))

def rows_of(times, case, limits={}, unit='ms', scale=1e3):
    "A row for each column of `times` against the first: medians over the rounds, and the median of the ratios within a round"
    ref = times.columns[0]
    return [row(c, case, times[c].median()*scale, times[ref].median()*scale, unit, limits.get(c), (times[c]/times[ref]).median()) for c in times.columns[1:]]

def child(code, python=sys.executable):
    "The numbers that a fresh Python prints when it runs `code`"
    res = subprocess.run([python, '-W', 'ignore', '-c', code], capture_output=True, text=True, cwd=Path(__file__).parent,
                         env={**os.environ, 'PYTHONPATH': os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get('PYTHONPATH','')])})
    if res.returncode: raise RuntimeError(res.stderr[-2000:])
    return [float(o) for o in res.stdout.split()]

def peak_mb(code):
    "Peak of resident memory, in MB, of a fresh Python that runs `code` (Linux)"
    return child(code + "\nimport re; print(int(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1])/1e3)")[-1]

def save(name, df, secs):
    "Write the table to `results/`, under its command, the versions, the machine, the day and the time it took"
    versions = ', '.join(f'{o.__name__} {o.__version__}' for o in (torch, fastai, pd, sklearn, softlabel_nbdev))
    with open(file_of(name), 'w') as f:
        f.write(f'# python benchmarks/{name}.py\n# Python {platform.python_version()}, {versions}; {platform.machine()}, {os.cpu_count()} cores, '
                f'one thread; {datetime.date.today()}; {secs:.0f} s\n# ratio = ours/reference, the median over rounds in turns; limit = the most it may be\n')
        df.to_csv(f, index=False)

def file_of(name): return Path(__file__).parent/f'results/{name}.csv'

def save_again(name, df):
    "Put the ratios of a second run beside the first ones, as `again`"
    head = [line for line in open(file_of(name)) if line.startswith('#')]
    second = df.set_index(['what','case']).ratio.rename('again')
    table = pd.read_csv(file_of(name), comment='#')[columns].join(second, on=['what','case'])
    with open(file_of(name), 'w') as f:
        f.writelines([o for o in head if not o.startswith('# again')] + [f'# again = ratio of a second run, {datetime.date.today()}\n'])
        table.to_csv(f, index=False)

def run(name, rows, quick=False, again=False):
    "Measure `rows(quick)`, print them as they come, save them unless `quick`, beside the first run if `again`, and return the table"
    torch.set_num_threads(1)
    start, done = time.time(), []
    print(f'== {name}', flush=True)
    for r in rows(quick):
        if quick: r['within'] = ''
        done.append(r)
        print(f"{r['what']:36.36} {r['case']:42.42} {r['ours']:9g} {r['reference']:9g} {r['unit']:6} ratio {r['ratio']:8.3f}"
              + (f" of at most {r['limit']:g} {r['within']}" if r['limit'] is not None else ''), flush=True)
    df = pd.DataFrame(done, columns=columns)
    if again: save_again(name, df)
    elif not quick: save(name, df, time.time()-start)
    return df

def main(rows, file):
    "The command line of one benchmark; the exit code says whether a limit is exceeded"
    parser = argparse.ArgumentParser(description=sys.modules['__main__'].__doc__)
    parser.add_argument('--quick', action='store_true', help='small sizes and few rounds, only to see that it runs; nothing is saved or judged')
    df = run(Path(file).stem, rows, parser.parse_args().quick)
    sys.exit(int((df.within == 'OVER').any()))
