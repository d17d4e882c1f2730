"""Every benchmark of costs, in one run: `python benchmarks` prints each ratio beside its limit and `OVER` where it is exceeded, writes
`results/*.csv`, and ends with exit code 1 if any is over. `python benchmarks losses crl` runs those two; `--again` puts a second run beside
the first; `--quick` only sees that all run."""
import argparse, sys
from importlib import import_module
import pandas as pd
from common import run

names = ['losses','step_overhead','hierarchy','crl','thresholds','crossfold','size','import_time','memory','votes']

if __name__ == '__main__':
    parser = argparse.ArgumentParser(prog='python benchmarks', description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('names', nargs='*', choices=[[],*names], default=[], metavar='NAME', help=f"of {', '.join(names)}; default: all")
    parser.add_argument('--quick', action='store_true', help='small sizes and few rounds; nothing is saved or judged')
    parser.add_argument('--again', action='store_true', help='a second run: its ratios go beside those that are saved')
    args = parser.parse_args()
    df = pd.concat([run(name, import_module(name).rows, args.quick, args.again) for name in args.names or names])
    over = df[df.within == 'OVER']
    print(f"\n{len(df)} ratios, {df.within.eq('ok').sum()} within their limits, {len(over)} over")
    if len(over): print(over[['what','case','ratio','limit','within']].to_string(index=False))
    sys.exit(int(len(over) > 0))
