"""The built book, served to a real browser; and small books, built with its
extensions."""

import contextlib
import functools
import os
import subprocess
import sys
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from book._pdf.book_pdf import ARGUMENTS, find_browser

ROOT = Path(__file__).parents[2]
HTML = ROOT / "_build" / "html"
EXTENSIONS = ROOT / "book" / "_ext"
SPHINX = ["-m", "sphinx"]

CHAPTERS = sorted(
    path.relative_to(ROOT).with_suffix("")
    for path in (ROOT / "book").glob("*/*.md")
    if "\nkernelspec:" in path.read_text(encoding="utf-8")[:1000]
)


def write_files(folder, files):
    """Write texts by their names."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


def sphinx_command(program=SPHINX):
    """What builds the small book in the current folder into `_build/html`, its warnings
    as errors."""
    options = ["-W", "--keep-going", "-b", "html", "-d", "_build/.doctrees"]
    return [sys.executable, *program, *options, ".", "_build/html"]


def sphinx_environment(folder):
    """The extensions, and the small book's package if it has one, can be imported."""
    return os.environ | {
        "PYTHONPATH": f"{EXTENSIONS}{os.pathsep}{folder / 'src'}",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def run_sphinx(folder, program=SPHINX):
    return subprocess.run(
        sphinx_command(program),
        cwd=folder,
        env=sphinx_environment(folder),
        capture_output=True,
        text=True,
    )


def reached(gate, running):
    """The gate's other end, once the running process waits at it."""
    while True:
        try:
            return os.open(gate, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:  # nobody reads it yet
            with contextlib.suppress(subprocess.TimeoutExpired):
                pytest.fail(running.communicate(timeout=0.1)[1])


def lay_out(tab):
    """Lay out every section of the page: the browser puts off what is far from the window,
    and Playwright takes that for invisible."""
    style = ".bd-article section { content-visibility: visible !important; }"
    tab.add_style_tag(content=style)


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


@pytest.fixture(scope="session")
def serve():
    """A function that serves a folder and returns its address."""
    servers = []

    def start(folder, handler=Quiet):
        handler = functools.partial(handler, directory=folder)
        servers.append(ThreadingHTTPServer(("127.0.0.1", 0), handler))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{servers[-1].server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="session")
def browser():
    path = find_browser()
    if path is None:
        message = "no Chromium or Chrome is installed"
        pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def tab(browser):
    context = browser.new_context()
    yield context.new_page()
    context.close()


@pytest.fixture(scope="session")
def site(serve):
    sources = [ROOT / "_config.yml", ROOT / "_toc.yml"]
    for folder in ("book", "src"):
        sources += (
            p
            for p in (ROOT / folder).rglob("*")
            if p.suffix in {".md", ".bib", ".py", ".css"}
        )
    newest = max(sources, key=lambda path: path.stat().st_mtime)
    if not HTML.is_dir():
        pytest.fail("_build/html does not exist: run `make book` first")
    if HTML.stat().st_mtime < newest.stat().st_mtime:
        pytest.fail(
            f"{newest.relative_to(ROOT)} is newer than _build/html: run `make book` first"
        )
    return serve(HTML)
