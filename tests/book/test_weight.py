"""What a reader's connection carries and what moves on the screen, page by page."""

import gzip

import pytest

from tests.book.conftest import HTML, Quiet, lay_out
from tests.book.test_site import toctree

FIRST_VISIT = 400_000  # bytes, compressed
NEXT_PAGE = 120_000
# The cloud in its first figure is drawn in pixels, which do not compress.
HEAVIER = {"book/imbalance/class_imbalance": 145_000}
FOR_EVER = "public, max-age=31536000, immutable"

# Chromium reports a layout shift as a score: how much of the window moved, and how far.
# What it reports has happened without a click or a key.
WATCH = """
  window.shifts = [];
  new PerformanceObserver(list => shifts.push(...list.getEntries().map(
    e => e.value + ": " + e.sources.map(s => s.node?.outerHTML?.slice(0, 80)))))
    .observe({ type: "layout-shift", buffered: true });
"""
IMAGES = """
  async () => {
    const images = [...document.querySelectorAll("main img")];
    for (const image of images) image.loading = "eager";
    await Promise.all(images.map(image => image.decode()));
    const differ = (a, b) => !(Math.abs(a / b - 1) < 0.01);
    const wrong = image => {
      const shape = image.getAttribute("width") / image.getAttribute("height");
      // where a live figure will stand, the picture is fitted into its place
      const fitted = getComputedStyle(image).objectFit === "contain";
      return differ(image.naturalWidth / image.naturalHeight, shape)
        || !fitted && differ(image.clientWidth / image.clientHeight, shape);
    };
    return images.filter(wrong).map(image => image.outerHTML);
  }
"""


class Compressed(Quiet):
    """Serves as hosts do: text compressed, and what has its digest in its address kept
    for ever."""

    def do_GET(self):
        with open(self.translate_path(self.path), "rb") as file:
            content = file.read()
        kind = self.guess_type(self.translate_path(self.path))
        self.send_response(200)
        if kind != "font/woff2":
            content = gzip.compress(content)
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", len(content))
        keep = FOR_EVER if "?v=" in self.path else "max-age=600"
        self.send_header("Cache-Control", keep)
        self.end_headers()
        self.wfile.write(content)


@pytest.fixture(scope="module")
def compressed_site(site, serve):
    return serve(HTML, Compressed)


def load(tab, address):
    """Open a page; return the bytes that came over the network, and the layout shifts."""
    n_bytes = []
    client = tab.context.new_cdp_session(tab)
    client.on(
        "Network.loadingFinished", lambda e: n_bytes.append(e["encodedDataLength"])
    )
    client.send("Network.enable")
    tab.goto(address, wait_until="networkidle")
    client.detach()
    return sum(n_bytes), tab.evaluate("shifts")


PAGES = toctree()


@pytest.mark.parametrize(
    "before, page", list(zip(PAGES, PAGES[1:] + PAGES[:1], strict=True))
)
def test_a_page_is_light_and_stays_still(tab, compressed_site, before, page):
    tab.add_init_script(WATCH)
    n_bytes, shifts = load(tab, f"{compressed_site}/{before}.html")
    assert (n_bytes <= FIRST_VISIT, shifts) == (True, []), f"{before}: {n_bytes} bytes"
    tab.set_viewport_size({"width": 390, "height": 844})
    n_bytes, shifts = load(tab, f"{compressed_site}/{page}.html")
    limit = HEAVIER.get(page, NEXT_PAGE)
    assert (n_bytes <= limit, shifts) == (True, []), f"{page}: {n_bytes} bytes"


def test_weights_and_shifts_are_seen(tab, serve, tmp_path):
    """Half a megabyte of noise, and a script that pushes the text down."""
    (tmp_path / "noise.js").write_text("//" + "x" * 500_000)
    (tmp_path / "page.html").write_text(
        "<!doctype html><script src='noise.js'></script><p>text</p><script>"
        "setTimeout(() => document.body.style.paddingTop = '300px', 100)</script>"
    )
    tab.add_init_script(WATCH)
    n_bytes, shifts = load(tab, f"{serve(tmp_path)}/page.html")
    assert n_bytes > 500_000
    assert "<p>text</p>" in shifts[0]


@pytest.mark.parametrize("page", PAGES)
def test_images_have_their_sizes_and_pages_a_description(tab, site, page):
    tab.goto(f"{site}/{page}.html")
    tab.set_viewport_size({"width": 390, "height": 844})
    lay_out(tab)
    assert tab.evaluate(IMAGES) == []
    descriptions = tab.locator("meta[name=description]").evaluate_all(
        "tags => tags.map(tag => tag.content)"
    )
    assert len(descriptions) == 1
    assert descriptions[0].endswith((".", "?", "!"))
    assert "\\" not in descriptions[0]


def test_descriptions_differ():
    heads = [(HTML / f"{page}.html").read_text("utf-8")[:5000] for page in PAGES]
    descriptions = {head.split('name="description" content="')[1] for head in heads}
    assert len(descriptions) == len(PAGES)
