"""The chapters' experiments on photographs, one command each: `python benchmarks/photos.py NAME --features FILE.npz --csv noisy_imagewoof.csv`,
with NAME one of crossfold, weights, hierarchy, crl, thresholds, all. They train a small head on features of Imagewoof's images, from any
network, in minutes on a CPU; results go to `benchmarks/results/photos_NAME.csv`. `--help` after a NAME says what it compares."""
import sys
from importlib import import_module

names = ['crossfold','weights','hierarchy','crl','thresholds','all']

if __name__ == '__main__':
    if len(sys.argv) < 2 or sys.argv[1] not in names: sys.exit(__doc__)
    import_module(f'photo_{sys.argv.pop(1)}').main()
