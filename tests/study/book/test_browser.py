"""The built book in a browser, without a network; ``--book PATH`` names another built book."""

import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from study.book.pdf import BROWSERS

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
FLAGS += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
WIDE, NARROW = 1440, 390
LOCAL = ("file:", "data:", "blob:")
PAGE_LIMIT, SITE_LIMIT = 3_000_000, 55_000_000

SETTLED = """async () => {
    const arrived = image => new Promise(done => { image.onload = image.onerror = done; });
    for (const image of document.images) image.loading = "eager";
    await Promise.all([...document.images].filter(i => !i.complete).map(arrived));
    await window.MathJax?.startup?.promise?.catch(() => {});
    await document.fonts.ready;
    const ends = animation => animation.effect.getComputedTiming().endTime < Infinity;
    document.getAnimations().filter(ends).forEach(animation => animation.finish());
}"""
SEEN = r"""() => {
    const wide = document.documentElement.scrollWidth;
    const found = wide > innerWidth ? [`scrolls sideways: ${wide} px in ${innerWidth}`] : [];
    for (const image of document.images) {
        const name = image.getAttribute("src").slice(0, 80), alt = image.alt.trim();
        if (!image.naturalWidth) found.push(`image not shown: ${name}`);
        if (!alt) found.push(`image without description: ${name}`);
        if (/\.(png|jpe?g|svg|gif|webp)$/i.test(alt)) found.push(`file name describes: ${name}`);
    }
    for (const formula of document.querySelectorAll(".math")) {
        const drawn = formula.querySelector("mjx-container");
        const failed = formula.querySelector("mjx-merror, [data-mjx-error]");
        if (!drawn || failed) found.push(`formula not drawn: ${formula.textContent.slice(0, 80)}`);
    }
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
        const text = texts.currentNode;
        if (text.parentElement.closest("pre, code, script, style, .math")) continue;
        const raw = text.data.match(/\{[a-z][\w:-]*\}|\{(glue|cite|numref)|\$\$|\\[([]/);
        if (raw) found.push(`raw markup: ${text.data.slice(0, 80)}`);
    }
    return found;
}"""


class Reader:
    """A window of one width that tells what is wrong with the pages it reads."""

    def __init__(self, browser, width, scheme="light"):
        self.heard, self.width = [], width
        context = browser.new_context(color_scheme=scheme, offline=True)
        context.route(re.compile(f"^(?!{'|'.join(LOCAL)})"), lambda route: route.abort())
        self.page = context.new_page()
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.heard.append(f"script fails: {error}"))
        self.page.on("request", self._request)
        self.page.on(
            "requestfailed", lambda request: self.heard.append(f"cannot load: {request.url[-80:]}")
        )

    def _console(self, message):
        if message.type in {"error", "warning"}:
            self.heard.append(f"console {message.type}: {message.text}")

    def _request(self, request):
        if not request.url.startswith(LOCAL):
            self.heard.append(f"leaves the machine: {request.url}")

    def read(self, path, query=""):
        self.heard.clear()
        self.resize(self.width)
        self.page.goto(path.as_uri() + query)
        self.page.evaluate(SETTLED)
        return [*self.heard, *self.page.evaluate(SEEN)]

    def resize(self, width):
        self.page.set_viewport_size({"width": width, "height": 900})

    def widened(self):
        """What is wrong with the page once its window is wide."""
        self.resize(WIDE)
        return self.page.evaluate(SEEN)

    def barriers(self):
        """What axe-core finds serious or critical about the page."""
        axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
        # preload would fetch the style sheets, which no browser allows a page in a file
        options = {"resultTypes": ["violations"], "preload": False}
        return [
            f"{rule['id']} ({rule['impact']}): {node['html'][:120]}"
            for rule in axe.run(self.page, options=options).response["violations"]
            if rule["impact"] in {"serious", "critical"}
            for node in rule["nodes"]
        ]

    def theme(self):
        return self.page.evaluate("document.documentElement.dataset.theme")


class Markup(HTMLParser):
    """What a page refers to, and what may be referred to on it."""

    def __init__(self, path):
        super().__init__()
        self.anchors, self.targets, self.images = set(), set(), set()
        self.feed(path.read_text())

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.anchors |= {given.get("id"), given.get("name")} - {None}
        self.targets |= {given.get("href"), given.get("src")} - {None}
        if tag == "img":
            self.images.add(given.get("src"))


def pages_of(site):
    return [path for path in sorted(site.rglob("*.html")) if "_static" not in path.parts]


def dead_links(site):
    markup = {path: Markup(path) for path in pages_of(site)}
    found = []
    for path, page in markup.items():
        for target in sorted(page.targets):
            parts = urlsplit(target)
            if parts.scheme or parts.netloc:
                continue
            file = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            known = markup[file].anchors if file in markup else {unquote(parts.fragment)}
            if not file.is_file() or (parts.fragment and unquote(parts.fragment) not in known):
                found.append(f"{path.relative_to(site)}: dead link {target}")
    return found


def heavy_pages(site):
    found = []
    for path in pages_of(site):
        shown = {(path.parent / unquote(image)).resolve() for image in Markup(path).images}
        size = sum(file.stat().st_size for file in {path, *shown} if file.is_file())
        if size > PAGE_LIMIT:
            found.append(f"{path.relative_to(site)}: {size / 1e6:.1f} MB")
    return found


