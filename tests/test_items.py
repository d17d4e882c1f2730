"ItemCallback in two processes: each follows its own share of an epoch."
import importlib.util, json, os, socket, subprocess, sys

import pandas as pd, pytest
from conftest import ROOT

# one import for both: the second process is a copy of the first. fastai passes positions between processes on the GPU;
# without one, `.cuda()` does nothing
SCRIPT = '''
import json, os, sys
import pandas as pd, torch
from fastai.basics import *
from fastai.distributed import *
from softlabel_nbdev.items import *
def picture(fname): return TensorImage(torch.full((1,2,2), float(fname[4:8])))

def rows_of(dls): return tensor([int(o[4:8]) for o in dls.train_ds.items.fname])

class Watch(ItemCallback):
    def keep(self): return rows_of(self.dls) >= 10    # the first ten pictures are left out
    def before_fit(self):
        super().before_fit()
        self.seen = []
    def before_batch(self):
        rows = rows_of(self.dls)
        assert rows[self.idx].tolist() == self.x[:,0,0,0].long().tolist()
        self.seen += rows[self.idx].tolist()

second = os.fork()
rank = 0 if second else 1
os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank))
if not torch.cuda.is_available(): Tensor.cuda = lambda t: t
torch.distributed.init_process_group('gloo')
df = pd.read_csv(sys.argv[1])
block = DataBlock((TransformBlock(type_tfms=picture), CategoryBlock), get_x=ColReader('fname'), get_y=ColReader('label'), splitter=ColSplitter())
for workers in (0,2):
    dls = block.dataloaders(df, bs=4, num_workers=workers, device='cpu', drop_last=False)
    learn = Learner(dls, nn.Sequential(nn.Flatten(), nn.Linear(4,2)), lr=1e-4, cbs=Watch)
    with learn.distrib_ctx(sync_bn=False, cpu=True), learn.no_bar(), learn.no_logging(): learn.fit(1)
Path(sys.argv[2], f'seen{rank}.json').write_text(json.dumps(learn.watch.seen))
torch.distributed.destroy_process_group()
if second: sys.exit(os.waitstatus_to_exitcode(os.waitpid(second, 0)[1]))
'''

@pytest.mark.skipif(importlib.util.find_spec('accelerate') is None, reason='accelerate is not installed')
@pytest.mark.slow
def test_two_processes(tmp_path):
    df = pd.DataFrame({'fname': [f'img_{i:04d}.png' for i in range(50)], 'label': ['cat','dog']*25, 'is_valid': [i%5==0 for i in range(50)]})
    (tmp_path/'two.py').write_text(SCRIPT)
    df.to_csv(tmp_path/'df.csv', index=False)
    with socket.socket() as s:
        s.bind(('localhost', 0))
        port = s.getsockname()[1]
    env = {**os.environ, 'WORLD_SIZE': '2', 'MASTER_ADDR': 'localhost', 'MASTER_PORT': str(port), 'PYTHONPATH': str(ROOT), 'OMP_NUM_THREADS': '1'}
    done = subprocess.run([sys.executable, '-W', 'ignore', 'two.py', 'df.csv', '.'], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-3000:]
    a, b = [json.loads((tmp_path/f'seen{r}.json').read_text()) for r in range(2)]
    there = {i for i in range(10, 50) if i%5}
    assert len(a) == len(b) == len(there)//2
    assert set(a) | set(b) == there
