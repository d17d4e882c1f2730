"Every public name says what it is and what it takes, and is used where a reader sees it"
import ast, inspect, re

import pytest
from conftest import ROOT
from fastcore.docments import docments
from fastcore.nbio import read_nb
from tools.made import find, public
from tools.pages import has_directive

MODULES = public(ROOT)
NAMES = [(module, name) for module, names in MODULES.items() for name in names]

@pytest.mark.parametrize('module,name', NAMES)
def test_documented(module, name):
    obj = find(ROOT, module, name)
    assert (obj.__doc__ or '').strip(), f'{name} has no docstring'
    if inspect.isclass(obj) and '__init__' not in vars(obj): return # its parameters are its parent's
    said = docments(obj, args_kwargs=True)
    mute = [p for p in inspect.signature(obj).parameters if p != 'self' and not said.get(p)]
    assert not mute, f"{name} doesn't say what {', '.join(mute)} is"

def used(nb):
    "The names and attributes in the code that a reader sees without a click"
    res = set()
    for c in nb.cells:
        hidden = has_directive(c, '(export|hide|slow|default_exp|echo: *false|code-fold: *true)')
        if c.cell_type != 'code' or hidden: continue
        tree = ast.parse(re.sub(r'^\s*[%!].*', '', c.source, flags=re.M))
        for node in ast.walk(tree): res |= {getattr(node, 'id', None), getattr(node, 'attr', None)}
    return res

def given_by(names):
    "The classes of what these functions return: calling one shows the other"
    callables = [find(ROOT, module, name) for module, name in NAMES if name in names]
    annotations = [inspect.signature(o).return_annotation for o in callables if inspect.isfunction(o)]
    return {getattr(o, '__name__', o) for o in annotations}

def test_every_name_has_a_visible_example():
    seen = set().union(*(used(read_nb(p)) for p in (ROOT/'nbs').glob('*.ipynb')))
    seen |= given_by(seen)
    unused = [f'{module}.{name}' for module, name in NAMES if name.split('.')[-1] not in seen]
    assert not unused, f'no page shows how to call {", ".join(unused)}'

def test_no_private_name_crosses_a_module():
    for p in (ROOT/'softlabel_nbdev').glob('[!_]*.py'):
        for node in ast.walk(ast.parse(p.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.ImportFrom) and node.level else []
            assert not [n for n in names if n.startswith('_')], f'{p.name}: {names}'
