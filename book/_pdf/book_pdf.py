"""Print the built site as one PDF: `make pdf`.

The chapters are taken as they stand in the site, in the order of `_toc.yml`, so that
every number, formula and figure is the site's. They become one long page, which Chromium
prints twice: the first time tells on which page each heading falls, the second has these
page numbers in the contents.
"""

import posixpath
import shutil
import sys
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import unquote, urlsplit

import pikepdf
import yaml
from bs4 import BeautifulSoup
from playwright.sync_api import sync_playwright
from pygments.formatters import HtmlFormatter
from pypdf import PdfReader

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
HTML = ROOT / "_build" / "html"

BROWSERS = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
]
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--no-first-run",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
]

# What the page of a chapter has for the screen alone.
SCREEN_ONLY = (
    ".headerlink, .run-chapter, .toctree-wrapper, .backrefs, script, summary, form.live, "
    ".answer-word"
)

# A formula or a table that is wider than the paper is set smaller until it fits.
SHRINK = """
() => {
  for (const box of document.querySelectorAll(".math-scroll, .fit")) {
    const ratio = box.clientWidth / box.scrollWidth;
    if (ratio < 1) box.style.fontSize = `${Math.floor(98 * ratio)}%`;
  }
}
"""
# What sticks out of the paper all the same, and each link without a place to go: in the
# PDF it would be no link at all.
PROBLEMS = """
() => {
  const wide = [...document.querySelectorAll("main *")]
    .filter(e => e.getBoundingClientRect().right > document.documentElement.clientWidth + 8)  // 2 mm
    .filter(e => !e.closest(".katex-mathml, svg"));
  const dead = [...document.querySelectorAll("a[href^='#']")]
    .filter(e => !document.getElementById(decodeURIComponent(e.getAttribute("href").slice(1))));
  return [...wide.map(e => "wider than the paper: " + e.outerHTML.slice(0, 200)),
          ...dead.map(e => "leads nowhere: " + e.outerHTML.slice(0, 200))];
}
"""


def main():
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    pdf = HTML / config["sphinx"]["config"]["pdf_file"]
    print_book(HTML, config, toc, pdf)
    print(f"{pdf.relative_to(ROOT)}: {len(PdfReader(pdf).pages)} pages")


