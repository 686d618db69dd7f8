"""The printed edition: the whole book as one page, through a headless Chromium."""

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from anomalylib.errors import UserError
from anomalylib.files import written_whole
from study.book.build import alone, assemble, render, write_pages
from study.book.options import Study
from study.runs.workers import end_with_parent

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
QUIET = ("--headless", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync")
QUIET += ("--disable-background-networking", "--disable-component-update", "--no-sandbox")
"""Nothing but printing. The sandbox is left out because it forbids to run as root, as
containers do; the only page that is opened is the book itself."""
PATIENCE = 60_000  # milliseconds of a page's own clock for formulas


def find_browser() -> str:
    """Where Chromium is; a `UserError` if it is not installed."""
    for name in BROWSERS:
        if browser := shutil.which(name):
            return browser
    raise UserError("no Chromium here to print the book with: install chromium, then `make pdf`")


def anchored(text: str) -> str:
    """Let links between pages lead to their places in the one long page.

    A link to a file that is not printed loses its target, which is a folder of this machine.
    """
    places = {name.split("/")[-1]: name for name in re.findall(r'id="document-([^"]+)"', text)}

    def mended(link: re.Match) -> str:
        before, target, after = link.groups()
        if target.startswith(("#", "http:", "https:", "mailto:")):
            return link.group()
        name = target.partition("#")[0].rpartition("/")[2].removesuffix(".html")
        place = f' href="#document-{places[name]}"' if name in places else ""
        return f"{before}{place}{after}"

    return re.sub(r'(<a\b[^>]*?)\s+href="([^"]*)"([^>]*>)', mended, text)


def print_book(study: Study) -> Path:
    """Print the book of a study whose notebooks are executed, and return where the PDF is."""
    browser = find_browser()
    with alone(study):
        write_pages(study, assemble(study))
        page = render(study, "singlehtml") / "index.html"
        page.write_text(anchored(page.read_text(encoding="utf-8")), encoding="utf-8")
    target = study.book / "book.pdf"
    with tempfile.TemporaryDirectory() as profile, written_whole(target) as beside:
        options = [f"--user-data-dir={profile}", f"--virtual-time-budget={PATIENCE}"]
        options += ["--no-pdf-header-footer", f"--print-to-pdf={beside}", page.as_uri()]
        command = [browser, *QUIET, *options]
        own = {"capture_output": True, "preexec_fn": end_with_parent}
        done = subprocess.run(command, **own, check=False)
        if done.returncode != 0 or not beside.read_bytes().startswith(b"%PDF"):
            raise UserError(f"{browser} did not print {page}; open it and print it by hand")
    return target
