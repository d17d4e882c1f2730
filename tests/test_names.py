"""Tables meet images by name: the same value for the same image, or an error that says why not."""
import tempfile, warnings
warnings.filterwarnings('ignore')
import numpy as np, pandas as pd, pytest, torch
from hypothesis import HealthCheck, given, settings, strategies as st
from pathlib import Path
from fastai.data.all import (CategoryBlock, Categorize, DataBlock, Datasets, FuncSplitter, IndexSplitter,
    TransformBlock, get_image_files, parent_label)
from fastai.learner import Learner
from fastai.losses import CrossEntropyLossFlat
from fastai.torch_core import TensorImage
from fastai.vision.core import PILImageBW
from fastai.vision.data import ImageBlock, ImageDataLoaders
from PIL import Image
from torch import nn
from softlabel_nbdev.crossfold import OutOfFold, SoftLabels, blend, crossfold
from softlabel_nbdev.data import annotate, digit_cnn, digit_image, digits, digits_dls, scenes
from softlabel_nbdev.issues import correct, label_issues
from softlabel_nbdev.losses import SoftCrossEntropy
from softlabel_nbdev.mistakes import least_cost
from softlabel_nbdev.names import align, find_rows, relabel
from softlabel_nbdev.decisions import Thresholds
from softlabel_nbdev.thresholds import tune_thresholds
from softlabel_nbdev.votes import ask_next, consensus
from softlabel_nbdev.weights import Curriculum, ImageWeights

N = 8
folder = Path(tempfile.mkdtemp())/'pets'

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

# What people have, by the habits of three libraries. `worth` is the value of each image, by file.

worth = pd.Series(truth, name='worth')
def frame_dls(df=images, valid=(0,5), **kw): return dls_of(df, valid, **kw)
def files_of(dls):
    items = dls.train_ds.items
    if isinstance(items, pd.DataFrame): return [*items.fname]
    return [Path(o[0] if isinstance(o, tuple) else o['file'] if isinstance(o, dict) else o).as_posix()[-12:] for o in items]

def called(names, index): return pd.Series(worth[list(names)].to_numpy(), index)
def unnamed(column, df=images): return called(df.fname, pd.Index(df[column].to_numpy()))
paths = [folder/o for o in images.fname]

quick = dict(valid_pct=.25, seed=1, bs=2, num_workers=0, device='cpu')

def fastai_ways():
    "DataLoaders as fastai's own ways make them"
    loading = dict(bs=2, num_workers=0, device='cpu', path=folder)
    for o in paths:
        o.parent.mkdir(parents=True, exist_ok=True)
        Image.new('RGB', (2,2)).save(o)
    tfms = [[lambda o: torch.zeros(1)], [lambda o: 'a', Categorize()]]
    splits = [1,2,3,4,5,6,7],[0]
    yield 'from_df', ImageDataLoaders.from_df(images[['fname','breed']], folder, item_tfms=[], **quick)
    yield 'from_df in a folder', ImageDataLoaders.from_df(images[['fname','breed']], folder.parent, folder='pets', **quick)
    yield 'from_path_func', ImageDataLoaders.from_path_func(folder, paths, lambda o: 'a', **quick)
    yield 'from_name_re', ImageDataLoaders.from_name_re(folder, paths, r'(pic)_', **quick)
    yield 'from_lists', ImageDataLoaders.from_lists(folder, paths, ['a']*N, **quick)
    yield 'from_lists of text', ImageDataLoaders.from_lists(folder, [*map(str, paths)], ['a']*N, **quick)
    yield 'Datasets of paths', Datasets(paths, tfms, splits=splits).dataloaders(**loading)
    yield 'Datasets of a table', Datasets(images, tfms, splits=splits).dataloaders(**loading)
    yield 'Datasets of pairs', Datasets([(o,'a') for o in paths], tfms, splits=splits).dataloaders(**loading)
    yield 'Datasets of dicts', Datasets([dict(file=o, y='a') for o in paths], tfms, splits=splits).dataloaders(**loading)
    yield 'DataBlock of a column', frame_dls(images.fname)
    yield 'DataBlock of an array', frame_dls(images.fname.to_numpy())
    yield 'DataBlock of text', frame_dls([*images.fname])

@pytest.mark.parametrize('name,dls', list(fastai_ways()))
def test_fastai(name, dls):
    train = files_of(dls)
    for index in (images.fname, [o[2:] for o in images.fname], [o[2:-4] for o in images.fname], paths,
                  [f'./{o}' for o in images.fname], [o.replace('/','\\') for o in images.fname]):
        is_right(align(called(images.fname, pd.Index(index)), dls), train)

