"What several tests need: the project, a copy of it, its rendered site, and a browser"
import os, shutil, signal, subprocess, sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

ROOT = Path(__file__).resolve().parent.parent
os.environ.setdefault('MPLBACKEND', 'agg')
NOT_COPIED = shutil.ignore_patterns('.git', '.venv', '.ci', '.github', '_course', '_docs', '_proc', 'build', 'dist',
                                    '*.egg-info', '__pycache__', '.pytest_cache', '.hypothesis', '.ipynb_checkpoints')

def call(*args, **kw):
    "Exit code of a command, and what it printed; the project can be imported in it"
    kw.setdefault('env', {**os.environ, 'PYTHONPATH': str(ROOT)})
    res = subprocess.run([str(a) for a in args], capture_output=True, text=True, **kw)
    return res.returncode, (res.stdout + res.stderr).strip()

def must(*args, **kw):
    "What the command printed; an error if it failed"
    code, said = call(*args, **kw)
    assert not code, said[-3000:]
    return said

@pytest.fixture(scope='session')
def root(): return ROOT

@pytest.fixture
def copy(tmp_path):
    "A copy of the project, without what git ignores"
    return Path(shutil.copytree(ROOT, tmp_path/'copy', symlinks=True, ignore=NOT_COPIED))

def pytest_collection_modifyitems(items):
    "Ask for the notebooks last: they run beside the other tests"
    items.sort(key=lambda o: o.path.name == 'test_notebooks.py')

def behind():
    "A process group of its own, which leaves the other tests a core: theirs come one by one"
    os.setpgrp(), os.nice(10)

@pytest.fixture(scope='session', autouse=True)
def notebooks(request, tmp_path_factory):
    "`nbdev-test` in a copy of the project, from the first test on; and the file with what it says"
    if not any(o.path.name == 'test_notebooks.py' for o in request.session.items): return (yield)
    folder = tmp_path_factory.mktemp('notebooks')
    copy = shutil.copytree(ROOT, folder/'copy', symlinks=True, ignore=NOT_COPIED)
    cmd = [Path(sys.executable).with_name('nbdev-test'), '--n-workers', str(min(os.cpu_count(), 4))]
    env = {'OMP_NUM_THREADS': '1', 'SOFTLABEL_DATA': 'digits', **os.environ, 'PYTHONPATH': str(copy)}
    with open(folder/'said', 'w') as said:
        run = subprocess.Popen(cmd, cwd=copy, env=env, stdout=said, stderr=said, preexec_fn=behind)
        yield run, folder/'said'
        if run.poll() is None: os.killpg(run.pid, signal.SIGTERM)

@pytest.fixture(scope='session')
def site(tmp_path_factory):
    "The site, freshly rendered from a copy"
    from tools.site import NO_RENDERER, renderer
    if not renderer(): pytest.skip(NO_RENDERER)
    copy = Path(shutil.copytree(ROOT, tmp_path_factory.mktemp('site')/'copy', symlinks=True, ignore=NOT_COPIED))
    must(sys.executable, '-m', 'tools', 'docs', cwd=copy)
    return copy/'_docs'

class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args): pass

@pytest.fixture(scope='session')
def serve():
    "A function from a folder to the address at which it is served"
    servers = []
    def start(folder):
        servers.append(ThreadingHTTPServer(('127.0.0.1', 0), partial(Quiet, directory=str(folder))))
        Thread(target=servers[-1].serve_forever, daemon=True).start()
        return f'http://127.0.0.1:{servers[-1].server_port}/'
    yield start
    for s in servers: s.shutdown()

FLAGS = ('--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking '
         '--disable-component-update --disable-sync --disable-dev-shm-usage').split()

@pytest.fixture(scope='session')
def browser():
    "The machine's own Chromium or Chrome, which reaches this machine and nothing else"
    sync_api = pytest.importorskip('playwright.sync_api')
    found = [*filter(None, map(shutil.which, ('chromium', 'chromium-browser', 'google-chrome', 'chrome')))]
    if not found: pytest.skip('no Chromium or Chrome on the PATH (on Debian, apt-get install chromium)')
    with sync_api.sync_playwright() as p:
        args = [*FLAGS, '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1']
        yield p.chromium.launch(executable_path=found[0], args=args)
