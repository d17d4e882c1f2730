"From a notebook to its page: what nbdev's own processors leave to do, the same for Quarto and smalldocs; not installed with the library"
import ast, inspect, re
from pathlib import Path

from execnb.shell import CaptureShell
from fastcore.docments import DocmentTbl, docments
from fastcore.nbio import mk_cell, read_nb
from nbdev.config import get_config
from nbdev.processors import add_links
from nbdev.showdoc import showdoc_nm
from tools.made import page_names

def has_directive(cell, pattern):
    "Whether a line of the cell is the directive `pattern`"
    return cell.cell_type == 'code' and re.search(rf'^#\| *{pattern}', cell.source, flags=re.M)

def fold(cells):
    "Name folded cells Checks where they name themselves nothing, without outputs, and fold answers together with theirs; changes `cells`"
    for i, c in reversed([*enumerate(cells)]):
        if not has_directive(c, 'code-fold: *true'): continue
        if not has_directive(c, 'code-summary'): c.source, c.outputs = '#| code-summary: "Checks"\n' + c.source, []
        if not has_directive(c, 'code-summary: *"?Answer'): continue
        c.source = re.sub('^#\\| *code-(fold|summary).*\n', '', c.source, flags=re.M)
        cells[i:i+1] = [mk_cell('<details class="answer"><summary>Answer</summary>', 'markdown'), c, mk_cell('</details>', 'markdown')]

def beside_title(source):
    "What the first cell says besides title and question; nbdev would leave it out of the page"
    return re.sub(r'\A# .+\s*(> .+)?', '', source).strip()

def source_line(obj):
    "The line of `obj` in its file, as the end of a link; empty where it has none"
    try: return f'#L{inspect.getsourcelines(inspect.unwrap(obj))[1]}'
    except (TypeError, OSError): return ''

def shows(cell):
    "The name that the cell documents; empty if it does something else"
    return ''.join(re.findall(r'^show_doc\(([\w.]+)', cell.source, flags=re.M)) if cell.cell_type == 'code' else ''

def documentation(text, obj, shown):
    "What nbdev says of `obj`, with its line in the file; where its code stands above, a table of parameters instead of the signature"
    text = text.replace('#LNone', source_line(obj))
    # nbdev puts what the docstring says between asterisks, which a name such as `_docs` breaks
    text = re.sub(r'^\*([^*\n].*?)\*$', r'\1', text, flags=re.M | re.S)
    table, kwargs = DocmentTbl(obj)._repr_markdown_(), docments(obj, args_kwargs=True).get('kwargs') or '' # which the table leaves out
    if shown: text = re.sub('^```python\n.*?^```$', '', text, flags=re.M | re.S) + '\n\n' + re.sub(r'(?m)^(\| kwargs .*\|) *\|$', lambda m: f'{m[1]} {kwargs} |', table)
    text = re.sub(':?NoneType', '', text.replace('<br>', ' ')) # a comment in two lines of code is one on the page
    return re.sub(r'<\S*?(\w+) object at 0x\w+>', r'\1()', text)

class PageProc:
    "An nbdev processor: documentation of the exports, folds, links between pages, and the Colab link"
    def __init__(self, nb): self.nb, self.path, self.cfg = nb, Path(nb.path_), get_config()
    def __call__(self, cell): pass

    def begin(self):
        source = read_nb(self.path)
        lost = beside_title(next(c.source for c in source.cells if c.cell_type == 'markdown'))
        if lost: raise RuntimeError(f'{self.path.name}: of the first cell nbdev keeps title and question; move {lost[:60]!r}')
        self.show_docs(source)
        self.link_pages()
        fold(self.nb.cells)
        if 'find_spec' in ''.join(c.source for c in source.cells[:8]): # it can be run in Colab
            where = f'{self.cfg.user}/{self.cfg.repo}/blob/{self.cfg.branch}/nbs/{self.path.name}'
            self.nb.cells.insert(1, mk_cell(f'[Open in Colab](https://colab.research.google.com/github/{where}){{.colab}}', 'markdown'))

    def show_docs(self, source):
        module = re.search(r'#\| *default_exp +(\S+)', '\n'.join(c.source for c in source.cells))
        if not module: return
        # what is private, such as a method patched into a private class, is for readers of the code
        self.nb.cells[:] = [c for c in self.nb.cells if not (shows(c) and re.search(r'(^|\.)_(?!_)', f'{module[1]}.{shows(c)}'))]
        code = [node for c in source.cells if has_directive(c, 'exports') for node in ast.parse(c.source).body]
        shown = {showdoc_nm(o) for o in code if isinstance(o, (ast.FunctionDef, ast.ClassDef))} # stands on the page in full
        shell = CaptureShell(self.cfg.config_path)
        shell.run(f'from {self.cfg.lib_name} import {module[1]} as module\nglobals().update(vars(module))\nfrom nbdev.showdoc import show_doc')
        for c in filter(shows, self.nb.cells):
            shell.cell(c)
            if shell.exc: raise RuntimeError(f'{self.path.name}: {c.source}: {shell.exc}')
            add_links(c)
            for data in [o['data'] for o in c.outputs if 'text/markdown' in o.get('data', {})]:
                data['text/markdown'] = documentation(''.join(data['text/markdown']), eval(shows(c), shell.user_ns), shows(c) in shown)

    def link_pages(self):
        "Make links to this site's own address links between its pages, so that it can be read before it is published"
        pages = page_names(self.cfg.config_path)
        own = re.escape(self.cfg.doc_url) + r'([\w.-]+\.html)(?!\.md)'
        def local(text): return re.sub(own, lambda m: pages.get(m[1], m[0]), ''.join(text))
        for c in self.nb.cells:
            if c.cell_type == 'markdown': c.source = local(c.source)
            for data in [o['data'] for o in c.get('outputs', []) if 'text/markdown' in o.get('data', {})]:
                data['text/markdown'] = local(data['text/markdown'])
