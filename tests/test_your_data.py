"The pages for data of one's own, with both of their lines changed, run in an empty folder"
import json, os, re, subprocess, sys

import numpy as np, pandas as pd, pytest, torch
from PIL import Image
from fastcore.foundation import working_directory
from fastai.learner import load_learner
from torchvision.models import squeezenet1_1
from conftest import ROOT
import softlabel_nbdev.all   # `answers`

COLOURS = {'red': (200,30,30), 'green': (30,200,30), 'blue': (30,30,200)}

def program(page, **lines):
    "The code of a page with these lines changed, as a program"
    cells = json.loads((ROOT/'nbs'/page).read_text(encoding='utf-8'))['cells']
    code = [''.join(c['source']) for c in cells if c['cell_type'] == 'code']
    text = '\n\n'.join(o for o in code if '%pip' not in o)
    for name,value in lines.items():
        text, n = re.subn(rf'^{name} *= None', f'{name} = {value!r}', text, flags=re.M)
        assert n == 1, name
    return text

def small(text):
    "The same with smaller pictures, a smaller network and one epoch: a test has no time"
    for old,new in (('Resize(224)', 'Resize(32), num_workers=0'), ('resnet18', 'squeezenet1_1'),
                    ('fine_tune(4)', 'fine_tune(1)'), ('bs=32', 'bs=8')):
        assert old in text
        text = text.replace(old, new)
    return text

@pytest.fixture(scope='module')
def weights(tmp_path_factory):
    "A folder in which torch finds weights for the network, random ones: it downloads nothing"
    home = tmp_path_factory.mktemp('torch')
    (home/'hub/checkpoints').mkdir(parents=True)
    torch.save(squeezenet1_1().state_dict(), home/'hub/checkpoints/squeezenet1_1-b8a52dc0.pth')
    return home

def run(text, folder, weights):
    "What the program printed, run in `folder`"
    (folder/'page.py').write_text(f"from IPython.display import display\n{text}", encoding='utf-8')
    env = {**os.environ, 'PYTHONPATH': str(ROOT), 'TORCH_HOME': str(weights), 'OMP_NUM_THREADS': '1', 'MPLBACKEND': 'agg'}
    done = subprocess.run([sys.executable, '-W', 'ignore', 'page.py'], cwd=folder, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout

def paint(folder, labels):
    "Pictures with a stripe of each colour that they are labelled with"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name,colours in labels.items():
        pixels = rng.integers(90, 160, (32,32,3))
        for i,colour in enumerate(colours): pixels[8*i:8*i+8] = COLOURS[colour]
        Image.fromarray(pixels.astype(np.uint8)).save(folder/name)

def answered(folder):
    "What the exported model says of the pictures, in this process, which knows nothing of the page"
    with working_directory(folder):
        learn = load_learner('your_model/model.pkl')
        answers = json.loads(learn.answers('photos').to_json(orient='index'))
    return answers, f"{type(learn.loss_func).__name__} {hasattr(learn, 'abstention')}"

def only_its_own(folder):
    "The page writes nothing beside its folder, and knows nothing of digits"
    assert {o.name for o in folder.iterdir()} == {'photos', 'votes.csv', 'your_model', 'page.py'}
    assert {o.name for o in (folder/'your_model').iterdir()} == {'folds', 'review.csv', 'labels.csv', 'model.pkl'}
    assert {o.name for o in (folder/'photos').iterdir()} == {f'{i:02d}.png' for i in range(60)}

def test_one_label(tmp_path, weights):
    rng = np.random.default_rng(0)
    truth = pd.Series({f'{i:02d}.png': list(COLOURS)[i%3] for i in range(60)})
    paint(tmp_path/'photos', {k: [v] for k,v in truth.items()})
    votes = pd.DataFrame({who: truth.where(rng.random(60) < skill, 'red') for who,skill in (('Ann',.9), ('Bob',.8), ('Cem',.6))})
    votes.iloc[3,2] = 'pink'     # a class that never wins
    votes['checked'] = truth.sample(18, random_state=0)
    votes.to_csv(tmp_path/'votes.csv', index_label='image')
    text = program('08_your_data.ipynb', folder='photos', votes_file='votes.csv', tree={'warm': ['red'], 'cold': ['green','blue']})
    said = run(small(text), tmp_path, weights)
    only_its_own(tmp_path)
    assert 'digit' not in said
    assert 'images judge' in said and 'images answered' in said
    answers, how = answered(tmp_path)
    assert len(answers) == 60 and {o['answer'] for o in answers.values()} <= {*COLOURS, None}
    reached = 'Every image gets an answer: no threshold reaches min_accuracy=0.995: at best' not in said
    assert how == f'LeastCost {reached}'      # the costs, and when to say nothing, are in the file

def test_several_labels(tmp_path, weights):
    rng = np.random.default_rng(0)
    there = pd.DataFrame(rng.random((60,3)) < .5, [f'{i:02d}.png' for i in range(60)], [*COLOURS])
    def text(there): return ' '.join(there.index[there])
    paint(tmp_path/'photos', {k: row.index[row] for k,row in there.iterrows()})
    votes = pd.DataFrame({who: (there & (rng.random((60,3)) < skill)).apply(text, axis=1) for who,skill in (('Ann',.9), ('Bob',.8), ('Cem',.6))})
    votes['checked'] = there.sample(18, random_state=0).apply(text, axis=1)
    long = votes.rename_axis(columns='annotator').rename_axis('image').stack().dropna().rename('label')
    long.to_csv(tmp_path/'votes.csv')
    page = program('08b_several_labels.ipynb', folder='photos', votes_file='votes.csv')
    said = run(small(page), tmp_path, weights)
    only_its_own(tmp_path)
    assert 'scene' not in said and 'images judge' in said
    answers, how = answered(tmp_path)
    assert len(answers) == 60 and {type(o['answer']) for o in answers.values()} == {list}
    assert {c for o in answers.values() for c in o['answer']} <= {*COLOURS}

@pytest.mark.slow
def test_one_annotator_and_nothing_out_of_reach(tmp_path, weights):
    "One label an image: a folder with labels.csv; and nobody has checked anything"
    truth = pd.Series({f'{i:02d}.png': list(COLOURS)[i%3] for i in range(60)}, name='label')
    paint(tmp_path/'photos', {k: [v] for k,v in truth.items()})
    (tmp_path/'votes').mkdir()
    truth.sample(frac=1, random_state=0).to_csv(tmp_path/'votes/labels.csv', index_label='image')
    said = run(small(program('08_your_data.ipynb', folder='photos', votes_file='votes')), tmp_path, weights)
    assert 'images judge' in said
    answers, how = answered(tmp_path)
    assert how.startswith('CrossEntropyLossFlat')
