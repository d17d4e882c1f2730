"Every plot function with names and pictures as people have them: no two texts overlap, none is cut, all can be read on a phone"
from contextlib import contextmanager
from itertools import combinations, product
from pathlib import Path
import matplotlib; matplotlib.use('agg')
import matplotlib.pyplot as plt, numpy as np, pandas as pd, pytest, torch
from matplotlib.colors import to_rgb
from matplotlib.text import Text
from functools import partial
from torch import nn
from fastai.vision.all import (CategoryBlock, ColReader, ColSplitter, CrossEntropyLossFlat, DataBlock, ImageDataLoaders, IntToFloatTensor,
                               Learner, MultiCategoryBlock, PILImage, PILImageBW, Resize, ToTensor, TransformBlock, no_random)
from softlabel_nbdev.all import (Curriculum, consensus, cost_matrix, explain, plot_issues, plot_loss, plot_matrix, plot_mining,
                                 plot_votes, review, show_disputed, show_pictures, soft_targets, tune_abstention, tune_thresholds)
from softlabel_nbdev.course import course_style

OUT = Path(__file__).parent/'out'       # where there is this folder, figures are saved in it, to be looked at
PHONE = 350                             # CSS pixels for a figure on a screen of 390
LEAST = 8.5                             # CSS pixels, the smallest text that is read; tables of the site have 11

# --- names and pictures --------------------------------------------------------------

BREEDS = ['Rhodesian ridgeback', 'Old English sheepdog', 'Border terrier', 'Australian terrier', 'English foxhound',
          'Shih-Tzu', 'Samoyed', 'Beagle', 'Golden retriever', 'Dingo']
LONG = ['Staffordshire bullterrier', 'American_water_spaniel_xy', 'Wirehaired pointing grif.', 'Bouvier des Flandres dog!',
        'Weimaraner-long-haired-wm', 'Mmmmmmmmmmmmmmmmmmmmmmmmm', 'iiiiiiiiiiiiiiiiiiiiiiiii', 'Norwegian elkhound, black',
        'Greater Swiss Mountain do', 'Petit basset griffon vend']
assert {len(o) for o in LONG} == {25}

def breed(i): return f'{BREEDS[i%10]} {"ABCD"[i//10]}'

def picture(name, grey=False, shape=None):
    "A picture that depends on its name, upright for even numbers and wide for odd ones, or of `shape`"
    i = int(''.join(filter(str.isdigit, name)))
    h,w = shape or [(90,60), (60,90)][i%2]
    y,x = np.mgrid[:h,:w]/30
    waves = np.stack([np.sin(x*(i%5+1) + k)*np.cos(y*(i%3+1) - k) for k in range(3)], -1)
    image = PILImage.create((127*waves + 128).astype(np.uint8))
    return PILImageBW(image.convert('L')) if grey else image

class Case:
    "A kind of data: names of classes, and what its pictures are like"
    def __init__(self, names, *, n=60, labels=1, **kind):
        self.names, self.labels = names, labels
        rng = np.random.default_rng(0)
        self.get_image = partial(picture, **kind)
        self.files = [f'n0208{i:04d}_photo.JPEG' for i in range(n)]
        # the first classes are the frequent ones, each class occurs
        share = 1/np.arange(1, len(names)+1)
        drawn = rng.choice(len(names), (n,labels), p=share/share.sum())
        drawn[:len(names)] = np.arange(len(names))[:n,None]
        self.drawn = drawn
        if labels > 1: self.drawn = np.stack([rng.permutation(len(names))[:labels] for _ in range(n)])

    def label(self, i): return ';'.join(self.names[j] for j in self.drawn[i])

    def learner(self, **kwargs):
        "An untrained model, seeded"
        df = pd.DataFrame({'fname': self.files, 'label': [self.label(i) for i in range(len(self.files))], 'is_valid': False})
        df = pd.concat([df, df.assign(is_valid=True)], ignore_index=True)
        block = TransformBlock(type_tfms=self.get_image, item_tfms=[Resize(24), ToTensor], batch_tfms=IntToFloatTensor)
        dblock = DataBlock((block, MultiCategoryBlock(vocab=self.names) if self.labels > 1 else CategoryBlock(vocab=self.names, sort=False)),
                           get_x=ColReader('fname'), get_y=ColReader('label', label_delim=';' if self.labels > 1 else None),
                           splitter=ColSplitter())
        dls = dblock.dataloaders(df, bs=len(self.files), num_workers=0)
        x = dls.one_batch()[0]
        with no_random(): model = nn.Sequential(nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(16*x.shape[1], len(self.names)))
        return Learner(dls, model, **kwargs)