def right(table, dls=None, **kw):
    dls = dls or frame_dls()
    is_right(align(table, dls, **kw), files_of(dls), kw.get('missing'))

def refused(contains, table, dls=None, exc=(ValueError,TypeError), **kw):
    with pytest.raises(exc) as e: align(table, dls or frame_dls(), **kw)
    assert contains in str(e.value), str(e.value)

big = table_of_images(40)
by_file = called(images.fname, pd.Index(images.fname))

def test_pandas_indexes():
    own = images.assign(worth=worth.to_numpy())
    right(images.assign(w=worth.to_numpy()).groupby('fname').w.mean())
    right(own.set_index('fname').worth)
    right(own.set_index('fname', drop=False).worth)
    right(own.worth, frame_dls(own))                            # a column of the table, counted 0, 1, 2, …
    right(own.worth.sample(frac=1, random_state=0), frame_dls(own))
    right(own.worth, frame_dls(own.sample(frac=1, random_state=0)))
    right(own.worth, frame_dls(pd.concat([own, own[:3]])))      # upsampled, with its index
    right(pd.concat([own, own[:3]]).worth, frame_dls(pd.concat([own, own[:3]])))
    right(by_file, frame_dls(pd.concat([own, own[:3]], ignore_index=True)))
    right(by_file, frame_dls(images.set_index('fname', drop=False)))
    right(by_file.rename_axis('anything'), frame_dls(images.set_index('fname', drop=False)))
    right(by_file.rename_axis('label'))                         # the name of another column
    right(by_file.set_axis(by_file.index.astype('string')))
    right(by_file.set_axis(by_file.index.astype('category')))
    right(by_file.set_axis(pd.Index([Path(o) for o in by_file.index])))
    right(pd.concat([by_file, pd.Series(1., ['c/pic_77.png'])]))    # more images than are trained on
    right(by_file.drop(images.fname[[0,5]]))                    # nothing for validation
    right(by_file.to_frame().iloc[:,0].sort_values(ascending=False))

def test_whole_numbers():
    offset = images.set_axis(images.index+1000)
    right(called(images.fname, offset.index), frame_dls(offset))
    right(unnamed('code'))
    right(unnamed('code').set_axis(images.code.astype(str)))
    right(unnamed('code').set_axis(images.code.astype(float)))  # as ids come back where one is missing
    right(unnamed('code').set_axis(images.code.astype('Int64')))
    right(unnamed('code').set_axis(images.code.astype('int16')))
    right(unnamed('code').rename_axis('image'))                 # as `consensus` calls its index
    right(unnamed('id').rename_axis('id'))
    right(called(images.fname, pd.Index(images.index, name='index')))
    right(unnamed('code').rename_axis('code').drop([100,102]), missing=-1., min=None)
    huge = images.assign(code=images.code + 10**18)
    right(unnamed('code', huge), frame_dls(huge))
    crops = pd.concat([images.assign(crop=i) for i in range(3)], ignore_index=True)
    right(unnamed('code'), frame_dls(crops))                    # several crops have the number of one picture
    refused('counts rows and names no image', called(images.fname, images.index))
    refused('counts rows and names no image', called(images.fname, images.index.astype(str)))
    refused('counts rows and names no image', by_file.reset_index(drop=True)[::-1])
    refused("by .rename_axis('code')", unnamed('code').drop(unnamed('code').index[0]), missing=0)
    refused("by .rename_axis('code')", pd.concat([unnamed('code'), pd.Series(1., [7])]))
    refused('have no value', unnamed('code').set_axis(images.code.map('{:06d}'.format)))
    both = images.assign(other=images.code.to_numpy()[::-1])
    refused("may be 'code' or 'other'", unnamed('code'), frame_dls(both))
    right(unnamed('code').rename_axis('code'), frame_dls(both))

def test_what_a_csv_file_does():
    saved = by_file.rename_axis('image').rename('w').reset_index()
    refused("its column 'image' names them, so pass .set_index('image')", saved)
    refused("its column 'Unnamed: 0' names them", saved.rename(columns={'image':'Unnamed: 0'}))
    refused("its column 'image' names them", saved.assign(w=[.1]*N).astype({'w':str}))
    shuffled = images.sample(frac=1, random_state=3).reset_index(drop=True)
    refused('counts rows and names no image', saved.w, frame_dls(shuffled))
    some = saved.w.drop([0,3])                                  # and without those that have no votes
    refused('whole numbers', some, frame_dls(shuffled), missing=1)
    refused("no value: 'a/pic_02.png'", by_file.set_axis(' '+by_file.index), dls_of(images, [0,1]))
    refused('have no value', by_file.set_axis(by_file.index.str.upper()))
    refused('1 of 8 values have an index that is no name', by_file.set_axis([None,*by_file.index[1:]]))
    refused('1 of 8 values have an index that is no name', by_file.set_axis([.5,*by_file.index[1:]]))
    refused('1 images have more than one value', by_file.set_axis([by_file.index[1],*by_file.index[1:]]))
    refused('there are no values', by_file[:0])
    gaps = images.assign(code=images.code.where(images.code != images.code[3]))
    refused('1 of 6 images have no value', unnamed('code').rename_axis('code'), frame_dls(gaps))

