"""Slides from the chapters: after the build, one file for each, in `slides/` beside the
pages.

Every section of a chapter becomes a column of slides. A slide shows one thing that is
worth a blackboard (a figure, a formula, a derivation, a table, a list, a question), and
over it the sentence of the text that leads to it. The rest of the text is in the
speaker's notes (key S). Reveal.js turns the pages; live figures stay live.
"""

import base64
import hashlib
import html
import posixpath
import re
from functools import cache
from pathlib import Path

from bs4 import BeautifulSoup
from policy import policy_tag

LEFT_OUT = {"Sources"}

PAGE = """<!doctype html>
<html lang="en" data-theme="light">
<head>
<meta charset="utf-8">
<meta name="made-of" content="{digest}">
{policy}
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}: slides</title>
<link rel="icon" href="../_static/favicon.svg">
{styles}
</head>
<body>
<div class="reveal"><div class="slides">
{slides}
</div></div>
<script src="../_static/reveal/reveal.js"></script>
<script src="../_static/reveal/notes.js"></script>
<script src="../_static/slides.js"></script>
<script src="../_static/live.js" defer></script>
</body>
</html>
"""
STYLES = ["site.css", "reveal/reveal.css", "slides.css"]
NOTES = Path(__file__).parents[1] / "_static" / "reveal" / "notes.js"


def setup(app):
    app.connect("build-finished", write_slides)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def write_slides(app, exception):
    """Write the slides of every chapter that is not the one they were made of."""
    if exception or app.builder.name != "html":
        return
    out = Path(app.outdir)
    (out / "slides").mkdir(exist_ok=True)
    for name in sorted(app.env.found_docs):
        page = out / f"{name}.html"
        target = out / "slides" / f"{posixpath.basename(name)}.html"
        if name == app.config.root_doc or not is_chapter(app.env.doc2path(name)):
            continue
        text = page.read_text(encoding="utf-8")
        digest = digest_of(text)
        if target.exists() and digest in target.read_text(encoding="utf-8")[:400]:
            continue
        target.write_text(slides_of(text, name, digest), encoding="utf-8")


def is_chapter(path):
    """Chapters are notebooks; the other pages are plain Markdown."""
    return "\nkernelspec:" in Path(path).read_text(encoding="utf-8")[:1000]


def digest_of(text):
    """Of the chapter's text, of this file and of the policy."""
    article = text[text.index("<article") : text.index("</article>")]
    made_by = Path(__file__).read_text(encoding="utf-8") + policy()
    known = re.sub(r"\?v=\w+", "", article) + made_by
    return hashlib.sha256(known.encode()).hexdigest()[:16]


@cache
def policy():
    """The policy of the slides: the speaker's view is a window with a script in it, which
    Reveal.js writes, and with the slides in frames."""
    window = NOTES.read_text(encoding="utf-8").split("document.write(`")[1]
    script = re.search(r"<script>(.*?)<\\/script>", window, re.DOTALL)[1]
    digest = hashlib.sha256(script.replace("\\\\", "\\").encode()).digest()
    known = base64.b64encode(digest).decode()
    return policy_tag(script_src=f"'self' 'sha256-{known}'", frame_src="'self'")


def slides_of(text, name, digest):
    """The slides of a built page, as a page."""
    soup = BeautifulSoup(text, "html.parser")
    chapter = soup.select_one("article.bd-article > section")
    for part in chapter.select(".headerlink, .solution, .admonition.dropdown"):
        part.decompose()
    for part in chapter.select(".admonition section"):
        part.name = "div"  # to Reveal.js every section is a slide
    move_links(chapter, posixpath.dirname(name))
    title = chapter.h1.get_text()
    columns = [column(soup, chapter, chapter.h1)]
    for section in chapter.find_all("section", recursive=False):
        if section.h2.get_text() not in LEFT_OUT:
            columns.append(column(soup, section, section.h2))
    styles = "\n".join(
        f'<link rel="stylesheet" href="../_static/{style}">' for style in STYLES
    )
    return PAGE.format(
        policy=policy(),
        title=html.escape(title),
        digest=digest,
        styles=styles,
        slides=with_anchors("\n".join(columns), posixpath.relpath(name, "slides")),
    )