@pytest.fixture(scope="module")
def site(request):
    given = request.config.getoption("--book")
    folder = Path(given) if given else request.getfixturevalue("built")[2].parent
    assert pages_of(folder.resolve()), f"no pages in {folder}"
    return folder.resolve()


@pytest.fixture(scope="module")
def browser():
    """One browser, gone with its event loop before the next module."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        pytest.skip(f"none of {', '.join(BROWSERS)} is installed")
    with api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield opened
        opened.close()


def told(site, path, problems):
    return [f"{path.relative_to(site)}: {problem}" for problem in problems]


def test_every_page_is_sound_and_open_to_all(site, browser):
    reader, found = Reader(browser, NARROW), []
    for path in pages_of(site):
        problems = reader.read(path) + reader.barriers()
        found += told(site, path, problems + reader.widened())
    assert not found, "\n".join(found)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_wide_pages_are_open_to_all(site, browser, scheme):
    reader, found = Reader(browser, WIDE, scheme), []
    one_a_folder = {path.parent: path for path in pages_of(site)}.values()
    for path in (site / "index.html", *one_a_folder):
        found += told(site, path, reader.read(path))
        assert reader.theme() == scheme
        found += told(site, path, reader.barriers())
    assert not found, "\n".join(found)


def test_the_switch_turns_the_page_dark(site, browser):
    reader = Reader(browser, WIDE)
    reader.read(site / "index.html")
    assert reader.theme() == "light"
    reader.page.click(".theme-switch-button:visible")
    assert reader.theme() == "dark"
    reader.read(site / "search.html")
    assert reader.theme() == "dark"


def test_the_search_finds_pages(site, browser):
    reader = Reader(browser, WIDE)
    reader.read(site / "search.html", "?q=threshold")
    reader.page.wait_for_selector("#search-results li a", timeout=5000)
    links = reader.page.locator("#search-results li a")
    for address in links.evaluate_all("links => links.map(link => link.href)"):
        assert Path(unquote(urlsplit(address).path)).is_file(), address
    assert not reader.heard


def test_every_link_leads_somewhere(site):
    found = dead_links(site)
    assert not found, "\n".join(found)


def test_pages_and_site_are_light(site):
    assert not heavy_pages(site)
    assert sum(path.stat().st_size for path in site.rglob("*") if path.is_file()) < SITE_LIMIT


PIXEL = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"
PAGE = '<!doctype html><html lang="en"><title>A page</title><main><h1>A page</h1>{}</main></html>'


def page(folder, content):
    path = folder / "page.html"
    path.write_text(PAGE.format(content))
    return path


def test_a_sound_page_has_no_problems(browser, tmp_path):
    content = f'<p id="here"><a href="#here">Here</a></p><img src="{PIXEL}" alt="black">'
    reader = Reader(browser, NARROW)
    assert reader.read(page(tmp_path, content)) + reader.barriers() == []
    assert dead_links(tmp_path) == heavy_pages(tmp_path) == []


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ('<img src="missing.png" alt="a nut">', "image not shown"),
        ('<img src="missing.png" alt="a nut">', "cannot load"),
        (f'<img src="{PIXEL}" alt="">', "image without description"),
        (f'<img src="{PIXEL}" alt="_images/nut.png">', "file name describes"),
        (f'<img src="{PIXEL}">', "image-alt (critical)"),
        ('<img src="https://example.org/nut.png" alt="a nut">', "leaves the machine"),
        ('<script>fetch("http://127.0.0.1:9/")</script>', "leaves the machine"),
        ('<script>console.error("oh")</script>', "console error: oh"),
        ('<script>console.warn("oh")</script>', "console warning: oh"),
        ("<script>nothing.here</script>", "script fails"),
        ('<div style="width: 500px">wide</div>', "scrolls sideways"),
        (r'<span class="math">\(x^2\)</span>', "formula not drawn"),
        ('<span class="math"><mjx-container><mjx-merror>', "formula not drawn"),
        ("<p>see {cite}<code>key</code></p>", "raw markup"),
        ('<p>it is {glue:text}"auroc"</p>', "raw markup"),
        ('<p style="color: #ccc; background: #fff">pale</p>', "color-contrast (serious)"),
    ],
)
def test_what_is_wrong_with_a_page_is_seen(browser, tmp_path, content, problem):
    reader = Reader(browser, NARROW)
    found = reader.read(page(tmp_path, content))
    if "(" in problem:  # axe-core's, with how serious it is
        found = reader.barriers()
    assert any(problem in line for line in found), found


@pytest.mark.parametrize("target", ["#nowhere", "page.html#nowhere", "gone.html", "_sources/a.md"])
def test_a_dead_link_is_seen(tmp_path, target):
    page(tmp_path, f'<a href="{target}">a</a><a href="mailto:a@b.c">b</a><a href="//c.d/e">c</a>')
    assert dead_links(tmp_path) == [f"page.html: dead link {target}"]


def test_a_heavy_page_is_seen(tmp_path):
    (tmp_path / "large.png").write_bytes(bytes(PAGE_LIMIT))
    page(tmp_path, '<img src="large.png" alt="large">')
    assert len(heavy_pages(tmp_path)) == 1
