"Quarto can't be had everywhere, so what it writes is kept here, in small: what we do to its pages must work on HTML of this shape"
import re

import pytest
from conftest import ROOT
from fastcore.nbio import read_nb
from tools.site import local_css, offline

CSS = ('@import"https://fonts.googleapis.com/css2?family=Source+Sans+Pro:wght@300;400;700&display=swap";:root{--bs-blue: #2780e3}'
       '@import url("https://example.org/a.css");body{margin:0}@import url(https://example.org/b.css);p{top:1px}'
       '@import"bootstrap.css";li{left:1px}')

def test_fonts_of_other_hosts():
    "The address holds `;` and stands without `url(`"
    css = local_css(CSS)
    assert 'https://' not in css
    for rule in (':root{--bs-blue: #2780e3}', 'body{margin:0}', 'p{top:1px}', '@import"bootstrap.css"', 'li{left:1px}'): assert rule in css

HEAD = '''<head><script src="site_libs/clipboard/clipboard.min.js"></script>
<link href="site_libs/bootstrap/bootstrap.min.css" rel="stylesheet" id="quarto-bootstrap">
<script src="https://cdnjs.cloudflare.com/ajax/libs/require.js/2.3.6/require.min.js" integrity="sha512-c3N" crossorigin="anonymous"></script>
<script src="https://cdnjs.cloudflare.com/ajax/libs/jquery/3.5.1/jquery.min.js" integrity="sha512-bLT" crossorigin="anonymous" data-relocate-top="true"></script>
<script type="application/javascript">define('jquery', [],function() {return window.jQuery;})</script>
<script src="https://cdnjs.cloudflare.com/polyfill/v3/polyfill.min.js?features=es6"></script>
<script src="https://cdn.jsdelivr.net/npm/mathjax@3/es5/tex-chtml-full.js" type="text/javascript"></script>
<script type="text/javascript">const typesetMath = (el) => { if (window.MathJax) window.MathJax.typeset([el]); }</script></head>'''
FORMULAS = r'''<p>With <span class="math inline">\(a &lt; b_k\)</span> and
<span class="math inline">\(w_i = \frac{1}{K}\sum_{k=1}^{K} \mathbb{1}[y_i = \hat y_{ik}] \cdot p_{ik}\)</span>:</p>
<span class="math display">\[
L = -\sum_k q_k \log p_k
\]</span>'''

def test_scripts_of_other_hosts():
    page = offline(HEAD)
    assert 'https://' not in page and "define('jquery'" not in page
    for kept in ('clipboard.min.js', 'bootstrap.min.css', 'typesetMath'): assert kept in page

def test_formulas():
    page = offline(FORMULAS)
    assert page.count('<math') == 3 and 'class="math ' not in page
    assert page.count('class="long-math"') == 1 # the long one of the two in a line
    assert page.count('display="block"') == 1

def test_pictures_keep_their_description():
    "Quarto makes a figure of a picture alone in a paragraph, and its text a caption: the image has no alt. A tag, or fig-alt, stays"
    for p in (ROOT/'nbs').glob('*.ipynb'):
        for c in read_nb(p).cells:
            if c.cell_type != 'markdown': continue
            alone = re.findall(r'(?:^|\n\n)(!\[[^\]]*\]\([^)]*\))(?!\{[^}]*fig-alt)\s*(?:\n\n|$)', c.source)
            assert not alone, f'{p.name}: {alone[0][:60]}'

QUARTO_CSS = '''pre,code{font-family:monospace} li code, li p code{white-space:pre} pre{white-space:pre-wrap} pre code{white-space:pre;display:block}
code.sourceCode{white-space:pre} .cell .sourceCode{display:block} .navbar{background:#375a7f;color:#fff} table{width:100%}
.table{table-layout:auto} td{word-break:break-word} *{box-sizing:border-box} body{margin:0;font-size:17px} main{padding:0 .75em}
.navbar .nav-link{color:#2780e3}'''
LONG = 'MatrixCrossEntropy.' + 'a_rather_long_name_of_a_method_'*2
BODY = f'''<nav class="navbar"><ul class="navbar-nav"><li class="nav-item"><a class="nav-link active" href="#">Start</a></li></ul></nav>
<main class="content">{FORMULAS}<h3 class="anchored">{LONG}</h3>
<ul><li>Where <code>blend(df.label, oof, threshold=.5, minimum=.2).isna().groupby(df.label).mean()</code> is one</li></ul>
<table class="caption-top table"><tbody><tr><td><a href="#"><code>HierarchicalCrossEntropy</code></a></td><td>{'what it says of itself ' * 20}</td></tr></tbody></table>
<div class="cell"><div class="sourceCode" id="cb1"><pre class="sourceCode python code-with-copy"><code class="sourceCode python">x = 1</code></pre></div>
<div class="cell-output cell-output-stdout"><pre><code>{'a printed line that is long ' * 10}</code></pre></div></div></main>'''

@pytest.fixture(scope='module')
def quarto(tmp_path_factory, browser, serve):
    "A page such as Quarto's, with our style sheet after its own; a function from width and theme to the open page"
    folder, pages = tmp_path_factory.mktemp('quarto'), []
    (folder/'styles.css').write_text((ROOT/'nbs/styles.css').read_text())
    base = serve(folder)
    def show(width, theme='light'):
        html = f'''<!DOCTYPE html><html><head><meta name="viewport" content="width=device-width"><style>{QUARTO_CSS}</style>
<link rel="stylesheet" href="styles.css"></head><body class="quarto-{theme}">{BODY}</body></html>'''
        (folder/'page.html').write_text(offline(html))
        pages.append(browser.new_page(viewport=dict(width=width, height=844)))
        pages[-1].goto(base + 'page.html')
        return pages[-1]
    yield show
    for p in pages: p.close()

def style(page, selector, prop): return page.eval_on_selector(selector, f'e => getComputedStyle(e).{prop}')

def test_nothing_scrolls_sideways(quarto):
    page = quarto(390)
    assert page.evaluate('document.documentElement.scrollWidth') <= 390

def test_names_stay_whole(quarto):
    assert quarto(1200).eval_on_selector('td code', 'e => e.getClientRects().length') == 1

def test_printed_output_wraps(quarto):
    assert style(quarto(1200), '.cell-output-stdout code', 'whiteSpace') == 'pre-wrap'

def test_margins_count_once(quarto):
    page = quarto(1200)
    assert style(page, 'div.sourceCode', 'marginTop') != '0px'
    for inner in ('pre.sourceCode', 'code.sourceCode'): assert style(page, inner, 'marginTop') == '0px'

def test_dark_theme(quarto):
    page = quarto(1200, 'dark')
    assert style(page, ':root', 'colorScheme') == 'dark' # the scroll bar's
    assert style(page, '.nav-link', 'color') == 'rgb(255, 255, 255)'