def find_browser():
    """The path of an installed Chromium or Chrome; None where there is none."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def print_book(html, config, toc, pdf):
    """Print the site in the folder `html` into the file `pdf`.

    `config` is what `_config.yml` holds (title, author, copyright), `toc` what
    `_toc.yml` holds: a root and parts with chapters.
    """
    browser = find_browser()
    if browser is None:
        sys.exit("The PDF is printed by Chromium or Chrome, and none is installed.")
    book = read_book(html, toc)
    with sync_playwright() as playwright, TemporaryDirectory() as folder:
        chromium = playwright.chromium.launch(executable_path=browser, args=ARGUMENTS)
        tab = chromium.new_page(viewport={"width": 643, "height": 900})  # 170 mm
        tab.emulate_media(media="print")
        tab.set_default_timeout(0)  # a busy machine may take minutes
        draft = Path(folder, "book.pdf")
        print_page(tab, render(book, config, {}), draft)
        numbers = page_numbers(draft)
        # tags and outline cost most of the time, and move nothing
        print_page(tab, render(book, config, numbers), draft, tagged=True, outline=True)
        chromium.close()
        if page_numbers(draft) != numbers:
            sys.exit("The contents' page numbers moved the text: give them more room.")
        with pikepdf.open(draft) as printed:  # a third of the size
            printed.save(pdf, object_stream_mode=pikepdf.ObjectStreamMode.generate)


def print_page(tab, html, pdf, **options):
    page = pdf.with_suffix(".html")
    page.write_text(html, encoding="utf-8")
    tab.goto(page.as_uri())
    tab.evaluate(SHRINK)
    if problems := tab.evaluate(PROBLEMS):
        sys.exit("\n".join(problems))
    tab.pdf(path=pdf, prefer_css_page_size=True, **options)


def page_numbers(pdf):
    """The page, from 1, of each place that a link of the PDF leads to."""
    reader = PdfReader(pdf)
    return {
        name.removeprefix("/"): reader.get_destination_page_number(place) + 1
        for name, place in reader.named_destinations.items()
    }


def read_book(html, toc):
    """The parts of the book, each a pair of a caption and its chapters; the front page
    is a part without a caption."""
    parts = [(None, [toc["root"]])] + [
        (part["caption"], [entry["file"] for entry in part["chapters"]])
        for part in toc["parts"]
    ]
    names = [name for _, chapters in parts for name in chapters]
    return [
        (caption, [read_chapter(html, name, names) for name in chapters])
        for caption, chapters in parts
    ]


def read_chapter(html, name, names):
    """The article of a page as an element whose ids and links hold in the whole book."""
    page = BeautifulSoup((html / f"{name}.html").read_text("utf-8"), "lxml")
    article = page.select_one("article > section")
    for element in article.select(".question summary"):
        element.name = "p"
    for element in article.select(SCREEN_ONLY):
        element.decompose()
    for heading in article.select(":is(h2, h3):only-child"):  # of links to pages
        heading.parent.decompose()
    for element in article.select("details"):
        element.name = "div"
    for level in range(5, 0, -1):  # the parts have the first level
        for heading in article.find_all(f"h{level}"):
            heading.name = f"h{level + 1}"
    for element in article.find_all(id=True):
        element["id"] = anchor(name, element["id"])
    article["id"] = anchor(name)
    for link in article.find_all("a", href=True):
        target = urlsplit(link["href"])
        if target.scheme:
            continue
        other = posixpath.normpath(posixpath.join(posixpath.dirname(name), target.path))
        other = other.removesuffix(".html") if target.path else name
        if other in names:
            link["href"] = "#" + anchor(other, unquote(target.fragment))
        else:
            link.unwrap()
    folder = (html / name).parent.resolve()
    for image in article.find_all("img", src=True):
        if not urlsplit(image["src"]).scheme:
            image["src"] = (folder / unquote(image["src"])).as_uri()
        image.attrs.pop("loading", None)
    for table in article.find_all("table"):
        table.wrap(page.new_tag("div", attrs={"class": "fit"}))
    return article


def anchor(name, fragment=""):
    """An id in the whole book for one in the page `name`."""
    return f"{name}--{fragment}" if fragment else name


def render(book, config, numbers):
    """The whole book as one page of HTML, with these page numbers in the contents."""
    styles = [
        ROOT / "book/_static/katex/katex.min.css",
        ROOT / "book/_static/book.css",
        ROOT / "book/_static/questions.css",
        HERE / "print.css",
    ]
    links = "\n".join(f'<link rel="stylesheet" href="{s.as_uri()}">' for s in styles)
    colours = HtmlFormatter(style="a11y-high-contrast-light").get_style_defs(
        ".highlight"
    )
    running, contents, text = [], [], []
    for caption, chapters in book:
        if caption:
            contents.append(f'<li class="part">{escape(caption)}</li>')
        for place, chapter in enumerate(chapters):
            title = text_of(chapter.find("h2"))
            page = f"chapter-{len(text)}"
            running.append(
                f"@page {page} {{ @top-right {{ content: {css_string(title)} }} }}"
            )
            contents.append(entry("chapter", title, chapter["id"], numbers))
            for section in chapter.find_all("section", recursive=False):
                contents.append(
                    entry("section", text_of(section.h3), section["id"], numbers)
                )
            part = (
                f'<h1 class="part">{escape(caption)}</h1>'
                if caption and not place
                else ""
            )
            text.append(
                f'<div class="chapter" style="page: {page}">{part}{chapter}</div>'
            )
    front = (HERE / "front.html").read_text(encoding="utf-8").format_map(config)
    return f"""<!doctype html>
<html lang="en-GB" data-theme="light"><head><meta charset="utf-8">
<title>{escape(config["title"])}</title><meta name="author" content="{escape(config["author"])}">
{links}
<style>{colours}
{"".join(running)}</style></head>
<body><main class="bd-content">{front}
<nav><h1>Contents</h1><ul>{"".join(contents)}</ul></nav>
{"".join(text)}</main></body></html>"""


def text_of(heading):
    """Its text, each formula once: KaTeX writes it for the eye and for screen readers."""
    pieces = heading.find_all(string=True)
    return "".join(s for s in pieces if not s.find_parent(class_="katex-mathml"))


def css_string(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def entry(kind, title, target, numbers):
    number = numbers.get(target, "")
    return (
        f'<li class="{kind}"><a href="#{escape(target)}">{escape(title)}</a>'
        f"<span>{number}</span></li>"
    )


if __name__ == "__main__":
    main()