def test_files_of_one_name():
    twins = pd.DataFrame({'fname': [f'{o}/{i}.png' for o in ('train','test') for i in range(6)]})
    by_number = pd.Series(range(6), [f'{i}.png' for i in range(6)])
    refused('have no value', by_number, dls_of(twins, [0]))
    refused('have no value', pd.Series(range(6), [f'test/{i}.png' for i in range(6)]), dls_of(twins[:6], [0]))
    got = align(pd.Series(range(12), twins.fname), dls_of(twins, [0]))
    assert got.tolist() == list(range(1,12))
    refused('have no value', by_file.set_axis(by_file.index.str.replace('png','jpg')))

def test_values():
    right(by_file.astype('Float64'))
    right(by_file.astype(str))
    right(by_file.astype(object))
    right(by_file.to_dict())
    right({Path(k):v for k,v in by_file.items()})
    right({k: torch.tensor(v) for k,v in by_file.items()})
    table = align({k: [v,1-v] for k,v in by_file.items()}, frame_dls(), min=None)
    assert table.shape == (6,2) and torch.equal(table.sum(1), torch.ones(6))
    assert align(by_file > 3, frame_dls()).unique().tolist() == [0,1]
    assert align(by_file.to_frame(), frame_dls()).shape == (6,1)
    right(by_file.where(by_file != 3), missing=3)
    refused('1 of 6 training images is not a finite number', by_file.where(by_file != 3))
    refused("is not a number, first: a/pic_02.png ('50 %')", by_file.astype(object).where(by_file != 3, '50 %'))
    refused('is not a number', pd.Series(pd.Timestamp('2026-01-01'), by_file.index))
    refused('is not a number', by_file.map(lambda o: [o]))
    refused('8 values for 6 training images (and 2 for validation', by_file.to_numpy())
    refused('is less than 0', -by_file)
    refused('missing', by_file[:-1], dls_of(images, [0]), missing=-1)

def test_crowd_kit():
    task = pd.Index(images.fname, name='task')
    right(called(images.fname, task))
    right(called(images.fname, 'https://example.org/pets/' + task))
    right(called(images.fname, task).sort_index(ascending=False))
    refused('counts rows', called(images.fname, pd.RangeIndex(N, name='task')))
    refused('have no value', pd.Series([.9,.8], pd.Index(['w1','w2'], name='worker')))
    long = pd.DataFrame({'task': np.repeat(images.fname, 2), 'worker': ['w1','w2']*N, 'label': 'a'})
    refused('more than one value', long.set_index('task').label.map(len))
    right(long.assign(w=worth[long.task].to_numpy()).groupby('task').w.first())

def labels(*args, **kw): return [*relabel(*args, **kw).label]

def test_relabel(capsys):
    df = images.assign(label=list('abcabcab'))
    assert labels(df, pd.Series('z', df.fname[2:4])) == list('abzzbcab')
    assert capsys.readouterr().out == '2 of 8 labels changed, 0 confirmed, 6 not in the new table\n'
    assert labels(df, {Path(df.fname[0]): 'b'}) == list('bbcabcab')
    assert labels(df, df.label.where(df.index > 1, 'c')) == list('cccabcab')            # as `correct` gives it
    assert labels(df, df.set_index('fname').label[::-1]) == list('abcabcab')
    assert labels(df, pd.Series('z', df.fname[:1]).reindex(df.fname)) == list('zbcabcab')    # NaN is no label
    assert labels(pd.concat([df,df]), pd.Series('z', df.fname[:1])) == list('zbcabcab')*2
    assert labels(df.astype({'label':'category'}), pd.Series('z', df.fname[:1])) == list('zbcabcab')
    assert labels(df.assign(label=None), pd.Series('z', df.fname)) == ['z']*8
    numbers = relabel(df.assign(label=range(8)), pd.Series(3, df.fname[:1]))
    assert numbers.label.tolist() == [3,1,2,3,4,5,6,7] and numbers.label.dtype == int
    assert labels(df, {df.fname[0]: ['z','y']}, label_delim=';')[0] == 'y;z'
    assert labels(df, pd.Series('z', [f'/elsewhere/{df.fname[0]}']))[0] == 'z'
    for contains,bad in [('8 of 8 images have no label', {'other.png':'a'}), ('counts rows', pd.Series(list('abcabcab'))),
                         ('pass a Series by image', list('abcabcab')), ('pass a Series by image', df.set_index('fname')),
                         ('make both the same', {df.fname[0]:7}), ('pass label_delim', {df.fname[0]:['a']}),
                         ('2 images have more than one label', pd.concat([df.set_index('fname').label[:2]]*2))]:
        with pytest.raises((ValueError,TypeError)) as e: relabel(df, bad)
        assert contains in str(e.value), str(e.value)
    with pytest.raises(KeyError, match="no column 'y'"): relabel(df, {}, column='y')

