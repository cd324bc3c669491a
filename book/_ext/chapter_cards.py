"""What a teacher wants to know of a chapter, taken from the chapter itself.

    ```{chapter} ../imbalance/focal
    Prerequisites and misconceptions, written by hand.
    ```

becomes the chapter's title as a link, the minutes it takes to read, the number of its
questions and exercises, its slides, what one is able to do after it, and that text.
"""

import math
import posixpath
import re
from pathlib import Path

from docutils import nodes
from docutils.statemachine import StringList
from sphinx import addnodes
from sphinx.util.docutils import SphinxDirective

WORDS_PER_MINUTE = 180
OBJECTIVES = "## What you will be able to do\n"


def setup(app):
    app.add_directive("chapter", Chapter)
    return {"parallel_read_safe": True}


class Chapter(SphinxDirective):
    required_arguments = 1
    has_content = True

    def run(self):
        name = posixpath.normpath(
            posixpath.join(posixpath.dirname(self.env.docname), self.arguments[0])
        )
        path = Path(self.env.doc2path(name))
        self.env.note_dependency(str(path))
        text = path.read_text(encoding="utf-8")
        if OBJECTIVES not in text:
            raise self.error(f"chapter: {name} has no objectives")
        objectives = text.split(OBJECTIVES)[1].split("\n## ")[0]

        card = nodes.container(classes=["chapter-card"])
        card += self.title(name, re.search("^# (.*)", text, re.M)[1])
        card += self.facts(name, text)
        for part in (objectives.splitlines(), self.content):
            lines = StringList(list(part), source=str(path))
            self.state.nested_parse(lines, self.content_offset, card)
        return [card]

    def title(self, name, title):
        link = addnodes.pending_xref(
            "",
            nodes.inline("", title),
            refdomain="std",
            reftype="doc",
            refexplicit=True,
            refwarn=True,
            reftarget=f"/{name}",
            refdoc=self.env.docname,
        )
        return nodes.rubric("", "", link)

    def facts(self, name, text):
        count = {
            word: len(re.findall(f"^`{{3,}}{{{word}}}", text, re.M))
            for word in ("question", "exercise")
        }
        up = posixpath.relpath(".", posixpath.dirname(self.env.docname))
        slides = f"{up}/slides/{posixpath.basename(name)}.html"
        return nodes.paragraph(
            "",
            f"{minutes(text)} minutes to read, {count['question']} quick questions, "
            f"{count['exercise']} exercises. ",
            nodes.raw("", f'<a href="{slides}">Slides</a>.', format="html"),
            classes=["chapter-facts"],
        )


def minutes(text):
    """How long the prose takes to read, without code and exercises, to five minutes."""
    prose = re.sub("^```{code-cell}.*?^```$", "", text, flags=re.S | re.M)
    words = len(
        re.split("^## (?:Three q|Q)uick questions", prose, flags=re.M)[0].split()
    )
    return 5 * math.ceil(words / WORDS_PER_MINUTE / 5)
