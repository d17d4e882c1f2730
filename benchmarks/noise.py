"""How many labels are wrong? The noise model's answer on Imagewoof's published labels, from out-of-fold predictions of plain folds and of
folds with early-learning regularisation, beside that of cleanlab's `estimate_latent` on the same plain folds; and how well each finds
the wrong ones. `python benchmarks/noise.py --features FILE.npz --csv noisy_imagewoof.csv`. The networks are those of `rules.py`."""
import argparse
import numpy as np, pandas as pd, torch
from pathlib import Path
from cleanlab.count import compute_confident_joint, estimate_latent
from cleanlab.rank import get_label_quality_scores
from sklearn.metrics import average_precision_score
from rules import mlp, out_of_fold, woof
from softlabel_nbdev.crossfold import NoiseModel

def by_cleanlab(probs, given):
    "Share of wrong labels (%) by cleanlab"
    joint = compute_confident_joint(given, probs)
    true, noise, _ = estimate_latent(joint, given)     # P(class), P(label | class)
    return 100*(1 - (true*np.diag(noise)).sum())

def run(args, seed):
    sit = (lambda: mlp(192), 15, 2e-3)
    x, _, y, _, published = woof(args.features, args.csv, seed, 0, 192, None, True)
    for noise in (0,5,25,50):
        given = published[noise] if noise else y
        plain, early = (out_of_fold(sit, x, given, seed, elr=o) for o in (False,True))
        wrong, models = given != y, [NoiseModel(o.astype(np.float32), given) for o in (plain, early)]
        rights = [o.judge()[0] for o in models]
        row = dict(noise=noise, seed=seed, wrong=100*wrong.mean(), plain=100*(1-rights[0].mean()), early=100*(1-rights[1].mean()),
                   cleanlab=by_cleanlab(plain, given), chosen='early' if models[1].fit > models[0].fit else 'plain')
        if wrong.any():
            found = dict(zip(('plain','early'), (1-o for o in rights))) | {'cleanlab': 1-get_label_quality_scores(given, plain)}
            row |= {f'ranking, {k}': average_precision_score(wrong, v) for k,v in found.items()}
        yield row

def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--features', required=True)
    parser.add_argument('--csv', required=True)
    args = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for seed in range(5):
        for row in run(args, seed):
            rows.append(row)
            print({k: round(v, 2) if isinstance(v, float) else v for k,v in row.items()}, flush=True)
        with open(Path(__file__).parent/'results/noise.csv', 'w') as f:
            f.write('# python benchmarks/noise.py --features imagewoof2-features.npz --csv noisy_imagewoof.csv\n# per cent of the labels that are wrong; ranking: average precision\n')
            pd.DataFrame(rows).round(4).to_csv(f, index=False)

if __name__ == '__main__': main()