def test_find_rows_of_what_was_held_out():
    "As out-of-fold predictions are paired with their images"
    held = pd.Index(images.fname[[5,2,7]], name='fname')
    assert find_rows(held, images.iloc[[2,5,7]]).tolist() == [1,0,2]
    assert find_rows(held, [folder/o for o in images.fname[[7,2,5]]], folder).tolist() == [2,1,0]
    with pytest.raises(ValueError, match="1 of 3 images have no image"): find_rows(held, images.iloc[[2,5,6]], what='image')

# The same rule wherever a table comes in

digits300 = digits().query('~is_valid').iloc[:300][['fname','label']].assign(patient=np.arange(300)//3)
def linear(rows, bs=64): return Learner(digits_dls(rows, bs=bs), nn.Sequential(nn.Flatten(), nn.Linear(64,10)), loss_func=CrossEntropyLossFlat())
def out_of_fold(items, make=linear, epochs=1, **kw):
    def fit(learn):
        with learn.no_bar(), learn.no_logging(): learn.fit(epochs, 1e-2)
    return crossfold(items, make, fit, n_splits=3, **kw)

def test_held_out_images_are_found_by_name(tmp_path):
    "A make_learner that finds its images itself, in an order that isn't the table's"
    df,said = digits().query('label in ["3","7"]').iloc[:120],{}
    for i,(fname,label) in enumerate(zip(df.fname, df.label)):
        (tmp_path/label).mkdir(exist_ok=True)
        pixels = (255*digit_image(fname)[0].numpy()).astype('uint8')
        Image.fromarray(pixels).save(tmp_path/label/f'{(i*53)%120:03d}_{fname}')
    files = sorted(get_image_files(tmp_path))
    def make(rows):
        held = {Path(o).resolve() for o in rows.fname[rows.is_valid]}
        block = DataBlock((ImageBlock(PILImageBW), CategoryBlock), get_y=parent_label,
            get_items=lambda o: [f for c in ('3','7') for f in sorted(get_image_files(o/c), reverse=True)],
            splitter=FuncSplitter(lambda o: o.resolve() in held))
        dls = block.dataloaders(tmp_path, bs=16, num_workers=0, device='cpu', path=tmp_path)
        return Learner(dls, digit_cnn(2), loss_func=CrossEntropyLossFlat())
    def fit(learn):
        with learn.no_bar(), learn.no_logging(): learn.fit(1, 1e-2)
        with learn.no_bar(): probs = learn.get_preds()[0].numpy()
        said.update({o.as_posix(): row for o,row in zip(learn.dls.valid_ds.items, probs)})
    oof = crossfold(files, make, fit, y=parent_label, n_splits=3)
    assert len(said) == len(files)
    for o in files: np.testing.assert_allclose(oof.probs.loc[str(o), ['3','7']], said[str(o)], atol=1e-4)

by_patient = digits300.set_index('fname').patient
def groups_in_two_folds(df, **kw):
    oof = out_of_fold(df, **kw)
    return (oof.fold.groupby(digits300.set_index('fname').patient).nunique() > 1).sum()

@pytest.mark.parametrize('groups', ['patient', digits300.patient, digits300.patient.sample(frac=1, random_state=0), digits300.patient.to_numpy(),
    by_patient.sample(frac=1, random_state=1), by_patient.to_dict(), digits300.patient.map('P{}'.format).rename('other')],
    ids=['column','series','shuffled','array','by name','dict','made of a column'])
def test_groups_stay_together(groups):
    assert groups_in_two_folds(digits300, groups=groups) == 0

def test_groups_of_a_counted_table():
    counted = digits300.reset_index(drop=True)
    assert groups_in_two_folds(counted, groups=counted.patient.rename(None)) == 0      # of this very table
    with pytest.raises(ValueError, match='counts rows'):
        groups_in_two_folds(counted, groups=counted.patient.rename(None).sample(frac=1, random_state=0))

def test_images_without_a_group_are_each_for_itself(capsys):
    some = digits300.patient.where(digits300.index.isin(digits300.index[:60]))
    oof = out_of_fold(digits300, groups=some)
    assert capsys.readouterr().out.startswith('240 of 300 images have no group')
    assert oof.fold.value_counts().min() > 80

def test_labels_are_a_column():
    with pytest.raises(TypeError, match='y is a Series, and should be the column of the labels; put labels of your own into the table by relabel'):
        out_of_fold(digits300, y=digits300.label)

def test_upsampled_images_are_refused_by_crossfold():
    with pytest.raises(ValueError, match="3 of 303 images share a name, first: 'digit_0000.png'"):
        out_of_fold(pd.concat([digits300, digits300[:3]]))

def test_corrected_labels():
    label = pd.Series([3,7,7], ['a','b','c'])
    for given,fix in [(label,7), (label > 3,True), (label.map({3:'x',7:'y'}),'y'), (label.map({3:'x',7:'y'}).astype('category'),'y')]:
        out = correct(given, {'a':fix})
        assert [*out] == [fix]*3 and out.dtype.name == given.dtype.name and [*out.index] == [*'abc']
    assert [*correct(label.set_axis([12,15,19]), {15:3})] == [3,3,7]
    assert [*correct(label.set_axis(['x/1.png','x/2.png','x/3.png']), {'2.png':3})] == [3,3,7]
    with pytest.raises(ValueError, match="1 of 2 images have no label: 'd'"): correct(label, {'a':7, 'd':7})
    with pytest.raises(ValueError, match='counts rows'): correct(label.reset_index(drop=True), {1:3})
    df = images.assign(label=list('abcabcab'))
    fixed = correct(df.set_index('fname').label, {df.fname[0]:'b', df.fname[3]:'c'})
    assert labels(df, fixed) == list('bbccbcab')                # d['label'] = correct(...) gives nan throughout
    with pytest.raises(ValueError): correct(df.label, {df.fname[0]:'b'})

def test_callbacks():
    soft = pd.get_dummies(digits300.set_index('fname').label).astype(float)
    rare = digits300[digits300.label == '7']
    sets = pd.concat([digits300, rare, rare], ignore_index=True).assign(is_valid=lambda o: o.index % 5 == 0)
    weights = pd.Series(np.linspace(.5, 1, 300), digits300.fname)
    for cbs in [SoftLabels(soft), ImageWeights(weights), Curriculum(weights, .6, .5, 1), ImageWeights(weights[:200], missing=1)]:
        learn = Learner(digits_dls(sets), digit_cnn(10), loss_func=SoftCrossEntropy(), cbs=cbs)
        with learn.no_bar(), learn.no_logging(): learn.fit(1)
        assert np.isfinite(learn.recorder.losses[-1])
    for cbs in [SoftLabels(soft.reset_index(drop=True)), ImageWeights(weights.reset_index(drop=True)), ImageWeights(weights.reset_index(drop=True)[5:], missing=1),
                Curriculum(weights.reset_index(drop=True), .9, .5, 1)]:
        learn = Learner(digits_dls(sets), digit_cnn(10), loss_func=SoftCrossEntropy(), cbs=cbs)
        with pytest.raises(ValueError, match='counts rows|whole numbers'), learn.no_bar(), learn.no_logging(): learn.fit(1)

def test_names_asked_for_as_such():
    table = pd.Series(range(3), pd.Index([30,10,20], name='id'))
    assert find_rows(table, pd.Index([10,20])).tolist() == [1,2]
    assert find_rows(table, pd.Index(['10'], name='id')).tolist() == [1]
    with pytest.raises(ValueError, match="1 of 2 images have no label: '5'. That is by 'id'"): find_rows(table, pd.Index([5,10], name='id'), what='label')
    with pytest.raises(ValueError, match='counts rows'): find_rows(table.reset_index(drop=True), pd.Index([1,2]))
    called = table.reset_index(drop=True).rename_axis('id')
    assert find_rows(called, pd.Index([1,2], name='id')).tolist() == [1,2]

def test_thresholds_by_class_name(tmp_path):
    "Twelve classes called '0' to '11', which a vocab sorts as text"
    rng,ids = np.random.default_rng(0),[str(i) for i in range(12)]
    targs = rng.random((300,12)) < .3
    probs = np.clip(.2*targs + .1*rng.random((300,12)) + .06*np.arange(12), 0, 1)
    t = tune_thresholds(probs, targs, vocab=ids, n_boot=0, folds=0)
    assert (np.diff(t.values[ids]) > 0).all()
    t.to_csv(tmp_path/'t.csv')
    for o in (t, Thresholds.from_csv(tmp_path/'t.csv')):
        assert np.allclose(o.reorder(sorted(ids)).values[ids], t.values[ids])
    table = pd.DataFrame(probs, columns=ids)
    other = tune_thresholds(table[ids[::-1]], pd.DataFrame(targs, columns=ids), vocab=ids, n_boot=0, folds=0)
    assert np.allclose(other.values[ids], t.values[ids])
    assert t.apply(table[sorted(ids)])[ids].equals(t.apply(table)[ids])
    with pytest.raises(ValueError, match="not classes: 'x'"): t.apply(table.rename(columns={'3':'x'}))

def test_from_votes_to_weights(capsys):
    "The program of the first page, with images that nobody voted on and numbers for names"
    df = digits300.assign(id=1000+7*np.arange(300), is_valid=np.arange(300) % 5 == 0)
    votes = annotate(df.set_index('id').label, [.9,.8,.7], seed=0)[:250]
    long = votes.stack().rename_axis(['task','worker']).rename('label').reset_index()
    for given in (votes, long):
        v = consensus(given)
        out = relabel(df, v.label.rename_axis('id'))
        assert (out.label[:250].to_numpy() == v.label.loc[df.id[:250]].to_numpy()).all()
        assert out.label[250:].equals(df.label[250:])
        learn = Learner(digits_dls(out), digit_cnn(10), loss_func=CrossEntropyLossFlat(), cbs=ImageWeights(v.quality.rename_axis('id'), missing=1))
        with learn.no_bar(), learn.no_logging(): learn.fit(1)
        got = align(v.quality.rename_axis('id'), learn.dls, missing=-1, min=None).numpy()
        want = v.quality.reindex(learn.dls.train_ds.items.id).fillna(-1)
        assert np.allclose(got, want)
    named = votes.set_axis(df.fname[:250])
    right = consensus(named).label
    for column in ('image','Unnamed: 0'):                       # read without index_col
        assert (consensus(named.rename_axis(column).reset_index()).label[right.index] == right).all()
    with pytest.raises(ValueError, match="column 'picture' looks like the names of the images"):
        consensus(named.rename_axis('picture').reset_index())
    with pytest.raises(ValueError, match='counts rows'):
        align(consensus(named.reset_index(drop=True)).quality, learn.dls)

# Any order, any part, again and again, numbered anew: the same for the same image, class or annotator, or an error

some_order = settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
breeds = list('abc')

@some_order
@given(of_df=rows, of_labels=order, keep=st.sets(st.integers(0, N-1), min_size=1), kind=st.sampled_from(text), renumber=st.booleans())
def test_any_order_relabel(of_df, of_labels, keep, kind, renumber):
    df = images.assign(label='old').iloc[of_df]
    new = pd.Series(images.fname.to_list(), pd.Index(names_of[kind](images))).iloc[list(of_labels)]    # its own name as label
    new = new[[o in {images.fname[i] for i in keep} for o in new]]
    if renumber: df = df.reset_index(drop=True)
    try: out = relabel(df, new, path=folder)
    except ValueError: assert not set(df.fname) & set(new)      # none of the images is named
    else: assert all(o == (f if f in set(new) else 'old') for o,f in zip(out.label, df.fname))

@some_order
@given(of_labels=order, fix=st.dictionaries(st.integers(0, N-1), st.sampled_from(breeds), min_size=1), kind=st.sampled_from(text))
def test_any_order_correct(of_labels, fix, kind):
    given = pd.Series(['old']*N, images.fname).iloc[list(of_labels)]
    names = list(names_of[kind](images))
    out = correct(given, {names[i]: o for i,o in fix.items()}) if kind != 'absolute' else correct(given, {images.fname[i]: o for i,o in fix.items()})
    assert out.to_dict() == {f: fix.get(i, 'old') for i,f in enumerate(images.fname)}

def made_up(index, seed=0):
    probs = np.random.default_rng(seed).dirichlet(np.ones(3), len(index))
    return pd.DataFrame(probs, index, breeds)

@some_order
@given(of_probs=order, of_labels=order, columns=st.permutations(range(3)))
def test_any_order_out_of_fold(of_probs, of_labels, columns):
    label = pd.Series(list('abcabcab'), images.fname)
    probs = made_up(images.fname)
    want = OutOfFold(probs, label)
    got = OutOfFold(probs.iloc[list(of_probs),list(columns)], label.iloc[list(of_labels)])
    assert (got.confidence[want.index] == want.confidence).all()
    soft = blend(got, labels=label.iloc[list(of_labels)])
    assert np.allclose(soft.loc[want.index,breeds], blend(want))
    a,b = label_issues(got),label_issues(want)
    assert np.allclose(a.quality[want.index], b.quality[want.index], atol=1e-3)

crowd = annotate(pd.Series(list('abcabcab')*4, [f'{o}{i}.png' for i in range(4) for o in images.fname.str[:-4]]), [.9,.8,.7,.6], seed=0)

sixty = digits300[:60].reset_index(drop=True)
by_name = sixty.set_index('fname')

@settings(some_order, max_examples=8)
@given(of_table=st.permutations(range(60)), of_labels=st.permutations(range(60)), of_groups=st.permutations(range(60)), keep=st.integers(50, 60))
def test_any_order_crossfold(of_table, of_labels, of_groups, keep):
    df = sixty.iloc[of_table[:keep]]
    df = relabel(df.assign(label='?'), by_name.label.iloc[of_labels])
    oof = out_of_fold(df, lambda rows: linear(rows, bs=8), groups=by_name.patient.iloc[of_groups], fewer_splits=True)
    assert (oof.label == by_name.label[oof.index]).all() and set(oof.index) == set(df.fname)
    assert oof.fold.groupby(by_name.patient[oof.index].to_numpy()).nunique().max() == 1

@some_order
@given(order=st.permutations(range(32)), people=st.permutations(range(4)), form=st.sampled_from(['wide','long','crowd-kit','column']), method=st.sampled_from(['majority','dawid_skene']))
def test_any_order_votes(order, people, form, method):
    want = consensus(crowd, method=method)
    table = crowd.iloc[order,people]
    if form == 'column': table = table.rename_axis('image').reset_index()
    if form in ('long','crowd-kit'):
        names = ['image','annotator','label'] if form == 'long' else ['task','worker','label']
        table = table.stack().rename_axis(names[:2]).rename('label').reset_index()
    got = consensus(table, method=method)
    assert got.label.to_dict() == want.label.to_dict()
    assert np.allclose(got.quality[want.label.index], want.quality, atol=1e-4)
    assert np.allclose(got.annotators.skill[want.annotators.index], want.annotators.skill, atol=1e-4)

@some_order
@given(order=st.permutations(range(32)), columns=st.permutations(range(3)), count=st.booleans())
def test_any_order_predictions(order, columns, count):
    probs = made_up(crowd.index)
    want = consensus(crowd, pred_probs=probs)
    mixed = probs.iloc[order,columns]
    if not count:
        got = consensus(crowd, pred_probs=mixed)
        assert got.probs.equals(want.probs)
        assert ask_next(want, mixed, 5).index.tolist() == ask_next(want, probs, 5).index.tolist()
    else:
        for f in (lambda: consensus(crowd, pred_probs=mixed.reset_index(drop=True)), lambda: ask_next(want, mixed.reset_index(drop=True), 5)):
            with pytest.raises(ValueError, match='have no prediction|counts rows'): f()

@some_order
@given(order=st.permutations(range(3)), rows=st.permutations(range(3)))
def test_any_order_classes(order, rows):
    cost = pd.DataFrame([[0,1,5],[2,0,1],[9,3,0]], breeds, breeds)
    probs = made_up(range(20))
    mixed = cost.iloc[order,rows]
    assert torch.equal(least_cost(probs.to_numpy(), mixed, breeds), least_cost(probs.to_numpy(), cost, breeds))
    targs = pd.DataFrame(np.random.default_rng(1).random((20,3)) < probs, columns=breeds)
    t = tune_thresholds(probs, targs, n_boot=0, folds=0)
    other = tune_thresholds(probs.iloc[:,order], targs.iloc[:,rows], n_boot=0, folds=0)
    assert np.allclose(other.values[breeds], t.values[breeds])
    assert t.apply(probs.iloc[:,order])[breeds].equals(t.apply(probs)[breeds])

def test_costs_of_other_classes():
    probs = made_up(range(4)).to_numpy()
    for table in (pd.DataFrame(1-np.eye(3), breeds, list('abx')), pd.DataFrame(1-np.eye(3), list('abx'), breeds)):
        with pytest.raises(ValueError, match='x'): least_cost(probs, table, breeds)

# Votes that can't be what they look like

def counted(**kw): return pd.DataFrame({'Ann': ['cat','dog','cat','cat'], 'Bob': ['cat','dog','dog','cat'], **kw}, ['i1.png','i2.png','i3.png','i4.png'])

def test_votes_that_look_wrong(capsys):
    fine = consensus(counted()).label
    for same in (counted().reset_index(names='image'), counted().reset_index(names='Unnamed: 0'),
                 counted().set_axis([Path(o) for o in counted().index]), counted().astype('category'), counted().astype('string'),
                 counted().T.rename_axis('worker').reset_index().melt('worker', var_name='task', value_name='label')):
        assert consensus(same).label.tolist() == fine.tolist()
    assert "'Unnamed: 0' is taken for the names" in capsys.readouterr().out
    gaps = consensus(counted(Cas=['','cat',' ',None])).label
    assert gaps.index.tolist() == fine.index.tolist() and '2 of ' in capsys.readouterr().out
    for contains,bad in [('differ only in case', counted(Cas=['Cat','dog','dog','cat'])), ('differ only in case', counted(Cas=['cat ','dog','dog','cat'])),
                         ("looks like the names of the images", counted(file=['i1','i2','i3','i4'])),
                         ('seem to hold several', counted(Cas=['cat dog','dog','dog cat','cat'])), ('seem to hold several', counted(Cas=['cat;dog','dog','cat','cat'])),
                         ('more than one row', pd.concat([counted(), counted()[:1]])), ('no votes', counted()[:0])]:
        with pytest.raises(ValueError) as e: consensus(bad)
        assert contains in str(e.value), str(e.value)
    assert 'no label' in raised(lambda: relabel(images.assign(label='x'), fine))
    mine = images[:4].assign(fname=counted().index, label='x')
    assert relabel(mine, fine.set_axis(['i1','i2','i3','i4'])).label.tolist() == fine.tolist()     # ids without the ending that files have

def raised(f):
    with pytest.raises((ValueError,TypeError,KeyError)) as e: f()
    return str(e.value)

# Before anything trains

def never(learn): raise AssertionError('trained')

@pytest.mark.parametrize('contains,items', [
    ('has no rows', digits300[:0]),
    ('neither True nor False in 300 of 300', digits300.assign(is_valid='False')),
    ('neither True nor False in 1 of 300', digits300.assign(is_valid=[None, *[False]*299])),
    ('all 300 rows are is_valid', digits300.assign(is_valid=True)),
    ('2 of 300 images have no label', digits300.assign(label=digits300.label.where(digits300.index > digits300.index[1]))),
    ("no column 'label'", digits300.drop(columns='label')),
    ('share a name', digits300.assign(fname='a.png')),
    ('items are paths and y is', [folder/o for o in images.fname]),
], ids=['empty','text','gap','all held out','no label','no column','one name','paths without y'])
def test_before_anything_trains(contains, items):
    assert contains in raised(lambda: crossfold(items, linear, never, n_splits=3))

def test_columns_without_a_name():
    "`to_csv` without index=False, read again"
    saved = digits300[:120].reset_index(drop=True).reset_index(names='Unnamed: 0')
    assert out_of_fold(saved).index.tolist() == digits300.fname[:120].tolist()

def test_several_labels_of_a_consensus_go_into_crossfold():
    sets = scenes(160, seed=0)
    said = pd.DataFrame({who: sets.labels.str.split() for who in ('Ann','Bob')}).set_axis(sets.fname)
    lists = consensus(said).label
    def make(table):
        table = table.assign(labels=table.labels.map(lambda o: o if isinstance(o, str) else ' '.join(o)))
        return Learner(digits_dls(table, y='labels', bs=16), nn.Sequential(nn.Flatten(), nn.LazyLinear(10)))
    oof = out_of_fold(lists.rename('labels').rename_axis('fname').reset_index(), make, y='labels')
    assert oof.several and oof.index.tolist() == sets.fname.tolist()
    table = sets[['fname','labels']].assign(labels=sets.labels.where(sets.labels != ''))     # as a CSV file has an empty tag
    assert table.labels.isna().any()
    gaps = out_of_fold(table, lambda t: make(t.fillna({'labels':''})), y='labels', label_delim=' ')
    assert (gaps.has()[table.labels.isna()] == False).all()
    assert np.allclose(gaps.probs.loc[oof.index,oof.vocab], oof.probs, atol=1e-4)

def test_another_make_learner_is_noticed(tmp_path):
    df = digits300[:120]
    out_of_fold(df, save=tmp_path)
    def deeper(rows): return Learner(digits_dls(rows), nn.Sequential(nn.Flatten(), nn.Linear(64,32), nn.ReLU(), nn.Linear(32,10)), loss_func=CrossEntropyLossFlat())
    with pytest.warns(UserWarning, match='make_learner changed since the folds'): out_of_fold(df, deeper, save=tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter('error', UserWarning)
        out_of_fold(df, save=tmp_path)