CASES = {
    'long':      Case(LONG),
    'two':       Case(['healthy', 'pneumonia, bacterial or viral']),
    '37':        Case([breed(i) for i in range(37)], n=120),
    'portrait':  Case(BREEDS, shape=(120,50)),
    'landscape': Case(BREEDS, shape=(50,120)),
    'grey':      Case(BREEDS, grey=True),
    'colour':    Case(BREEDS),
    'digits':    Case([str(i) for i in range(10)], grey=True, shape=(40,40)),
    'labels':    Case(BREEDS, labels=5),
    '13':        Case([f'{LONG[i%5][:22]} {i:02d}' for i in range(13)]),
    '40':        Case([f'{LONG[i%5][:22]} {i:02d}' for i in range(40)]),
    '60':        Case([f'{breed(i%40)} {i}' for i in range(60)]),
}

# --- the functions -------------------------------------------------------------------

def draw_show_pictures(case):
    titles = [f'{case.label(i)} → {case.label(i+1)}\n{case.files[i]}' for i in range(9)]
    heads = [case.names[i%len(case.names)] for i in range(3)]
    return show_pictures(map(case.get_image, case.files[:9]), titles, row_heads=heads)

def draw_explain(case): return explain(case.learner())

def issues_of(case):
    labels = [case.label(i) for i in range(len(case.files))]
    return pd.DataFrame({'given': labels, 'suggested': labels[1:] + labels[:1], 'quality': np.linspace(0, 1, len(labels)),
                         'is_issue': True}, pd.Index(case.files, name='image'))

def delim_of(case): return ';' if case.labels > 1 else None

def draw_plot_issues(case): return plot_issues(issues_of(case), case.get_image, label_delim=delim_of(case))

def draw_review(case): return review(issues_of(case), case.get_image, save=None, label_delim=delim_of(case)).plot()

def tree_of(case): return {f'group {g}': case.names[g::3] for g in range(3) if case.names[g::3]}

def draw_plot_matrix(case): return plot_matrix(cost_matrix(case.names, tree_of(case)))

def draw_plot_matrix_soft(case):
    return plot_matrix(soft_targets(cost_matrix(case.names, tree_of(case))), tree=tree_of(case))

def draw_plot_matrix_counts(case):
    counts = np.random.default_rng(0).poisson(np.eye(len(case.names))*2000 + 3)
    return plot_matrix(pd.DataFrame(counts, case.names, case.names))

def draw_plot_loss(case): return plot_loss(CrossEntropyLossFlat())

def draw_curriculum(case):
    dls = case.learner().dls
    score = pd.Series(np.linspace(0, 1, len(case.files)), case.files)
    return Curriculum(score, 1, 0, 4).plot(dls=dls)

def probs_of(case):
    rng = np.random.default_rng(0)
    targs = np.zeros((400, len(case.names)), int)
    targs[np.arange(400), rng.integers(len(case.names), size=400)] = 1
    logits = 3*targs + rng.normal(size=targs.shape)
    return torch.tensor(logits).softmax(1), torch.tensor(targs)

def draw_thresholds(case):
    probs, targs = probs_of(case)
    return tune_thresholds(probs, targs, vocab=case.names, n_boot=20).plot()

def draw_abstention(case):
    probs, targs = probs_of(case)
    return tune_abstention(probs, targs.argmax(1), min_accuracy=.9).plot()

def draw_plot_mining(case): return plot_mining(case.learner())

