"From a notebook to its page: what nbdev's own processors leave to do, the same for Quarto and smalldocs"
import inspect, re
from pathlib import Path

from execnb.shell import CaptureShell
from fastcore.nbio import mk_cell, read_nb
from nbdev.config import get_config
from nbdev.processors import add_links
from tools.made import page_names

def has_directive(cell, pattern):
    "Whether a line of the cell is the directive `pattern`"
    return cell.cell_type == 'code' and re.search(rf'^#\| *{pattern}', cell.source, flags=re.M)

def fold_answers(cells):
    "Fold each answer to an exercise together with what it puts out; changes `cells`"
    for i, c in reversed([*enumerate(cells)]):
        if not has_directive(c, 'code-summary: *"?Answer'): continue
        c.source = re.sub('^#\\| *code-(fold|summary).*\n', '', c.source, flags=re.M)
        before, after = '<details class="answer"><summary>Answer</summary>', '</details>'
        cells[i:i+1] = [mk_cell(before, 'markdown'), c, mk_cell(after, 'markdown')]

def name_checks(cells):
    "Give folded cells the summary Checks where they name none; changes `cells`"
    for c in cells:
        if has_directive(c, 'code-fold: *true') and not has_directive(c, 'code-summary'):
            c.source = '#| code-summary: "Checks"\n' + c.source

def beside_title(source):
    "What the first cell says besides title and question; nbdev would leave it out of the page"
    return re.sub(r'\A# .+\s*(> .+)?', '', source).strip()

def source_line(obj):
    "The line of `obj` in its file, as the end of a link; empty where it has none"
    try: return f'#L{inspect.getsourcelines(inspect.unwrap(obj))[1]}'
    except (TypeError, OSError): return ''

class PageProc:
    "An nbdev processor: documentation of the exports, folds, links between pages, and the Colab link"
    def __init__(self, nb): self.nb, self.path, self.cfg = nb, Path(nb.path_), get_config()
    def __call__(self, cell): pass

    def begin(self):
        source = read_nb(self.path)
        self.check_title(next(c.source for c in source.cells if c.cell_type == 'markdown'))
        self.show_docs(source)
        self.link_pages()
        fold_answers(self.nb.cells)
        name_checks(self.nb.cells)
        if 'find_spec' in ''.join(c.source for c in source.cells[:8]): self.link_colab()

    def check_title(self, first):
        lost = beside_title(first)
        if lost: raise RuntimeError(f'{self.path.name}: of the first cell nbdev keeps title and question; move {lost[:60]!r}')

    def show_docs(self, source):
        cells = [c for c in self.nb.cells if c.cell_type == "code" and re.search("^show_doc", c.source, flags=re.M)]
        if not cells: return
        module = re.search(r'#\| *default_exp +(\S+)', '\n'.join(c.source for c in source.cells))[1]
        self.shell = CaptureShell(self.cfg.config_path)
        self.shell.run(f'import {self.cfg.lib_name}.{module} as module\nglobals().update(vars(module))\n'
                       'from nbdev.showdoc import show_doc')
        for c in cells: self.show_doc(c)

    def show_doc(self, c):
        self.shell.cell(c)
        if self.shell.exc: raise RuntimeError(f'{self.path.name}: {c.source}: {self.shell.exc}')
        add_links(c)
        name = re.search(r'^show_doc\(([\w.]+)', c.source, flags=re.M)[1]
        line = source_line(eval(name, self.shell.user_ns))
        for data in [o['data'] for o in c.outputs if 'text/markdown' in o.get('data', {})]:
            text = ''.join(data['text/markdown']).replace('#LNone', line)
            # nbdev puts what the docstring says between asterisks, which a name such as `_docs` breaks
            data['text/markdown'] = re.sub(r'^\*([^*\n].*?)\*$', r'\1', text, flags=re.M | re.S)

    def link_pages(self):
        "Make links to this site's own address links between its pages, so that it can be read before it is published"
        pages = page_names(self.cfg.config_path)
        own = re.escape(self.cfg.doc_url) + r'([\w.-]+\.html)(?!\.md)'
        def local(text): return re.sub(own, lambda m: pages.get(m[1], m[0]), ''.join(text))
        for c in self.nb.cells:
            if c.cell_type == 'markdown': c.source = local(c.source)
            for data in [o['data'] for o in c.get('outputs', []) if 'text/markdown' in o.get('data', {})]:
                data['text/markdown'] = local(data['text/markdown'])

    def link_colab(self):
        where = f'{self.cfg.user}/{self.cfg.repo}/blob/{self.cfg.branch}/nbs/{self.path.name}'
        self.nb.cells.insert(1, mk_cell(f'[Open in Colab](https://colab.research.google.com/github/{where}){{.colab}}', 'markdown'))