def with_anchors(slides, page):
    """The slides, where a link to a part of the page that is on none leads to the page."""
    anchors = set(re.findall(r'\bid="([^"]+)"', slides))

    def lead(link):
        return link[0] if link[1] in anchors else f'href="{page}.html#{link[1]}"'

    return re.sub(r'href="#([^"]+)"', lead, slides)


def move_links(chapter, folder):
    """Make the page's relative links relative to the folder of the slides."""
    for attribute in ("href", "src"):
        for element in chapter.find_all(attrs={attribute: True}):
            address = element[attribute]
            if re.match(r"[a-z]+:|#", address):
                continue
            place = posixpath.normpath(posixpath.join(folder, address))
            element[attribute] = posixpath.relpath(place, "slides")


def column(soup, section, heading):
    """The slides of a section and its parts, one below the other."""
    pages, said = [], []
    for child in section.find_all(recursive=False):
        if child is heading or child.name == "section":
            continue
        shown = worth_showing(child)
        if shown is None:
            said.append(child)
        else:
            pages.append(slide(heading, lead(said), shown, said))
            said = []
    claims = [s for part in said if part.name == "p" for s in claimed(part)]
    if claims or not pages:
        pages.append(slide(heading, claims or opening(said), "", said))
    elif said:
        pages[-1] = pages[-1].replace(
            "</aside></section>", f"{joined(said)}</aside></section>"
        )
    if heading.name == "h1":
        return f"<section>{joined(pages)}</section>"
    for part in section.find_all("section", recursive=False):
        pages.append(column(soup, part, part.find(["h3", "h4"])))
    return (
        f"<section>{joined(pages)}</section>" if heading.name == "h2" else joined(pages)
    )


def joined(parts):
    return "\n".join(map(str, parts))


def worth_showing(child):
    """The HTML that a slide shows of this part of the text; None of what is said, and of
    the spans that links lead to."""
    classes = child.get("class", [])
    if "cell" in classes:
        output = child.select_one(".cell_output")
        if output is not None:
            return str(output)
        code = child.get_text().strip()
        return None if code.startswith(("import", "from", "#")) else str(child)
    return None if child.name in ("p", "span") else str(child)


def slide(heading, sentences, shown, said):
    """One slide: the heading, some sentences, what is shown; and the rest as notes."""
    tag = "h1" if heading.name == "h1" else "h2"
    text = "".join(f"<p>{sentence}</p>" for sentence in sentences)
    return (
        f"<section><{tag}>{heading.decode_contents()}</{tag}>{text}{shown}"
        f'<aside class="notes">{joined(said)}</aside></section>'
    )


def lead(said):
    """The end of the paragraph before what is shown: two sentences if one is short."""
    paragraphs = [part for part in said if part.name == "p"]
    if not paragraphs:
        return []
    *before, last = sentences(paragraphs[-1])
    short = len(BeautifulSoup(last, "html.parser").get_text()) < 50
    return [f"{before[-1]} {last}"] if before and short else [last]


def opening(said):
    """The first sentences of a section that shows nothing."""
    paragraphs = [part for part in said if part.name == "p"]
    return [sentence for part in paragraphs[:3] for sentence in sentences(part)[:1]]


def claimed(paragraph):
    """The sentences that the text stresses."""
    return [s for s in sentences(paragraph) if "<strong" in s]


def sentences(paragraph):
    """The sentences of a paragraph as HTML; none is cut inside an element."""
    parts, depth = [""], 0
    for piece in re.split(r"(<[^>]*>)", paragraph.decode_contents()):
        if piece.startswith("<"):
            closing, alone = piece.startswith("</"), piece.endswith("/>")
            depth += (
                0 if alone or re.match("<(br|img|input|hr)", piece) else 1 - 2 * closing
            )
            parts[-1] += piece
        elif depth:
            parts[-1] += piece
        else:
            first, *rest = re.split(r"(?<=[.?!])\s+", piece)
            parts[-1] += first
            parts += rest
    return [part.strip() for part in parts if part.strip()]