def votes_of(case):
    "Three people, who often disagree"
    rng = np.random.default_rng(0)
    truth = case.drawn[:,0]
    said = [np.where(rng.random(len(truth)) < .6, truth, rng.integers(len(case.names), size=len(truth))) for _ in range(3)]
    return pd.DataFrame({f'person {i}': np.array(case.names, object)[o] for i,o in enumerate(said)}, case.files)

def draw_plot_votes(case): return plot_votes(votes_of(case))

def draw_show_disputed(case): return show_disputed(votes_of(case), case.get_image)

def draw_consensus(case): return consensus(votes_of(case)).plot()

FUNCTIONS = {name.removeprefix('draw_'): f for name,f in list(globals().items()) if name.startswith('draw_')}
SINGLE_ONLY = {'plot_votes', 'show_disputed', 'consensus'}

# --- what is measured ----------------------------------------------------------------

@contextmanager
def drawn_texts():
    "The texts that matplotlib draws, in a list that fills while figures are drawn"
    texts, draw = [], Text.draw
    def record(self, renderer, *args, **kwargs):
        if self.get_visible() and self.get_text().strip(): texts.append(self)
        return draw(self, renderer, *args, **kwargs)
    Text.draw = record
    try: yield texts
    finally: Text.draw = draw

def overlap(a, b, slack=1.):
    "Whether two boxes share more than a pixel in both directions"
    return (min(a.x1, b.x1) - max(a.x0, b.x0) > slack) and (min(a.y1, b.y1) - max(a.y0, b.y0) > slack)

def luminance(colour):
    rgb = np.array(to_rgb(colour))
    return np.where(rgb <= .04045, rgb/12.92, ((rgb+.055)/1.055)**2.4) @ [.2126, .7152, .0722]

def contrast(a, b):
    a,b = sorted((luminance(a), luminance(b)))
    return (b+.05)/(a+.05)

def faults(fig, file):
    "What can't be read in a figure, in words"
    with drawn_texts() as texts:
        fig.canvas.draw()
        texts.clear()               # a layout may move things in the first pass
        if OUT.exists(): fig.savefig(file, dpi='figure')
        else: fig.canvas.draw()
    texts = list(dict.fromkeys(texts))
    boxes = [o.get_window_extent() for o in texts]
    says = [repr(o.get_text().replace('\n', ' '))[:60] for o in texts]
    page = fig.bbox
    for o,box in zip(says, boxes):
        if box.x0 < page.x0-1 or box.y0 < page.y0-1 or box.x1 > page.x1+1 or box.y1 > page.y1+1: yield f'{o} is cut'
    for (a,p),(b,q) in combinations(zip(says, boxes), 2):
        if overlap(p, q): yield f'{a} and {b} overlap'
    pictures = [im.get_window_extent() for ax in fig.axes for im in ax.images]
    inside = {id(t) for ax in fig.axes for t in ax.texts}     # numbers in a matrix lie on it
    for text,o,box in zip(texts, says, boxes):
        if id(text) not in inside and any(overlap(box, p) for p in pictures): yield f'{o} lies on a picture'
    scale = min(1, PHONE/page.width)
    for text,o in zip(texts, says):
        size = text.get_fontsize()/72*fig.dpi*scale
        if size < LEAST: yield f'{o} has {size:.1f} pixels on a phone'
        if id(text) not in inside and contrast(text.get_color(), fig.get_facecolor()) < 4.5: yield f'{o} does not stand out from its ground'

def figures_of(name, case):
    plt.close('all')
    axes = FUNCTIONS[name](CASES[case])
    if isinstance(axes, plt.Axes): axes = [axes]
    if not all(isinstance(ax, plt.Axes) for ax in axes): raise TypeError(f'{name} returns {type(axes)}, not its axes')
    return [plt.figure(i) for i in plt.get_fignums()]

def check(name, case, tag):
    found = []
    for i,fig in enumerate(figures_of(name, case)):
        found += faults(fig, OUT/f'{name}-{case}-{tag}{i or ""}.png')
    plt.close('all')
    assert not found, f'{len(found)} faults: ' + '; '.join(found[:6])

