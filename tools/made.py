"What is made from settings.ini and the notebooks: metadata, README and the reference"
import configparser, inspect, json, re
from importlib import import_module
from operator import attrgetter
from pathlib import Path

from fastcore.nbio import mk_cell, new_nb, read_nb, write_nb
from nbdev.config import nbpath2html
from nbdev.doclinks import nbdev_export

def settings(root='.'):
    "The project's metadata as text, with the addresses that follow from it"
    ini = configparser.ConfigParser(delimiters=['='])
    ini.read(Path(root)/'settings.ini', encoding='utf-8')
    cfg = dict(ini['DEFAULT'])
    user, lib = cfg['user'], cfg['lib_name']
    return {**cfg, 'git_url': f'https://github.com/{user}/{lib}', 'doc_url': f'https://{user}.github.io/{lib}/'}

def rewrite(path, rules):
    "Put the value of each rule in place of what its regular expression finds in the file"
    text = new = Path(path).read_text(encoding='utf-8')
    for pattern, value in rules.items(): new = re.sub(pattern, lambda m: value, new, flags=re.M)
    if new != text: Path(path).write_text(new, encoding='utf-8')

def metadata(root):
    "Write what pyproject.toml, _quarto.yml and the notebooks repeat of settings.ini"
    cfg, q = settings(root), json.dumps
    lib, about = cfg['lib_name'], cfg['description']
    project = {'name': q(lib), 'description': q(about), 'requires-python': q('>=' + cfg['min_python']),
               'authors': f"[{{name = {q(cfg['author'])}}}]", 'Repository': q(cfg['git_url']), 'Documentation': q(cfg['doc_url'])}
    rewrite(root/'pyproject.toml', {f'^{k} = .*': f'{k} = {v}' for k, v in project.items()})
    site = {'title': lib, 'description': about, 'site-url': cfg['doc_url'], 'repo-url': cfg['git_url'], 'repo-branch': cfg['branch']}
    rewrite(root/'_quarto.yml', {f'(?<=^  ){k}: .*': f'{k}: {q(v)}' for k, v in site.items()})
    hosts = rf'(?<=(github\.com|com/github)/)[\w.-]+(?=/{lib}\b)', rf'(?<=https://)[\w-]+(?=\.github\.io/{lib}\b)'
    for nb in (root/'nbs').glob('*.ipynb'): rewrite(nb, dict.fromkeys(hosts, cfg['user']))

def output_text(o):
    "What an output of a cell is in markdown; empty for pictures"
    data = o.get('data', {})
    if 'text/markdown' in data: return ''.join(data['text/markdown'])
    if 'image/png' in data: return ''
    text = ''.join(data.get('text/plain', o.get('text', '')))
    return f'```\n{text.rstrip()}\n```' if text.strip() else ''

def markdown(nb):
    "A notebook's prose, code and text outputs"
    parts = []
    for c in nb.cells:
        if c.cell_type == 'raw' or re.search(r'^#\| *(hide|default_exp)', c.source, flags=re.M): continue
        src = re.sub(r'^#\|.*\n?', '', c.source, flags=re.M).strip()
        if c.cell_type == 'markdown': parts.append(src)
        elif src and not re.search(r'^#\| *echo: *false', c.source, flags=re.M): parts.append(f'```python\n{src}\n```')
        parts += [output_text(o) for o in c.get('outputs', [])]
    return '\n\n'.join(filter(None, parts)) + '\n'

def readme(root):
    text = '<!-- Written by `make sync` from nbs/index.ipynb -->\n\n' + markdown(read_nb(root/'nbs/index.ipynb'))
    text = re.sub(r'(\]\(|src=")([\w-]+\.(?:ipynb|svg))', r'\1nbs/\2', text)
    (root/'README.md').write_text(text, encoding='utf-8')

TASKS = {'See what a loss does with each image': 'anatomy',
    'Choose a loss for hard, soft or several labels': 'losses metrics targets',
    "Make one label of several people's votes": 'votes ballots',
    'Weigh images, or bring the doubtful ones in later': 'weights items',
    'Let some mistakes cost more than others': 'groups hierarchy mistakes matrices',
    'Find wrong labels, and train in spite of them': 'folds crossfold clean issues review',
    'Train with rare classes': 'rare crl mining',
    'Draw the line: thresholds, and no answer': 'thresholds decisions cuts',
    'Hold out what you have checked, and answer': 'answers',
    'Match tables with images, and show them': 'names pictures'}

def public(root):
    "Module → {name: its anchor in a page}, of what `from softlabel_nbdev.all import *` brings"
    lib, res = settings(root)['lib_name'], {}
    everything = import_module(f'{lib}.all').__all__
    for module, syms in import_module(f'{lib}._modidx').d['syms'].items():
        short = {k.removeprefix(module + '.'): v[0] for k, v in syms.items()}
        patched = {n for n in short if '.' in n and n.split('.')[0] not in short and '._' not in n}
        names = {n: page for n, page in short.items() if n in everything or n in patched}
        if names: res[module.removeprefix(lib + '.')] = names
    return res

def find(root, module, name):
    "What a public name stands for; `name` may be a patched method such as Learner.use_thresholds"
    return attrgetter(name)(import_module(f"{settings(root)['lib_name']}.{module}"))

def page_names(root):
    "Name of a page, such as weights.html → its notebook, such as 03_weights.ipynb"
    return {nbpath2html(p).name: p.name for p in (root/'nbs').glob('*.ipynb')}

def summary(obj):
    "The first sentence of its docstring, on one line"
    first = ' '.join((inspect.getdoc(obj) or '').split('\n\n')[0].split())
    return re.split(r'(?<=\.) (?=[A-Z])', first)[0].replace('|', r'\|')

def reference(root):
    "Write nbs/reference.ipynb: what users type, by what they want to do"
    pages, names = page_names(root), public(root)
    rest = [m for m in names if m not in ' '.join(TASKS.values()).split()]
    texts = ['# Reference\n\n> Every name that you type, by what you want to do', '`from softlabel_nbdev.all import *` brings them all.']
    for task, modules in {**TASKS, 'And': ' '.join(rest)}.items():
        rows = ['| Name | What it is |', '|---|---|']
        for module in modules.split():
            for name, anchor in names.get(module, {}).items():
                page, _, ident = anchor.partition('#')
                rows.append(f'| [{name}]({pages[Path(page).name]}#{ident}) | {summary(find(root, module, name))} |')
        if len(rows) > 2: texts.append(f'## {task}\n\n' + '\n'.join(rows))
    cells = [dict(mk_cell(t, 'markdown'), id=f'reference{i}') for i, t in enumerate(texts)]
    write_nb(new_nb(cells), root/'nbs/reference.ipynb')

def sync(root='.'):
    "Write everything that repeats settings.ini or is made from the notebooks"
    root = Path(root).resolve()
    metadata(root)
    nbdev_export.__wrapped__()
    reference(root)
    readme(root)
