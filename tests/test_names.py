"""Tables meet images by name: the same value for the same image, or an error that says why not."""
import warnings
warnings.filterwarnings('ignore')
import numpy as np, pandas as pd, pytest, torch
from hypothesis import HealthCheck, given, settings, strategies as st
from pathlib import Path
from fastai.data.all import CategoryBlock, DataBlock, DataLoaders, Datasets, IndexSplitter, TfmdLists, TransformBlock
from fastai.torch_core import TensorImage, tensor
from fastai.vision.data import ImageDataLoaders
from softlabel_nbdev.names import align, find_rows, relabel

N = 8
folder = Path('data/pets').absolute()

def blank(o): return TensorImage(torch.zeros(1,1,1))

def dls_of(items, valid, path=folder, **kwargs):
    "DataLoaders of which the items at positions `valid` are for validation"
    block = DataBlock((TransformBlock(type_tfms=blank), CategoryBlock), splitter=IndexSplitter(list(valid)),
                      get_y=lambda o: 'a', **kwargs)
    return block.dataloaders(items, bs=2, num_workers=0, device='cpu', path=path)

def table_of_images(n=N, seed=0):
    "Images with several names, and with whole numbers that are none"
    rng = np.random.default_rng(seed)
    return pd.DataFrame({'fname': [f'{"ab"[i%2]}/pic_{i:02d}.png' for i in range(n)],
        'id': rng.permutation(np.arange(1, n+1)), 'code': rng.permutation(np.arange(100, 100+2*n, 2)),
        'label': rng.integers(0, 3, n), 'fold': rng.integers(0, 4, n), 'width': rng.integers(1, n, n),
        'breed': rng.choice(['pug','husky'], n)})

images = table_of_images()
truth = dict(zip(images.fname, np.arange(1., N+1)))
names_of = {
    'file': lambda df: df.fname,
    'path': lambda df: [Path(o) for o in df.fname],
    'absolute': lambda df: [f'{folder}/{o}' for o in df.fname],
    'file name': lambda df: [o[2:] for o in df.fname],
    'without ending': lambda df: [o[2:-4] for o in df.fname],
    'code': lambda df: df.code,
    'code as text': lambda df: df.code.astype(str),
    'code as float': lambda df: df.code.astype(float),
    'id': lambda df: df.id,
    'row': lambda df: df.index,
}
text = ('file','path','absolute','file name','without ending')

def is_right(got, train, missing=None):
    for value,fname in zip(got.tolist(), train): assert value in (truth[fname], missing), fname

rows = st.lists(st.integers(0, N-1), min_size=2, max_size=2*N)
order = st.permutations(range(N))

@settings(max_examples=300, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(kind=st.sampled_from(sorted(names_of)), called=st.sampled_from([None,'image','own']), of_table=order, of_images=order,
       keep=st.sets(st.integers(0, N-1), min_size=1), used=rows, valid=st.sets(st.integers(0, 5)), renumber=st.sampled_from(['table','images','both','neither']),
       missing=st.sampled_from([None,-1.]), as_paths=st.booleans())
def test_the_same_value_or_an_error(kind, called, of_table, of_images, keep, used, valid, renumber, missing, as_paths):
    "Permuted, cut, repeated and renumbered as may be"
    table = pd.Series([truth[o] for o in images.fname], index=pd.Index(names_of[kind](images)))
    column = {'code as text':'code', 'code as float':'code'}.get(kind, kind if kind in images else None)
    table.index.name = column if called == 'own' else called
    table = table.iloc[list(of_table)]
    if renumber in ('table','both'): table = table.reset_index(drop=True)
    table = table[[i in keep for i in range(N)]]
    mine = images.iloc[list(of_images)].iloc[used]
    if renumber in ('images','both'): mine = mine.reset_index(drop=True)
    valid = {i for i in valid if i < len(mine)}
    if len(valid) == len(mine): valid = set()
    items = [folder/o for o in mine.fname] if as_paths else mine
    dls = dls_of(items, valid)
    train = [o.relative_to(folder).as_posix() for o in dls.train_ds.items] if as_paths else dls.train_ds.items.fname
    try: got = align(table, dls, missing=missing, min=None)
    except (ValueError, TypeError) as e:
        complete = len(keep) == N and (as_paths or kind in text or called == 'own' and column)
        assert not (complete and renumber in ('images','neither') and (kind in text or not as_paths)), e
    else: is_right(got, train, missing)