GRIDS = {'show_pictures', 'explain', 'plot_issues', 'review', 'show_disputed', 'plot_mining'}
MATRICES = {'plot_matrix', 'plot_matrix_soft', 'plot_matrix_counts'}

def cases_of(name):
    "What a function can tell apart: grids what the pictures are like, matrices how many classes there are"
    if name in GRIDS: return [o for o in CASES if o not in ('13', '40', '60') and (o != 'labels' or name not in SINGLE_ONLY)]
    return ['long', 'two', '37', 'colour'] + ['13', '40', '60']*(name in MATRICES)

def combinations_to_draw():
    "Every function with long names, many classes and several labels; all else is drawn for one grid and one matrix, and for the others under `slow`"
    for name in FUNCTIONS:
        for case in cases_of(name):
            quick = case in ('long', '37', 'labels', '13', '40', '60') or name == 'show_pictures'
            yield pytest.param(name, case, 'default', marks=[] if quick else pytest.mark.slow)
        hard = [o for o in ('long', '37', 'grey', 'labels') if o in cases_of(name)]
        for look, case in product(('dark_background', 'course'), hard):
            quick = case == 'long' and name not in GRIDS - {'show_pictures'}
            yield pytest.param(name, case, look, marks=[] if quick else pytest.mark.slow)

@pytest.mark.parametrize('name,case,look', combinations_to_draw())
def test_can_be_read(name, case, look):
    with plt.style.context('dark_background' if look == 'dark_background' else 'default'):
        if look == 'course': course_style()
        check(name, case, look)

@pytest.mark.parametrize('case', ['two', 'long', '13', '37', '40', '60'])
def test_names_of_a_matrix(case):
    "Up to 40 classes each has its name beside its row and at its column, beyond that none has; from 13 on the largest entries are listed"
    names = CASES[case].names
    ax = draw_plot_matrix_counts(CASES[case])
    at = [[o for o in (tick.label1, tick.label2) if o.get_visible()] for tick in ax.xaxis.get_major_ticks()]
    assert all(len(o) == 1 for o in at) and len(at) == (0 if case == '60' else len(names))
    for written in ([o.get_text() for o in ax.get_yticklabels()], [o[0].get_text() for o in at]):
        for name,o in zip(names, written): assert ''.join(o.split())[:12] == ''.join(name.split())[:12]
    if case in ('13', '40'): assert [o[0].get_text() for o in at] == names
    listed = ax.figure.texts[0].get_text()
    assert ('largest' in listed) == (len(names) > 12)
    plt.close('all')

# --- where the pictures are ----------------------------------------------------------

@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    "A folder of twelve pictures, each of one colour"
    folder = tmp_path_factory.mktemp('photos')
    for i in range(12): PILImage.create(np.full((20,30,3), 20*i, np.uint8)).save(folder/f'{i:02d}.png')
    return folder

def shade(ax): return int(np.asarray(ax.images[0].get_array()).mean())//20

@pytest.mark.parametrize('kind', ['function', 'folder', 'dls', 'learner', 'files'])
def test_get_image(kind, folder, monkeypatch):
    "A function, a folder, DataLoaders or a Learner; nothing where the names are files"
    names = [f'{i:02d}.png' for i in range(12)]
    dls = ImageDataLoaders.from_name_func(folder, [folder/o for o in names], lambda o: 'ab'[int(o[:2])%2], num_workers=0, bs=4)
    monkeypatch.chdir(folder)
    ways = dict(function=lambda o: PILImage.create(folder/o), folder=str(folder), dls=dls, learner=Learner(dls, nn.Identity()), files=None)
    issues = pd.DataFrame({'given': 'a', 'suggested': 'b', 'is_issue': True}, names[::-1])
    votes = pd.DataFrame({'x': list('ab')*6, 'y': list('aabb')*3}, names)
    assert [shade(o) for o in plot_issues(issues, ways[kind])] == [*range(11, -1, -1)]
    assert [shade(o) for o in review(issues, ways[kind], save=None).plot()] == [*range(11, -1, -1)]
    assert [shade(o) for o in show_disputed(votes, ways[kind], 3)] == [1, 2, 5]
    plt.close('all')
