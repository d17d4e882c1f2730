"Each page as a reader meets it: no error, nothing asked of the network, no sideways scrolling; copy and search work"
import pytest
from conftest import ROOT
from nbdev.config import nbpath2html
from tools.made import public

PAGES = sorted(nbpath2html(p).name for p in (ROOT/'nbs').glob('*.ipynb'))
WIDTHS = 1200, 390

@pytest.fixture(scope='module')
def open_page(site, serve, browser):
    "A function from a page's name and a width to the open page; what it complained of is in `page.said`"
    base = serve(site)
    context = browser.new_context()
    context.grant_permissions(['clipboard-read', 'clipboard-write'], origin=base)
    page, said = context.new_page(), []
    page.said = said
    page.on('console', lambda m: said.append(f'{m.type}: {m.text}') if m.type in ('error', 'warning') else None)
    page.on('pageerror', lambda e: said.append(f'error: {e}'))
    page.on('request', lambda r: said.append(f'asks for {r.url}') if not r.url.startswith((base, 'data:', 'blob:')) else None)
    def show(name, width, theme='light'):
        said.clear()
        page.emulate_media(color_scheme=theme)
        page.set_viewport_size(dict(width=width, height=844))
        page.goto(base + name)
        return page
    yield show
    context.close()

TOO_WIDE = '''() => { const d = document.documentElement, w = d.clientWidth
  const own = e => { for (; e && e.tagName != 'MAIN'; e = e.parentElement) if (/auto|scroll|hidden/.test(getComputedStyle(e).overflowX)) return true }
  const far = [...document.querySelectorAll('main *')].filter(e => e.getBoundingClientRect().right > w + 1 && !own(e))
  const which = far.map(e => e.tagName.toLowerCase() + ' ' + e.textContent.slice(0, 60)).slice(0, 3)
  return d.scrollWidth > w || far.length ? [`${d.scrollWidth} pixels wide`, ...which] : [] }'''
UNSEEN = '''() => [...document.images].filter(i => !i.alt || (i.complete && !i.naturalWidth)).map(i => i.src.slice(0, 80))'''

@pytest.mark.parametrize('name', PAGES)
def test_page(name, open_page):
    page = open_page(name, WIDTHS[0])
    assert not page.evaluate(TOO_WIDE)
    page.set_viewport_size(dict(width=WIDTHS[1], height=844))
    assert not page.evaluate(TOO_WIDE)
    assert not page.evaluate(UNSEEN)
    assert not page.said

def first_code(page):
    "The button that copies a block of code, and the code; smalldocs and Quarto 1.7 have it in `pre` or beside it, later ones around both"
    button = page.locator('.code-copy-button:visible').first   # not in a fold
    code = button.locator('xpath=ancestor::*[.//code][1]').locator('code').first
    return button, code

def test_copy(open_page):
    page = open_page('weights.html', WIDTHS[0])
    button, code = first_code(page)
    code.hover()
    button.click(force=True)
    page.wait_for_function('async () => (await navigator.clipboard.readText()) != ""', timeout=3000)
    assert page.evaluate('navigator.clipboard.readText()').strip() == code.inner_text().strip()

def search_box(page):
    "The box to type into; on a narrow screen it is behind a button"
    boxes = page.locator('input[type=search], .aa-Input')
    for button in ('.navbar-toggler', '.aa-DetachedSearchButton'):
        if not boxes.first.is_visible() and page.locator(button).first.is_visible(): page.locator(button).first.click()
    boxes.first.wait_for(state='visible', timeout=3000)
    return boxes.first

@pytest.mark.parametrize('width', WIDTHS)
def test_search(width, open_page):
    "A name of every fifth module leads to the page where it is explained"
    page = open_page('index.html', width)
    box = search_box(page)
    for names in [*public(ROOT).values()][::5]:
        name = max(names, key=lambda n: ('.' not in n, n[0].isupper(), len(n)))
        where = names[name].split('#')[0].split('/')[-1]
        box.fill('')
        page.locator('.search-result, .aa-Item a').first.wait_for(state='hidden', timeout=3000)
        box.fill(name)
        hit = page.locator(f'.search-result[href*="{where}"], .aa-Item a[href*="{where}"]')
        hit.first.wait_for(timeout=3000)
        hits = page.locator('.search-result, .aa-Item a').all()
        assert where in [h.get_attribute('href').split('/')[-1].split('?')[0].split('#')[0] for h in hits], name

def test_long_formulas_scroll_in_their_box(open_page):
    page = open_page('hierarchy.html', WIDTHS[1])
    assert page.locator('math').count()
    assert page.evaluate('document.documentElement.scrollWidth') <= WIDTHS[1]
