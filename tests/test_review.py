"`review` in a real notebook kernel with real widgets: clicks are sent as a browser sends them"
import json, textwrap
import pandas as pd, pytest

nbclient = pytest.importorskip('nbclient')
pytest.importorskip('ipywidgets')
pytest.importorskip('ipykernel')
from nbformat.v4 import new_code_cell, new_notebook

START = '''
import numpy as np, pandas as pd
from fastai.vision.all import PILImage
from softlabel_nbdev.review import review
names = [f'dog_{i:02d}.jpg' for i in range(20)]
issues = pd.DataFrame({'given': 'Rhodesian ridgeback', 'suggested': 'Border <terrier>'}, names)
def get_image(name): return PILImage.create(np.full((40,60,3), int(name[4:6])*10, np.uint8))
r = review(issues, get_image, vocab=['Rhodesian ridgeback','Border <terrier>','Shih-Tzu'])
r
'''

class Notebook:
    "Cells that run one after the other in a kernel, and the widgets that they have made"
    def __init__(self, folder):
        self.nb = new_notebook()
        self.client = nbclient.NotebookClient(self.nb, timeout=120, kernel_name='python3',
                                              resources={'metadata': {'path': str(folder)}})

    def run(self, code):
        "Run a cell; its text"
        self.nb.cells.append(new_code_cell(textwrap.dedent(code)))
        cell = self.client.execute_cell(self.nb.cells[-1], len(self.nb.cells)-1)
        self.outputs = cell.outputs
        return ''.join(o.get('text', '') for o in cell.outputs)

    def widgets(self, kind):
        "The widgets of a kind, in the order in which they were made: (id, state)"
        state = json.loads(self.run("""
            import json
            from ipywidgets import Widget
            print(json.dumps(Widget.get_manager_state()['state']))"""))
        return [(k, o['state']) for k,o in state.items() if o['model_name'] == f'{kind}Model']

    def send(self, widget, **data):
        "What a browser sends when somebody touches a widget"
        kc = self.client.kc
        kc.session.send(kc.shell_channel.socket, 'comm_msg', {'comm_id': widget, 'data': data})

    def set(self, widget, **state): self.send(widget, method='update', state=state, buffer_paths=[])
    def click(self, widget): self.send(widget, method='custom', content={'event': 'click'})

@pytest.fixture(scope='module')
def kernel(tmp_path_factory):
    "A kernel for all tests: it takes longer to start than they do to run"
    with pytest.MonkeyPatch.context() as m:
        m.delenv('MPLBACKEND', raising=False)     # figures as in a notebook
        out = Notebook(tmp_path_factory.mktemp('kernel'))
        with out.client.setup_kernel(): yield out

@pytest.fixture
def notebook(kernel, tmp_path):
    "The kernel in a folder of its own, with no widget left of the test before"
    kernel.run(f"""
        import os, softlabel_nbdev.review as m
        from importlib.util import find_spec
        from ipywidgets import Widget
        Widget.close_all()
        os.chdir({str(tmp_path)!r})
        m.find_spec = find_spec""")
    return kernel

def test_answers(notebook, tmp_path):
    notebook.run(START)
    assert any('application/vnd.jupyter.widget-view+json' in o.get('data', {}) for o in notebook.outputs)
    pictures, labels, answers, others = map(notebook.widgets, ('Image', 'HTML', 'ToggleButtons', 'Combobox'))
    assert len(pictures) == len(labels) == len(answers) == len(others) == 12
    assert labels[0][1]['value'] == '<b>Rhodesian ridgeback → Border &lt;terrier&gt;</b><br>dog_00.jpg'
    assert answers[0][1]['_options_labels'] == ['keep', 'take', 'other', 'leave out']
    assert answers[0][1]['index'] is None

    for card,answer in enumerate(range(4)): notebook.set(answers[card][0], index=answer)
    notebook.set(others[2][0], value='Shih-Tzu')
    assert notebook.run('print(r.fixes.to_dict())') == ("{'dog_01.jpg': 'Border <terrier>', "
                                                        "'dog_02.jpg': 'Shih-Tzu', 'dog_03.jpg': None}\n")
    saved = pd.read_csv(tmp_path/'review.csv', keep_default_na=False)
    assert saved.decision.tolist() == ['keep', 'take', 'other', 'leave out'] + ['']*16

    notebook.set(answers[1][0], index=0)    # changed my mind
    assert 'dog_01' not in notebook.run('print(r.fixes.to_dict())')

def test_pages(notebook):
    notebook.run(START)
    back, forth = (o for o,_ in notebook.widgets('Button'))
    def shown():
        (_,where), = notebook.widgets('Label')
        return where['value'], len(notebook.widgets('Image'))
    assert shown() == ('1 to 12 of 20', 12)
    notebook.set(notebook.widgets('ToggleButtons')[0][0], index=1)
    notebook.click(forth)
    assert shown() == ('13 to 20 of 20', 8)
    notebook.click(forth)       # there is no third page
    assert shown() == ('13 to 20 of 20', 8)
    notebook.click(back)
    assert shown() == ('1 to 12 of 20', 12)
    assert notebook.widgets('ToggleButtons')[0][1]['index'] == 1    # the answer is still there

def test_goes_on(notebook):
    notebook.run(START)
    notebook.set(notebook.widgets('ToggleButtons')[4][0], index=3)
    again = "again = review(issues, get_image, vocab=['Rhodesian ridgeback','Border <terrier>','Shih-Tzu'])"
    assert notebook.run(f"{again}\nprint(again.fixes.to_dict())") == "{'dog_04.jpg': None}\n"

def test_without_widgets(notebook, tmp_path):
    notebook.run("import softlabel_nbdev.review as m; m.find_spec = lambda name: None")
    text = notebook.run(START)
    assert not any('application/vnd.jupyter.widget-view+json' in o.get('data', {}) for o in notebook.outputs)
    assert any('image/png' in o.get('data', {}) for o in notebook.outputs)
    assert text.startswith('12 of 20 images; .plot(1) shows the next. Fill in the column decision of review.csv')
    saved = pd.read_csv(tmp_path/'review.csv', keep_default_na=False)
    assert saved.columns.tolist() == ['image', 'given', 'suggested', 'decision', 'other'] and len(saved) == 20
