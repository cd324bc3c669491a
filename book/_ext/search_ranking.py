"""Order the results of the search by what a page is about.

Sphinx's index knows which words a page holds, not how often: a page that is all about a
word and one that has it in the comment of a cell count the same. Here each page gets a
weight for each word of its prose, by how often it stands there, more in a title, and in
how few other pages. `search_scorer.js` adds them up in the browser.
"""

import json
import math
from collections import Counter
from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.search.en import SearchEnglish

IN_TITLE, IN_HEADING = 50, 5  # what a word counts there; in the text it is 1
HALF = 20  # uses of a word after which further ones add little
LEAST = 10  # smaller weights are left out
NOT_PROSE = (  # what addnodes.desc holds is found by its name
    nodes.literal_block,
    nodes.math,
    nodes.math_block,
    nodes.raw,
    nodes.comment,
    addnodes.desc,
)
LEAD = 160  # letters of the text that stands for a page where excerpts cannot be had


def setup(app):
    app.connect("doctree-read", read_page)
    app.connect("env-updated", write_scorer)
    return {"env_version": 1, "parallel_read_safe": True, "parallel_write_safe": True}


def read_page(app, tree):
    # Sphinx keeps a page's metadata with its environment, and forgets it with the page
    app.env.metadata[app.env.docname]["search"] = count_words(tree), lead(tree)


def write_scorer(app, env):
    """Sphinx puts the file of this setting into language_data.js."""
    pages = {name: env.metadata[name]["search"] for name in sorted(env.found_docs)}
    data = {
        "PAGES": list(pages),
        "LEADS": [beginning for _, beginning in pages.values()],
        "WEIGHTS": weights([counts for counts, _ in pages.values()]),
        "TERMS": {
            name.lower(): [list(pages).index(page), anchor]
            for name, _, kind, page, anchor, _ in env.domains["std"].get_objects()
            if kind == "term"
        },
    }
    code = [
        f"const {name} = {json.dumps(value, separators=(',', ':'))};"
        for name, value in data.items()
    ]
    code.append((Path(__file__).parent / "search_scorer.js").read_text("utf-8"))
    scorer = Path(app.doctreedir) / "search_scorer.js"
    scorer.write_text("\n".join(code), encoding="utf-8")
    app.config.html_search_scorer = str(scorer)


def count_words(tree):
    """How often each word, by its stem, stands in the prose of a page."""
    language = SearchEnglish({})
    counts = Counter()
    for text in prose(tree):
        parent = text.parent
        while parent and not isinstance(parent, nodes.title):
            parent = parent.parent
        uses = 1
        if parent:
            top = isinstance(parent.parent.parent, nodes.document)
            uses = IN_TITLE if top else IN_HEADING
        for word in map(str.lower, language.split(text)):
            if language.word_filter(word):
                counts[language.stem(word)] += uses
    return counts


def prose(node):
    """The texts below a node, but for code, mathematics and the outputs of cells."""
    for child in node.children:
        if isinstance(child, nodes.Text):
            yield child
        elif not isinstance(child, NOT_PROSE) and "cell" not in child.get(
            "classes", ()
        ):
            yield from prose(child)


def weights(pages):
    """{word: [page, weight, page, weight, ...]} for counts of words, page by page.

    A weight is 100 log(N / n) k / (k + `HALF`) for a word that occurs k times in the
    page and at all in n of N pages: BM25 of Robertson and Zaragoza (2009) without the
    length of the page.
    """
    n_pages = Counter(word for counts in pages for word in counts)
    found = {}
    for page, counts in enumerate(pages):
        for word, count in counts.items():
            rarity = math.log((len(pages) + 1) / n_pages[word])
            weight = round(100 * rarity * count / (count + HALF))
            if weight >= LEAST:
                found.setdefault(word, []).extend([page, weight])
    return found


def lead(tree):
    """The beginning of a page's first paragraph."""
    paragraph = next(iter(tree.findall(nodes.paragraph)))
    text = " ".join("".join(prose(paragraph)).split())
    return text if len(text) <= LEAD else text[:LEAD].rsplit(" ", 1)[0] + " …"
