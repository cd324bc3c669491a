"""Quick questions: each answer folds open and says why it is right or wrong.

    ```{question}
    How large is the gradient at $p = 0.9$ for a positive?

    - [ ] $0.9$

      That is the probability. The gradient is $p - y$.
    - [x] $-0.1$

      $p - y = 0.9 - 1$.
    ```

An answer is a `<details>` element, so it needs no script. A question has two answers or
more, exactly one of them right, and something to say about each.
"""

from docutils import nodes
from sphinx import addnodes
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

logger = logging.getLogger(__name__)

VERDICTS = {True: "Right.", False: "Not this one."}


class question(nodes.General, nodes.Element):
    pass


class answer(nodes.General, nodes.Element):
    pass


class shown(nodes.General, nodes.TextElement):
    """The text of an answer, which is always in sight."""


def setup(app):
    app.add_directive("question", Question)
    app.add_node(question, html=(visit_question, depart_question))
    app.add_node(answer, html=(visit_answer, depart_answer))
    app.add_node(shown, html=(visit_shown, depart_shown))
    app.connect("doctree-read", number_questions)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


class Question(SphinxDirective):
    has_content = True

    def run(self):
        asked = question()
        self.set_source_info(asked)
        self.state.nested_parse(self.content, self.content_offset, asked)
        if not asked.children or not isinstance(asked[-1], nodes.bullet_list):
            return [self.refused("must end with a list of answers")]
        answers = [self.answer(item) for item in asked.pop().children]
        if None in answers:
            return [
                self.refused(
                    "needs '[x] ' or '[ ] ' before each answer, which holds no link, and a "
                    "paragraph after it"
                )
            ]
        if len(answers) < 2 or sum(a["right"] for a in answers) != 1:
            return [self.refused("needs one right answer, and one or more wrong ones")]
        asked.extend(answers)
        return [asked]

    def answer(self, item):
        if len(item.children) < 2 or not isinstance(item[0], nodes.paragraph):
            return None
        text = item[0][0]
        if not isinstance(text, nodes.Text) or text[:4] not in ("[x] ", "[ ] "):
            return None
        if any(
            isinstance(node, (nodes.reference, addnodes.pending_xref))
            for node in item[0].findall()
        ):
            return None  # it would be a link inside a button
        line = shown("", "", nodes.Text(text[4:]), *item[0].children[1:])
        return answer("", line, *item.children[1:], right=text[1] == "x")

    def refused(self, reason):
        logger.warning(
            "question: it %s", reason, location=(self.env.docname, self.lineno)
        )
        return nodes.paragraph("", f"A question that {reason}.")


def number_questions(app, doctree):
    for number, node in enumerate(doctree.findall(question), 1):
        node["number"] = number


def visit_question(self, node):
    label = f"question-{node['number']}"
    self.body.append(
        f'<div class="question" role="group" aria-labelledby="{label}">'
        f'<p class="question-number" id="{label}">Question {node["number"]}</p>\n'
    )


def depart_question(self, node):
    self.body.append("</div>\n")


def visit_answer(self, node):
    self.body.append(f'<details class="{"right" if node["right"] else "wrong"}">')


def depart_answer(self, node):
    self.body.append("</div></details>\n")


def visit_shown(self, node):
    # a formula alone is no name for axe-core, and few screen readers read one
    self.body.append('<summary><span class="answer-word">Answer: </span>')


def depart_shown(self, node):
    verdict = VERDICTS[node.parent["right"]]
    self.body.append(
        f'</summary>\n<div class="feedback"><p class="verdict">{verdict}</p>\n'
    )
