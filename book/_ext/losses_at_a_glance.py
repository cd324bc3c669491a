"""The directive `loss`: what the page of all losses says of one, made from its class.

    ```{loss} HuberLoss(delta=1.0)
    ```

Formula and gradient are the first and the last line of its derivation, which is proved
here; hyper-parameters and defaults are its fields, explained by its docstring.
"""

import inspect
import re
from dataclasses import MISSING, fields
from pathlib import Path

from sphinx.util.docutils import SphinxDirective

import lossbook
from lossbook import losses
from lossbook._printing import latex, left_side


def setup(app):
    app.add_directive("loss", LossDirective)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}


class LossDirective(SphinxDirective):
    required_arguments = 1
    final_argument_whitespace = True

    def run(self):
        package = Path(lossbook.__file__).parent
        for source in [__file__, *package.glob("**/*.py")]:
            self.env.note_dependency(str(source))
        loss = from_text(self.arguments[0])
        module = type(loss).__module__.rpartition(".")[2]
        chapter = next(d for d in self.env.found_docs if d.endswith(f"/{module}"))
        return self.parse_text_to_nodes(describe(loss, f"/{chapter}.md"))


def from_text(expression):
    """The loss that an expression such as `HuberLoss(delta=1.0)` makes."""
    return eval(expression, {name: getattr(losses, name) for name in losses.__all__})


def describe(loss, chapter):
    """A list of definitions, in MyST Markdown.

    loss: a loss of the book. chapter: the address of the page that derives it.
    Raises `DerivationError` when a line of its derivation does not follow.
    """
    cls = type(loss)
    base = getattr(loss, "base", loss)  # of a loss that weights another
    kind = next(b for b in type(base).__mro__[1:] if b.__doc__)
    paragraphs = inspect.getdoc(cls).split("\n\n")
    parameters = [p for p in paragraphs[1:] if explains(p, cls)]
    derivation = loss.derivation()
    derivation.verify()
    variables = [line.wrt for line in derivation.lines if line.wrt is not None]
    first = [(latex(derivation.name), derivation.lines[0].expression)]
    last = [(left_side(derivation.name, variables), derivation.result)]
    where = [(latex(key), value) for key, value in derivation.where.items()]
    definitions = {
        "In code": f"{{py:obj}}`{signature(cls)} <{cls.__module__}.{cls.__name__}>`",
        "In words": one_line(paragraphs[0]),
        "Hyper-parameters": "\n\n  ".join(map(listed, parameters)) or "none",
        "Scores and targets": one_line(kind.__doc__.split("\n\n")[0]),
        "Formula": f"{formulas(first)}\n\n  where\n\n  {formulas(where)}",
        "Gradient": formulas(last),
        "Derived in": f"[](<{chapter}>)",
    }
    return "\n\n".join(f"{name}\n: {text}" for name, text in definitions.items())


def explains(paragraph, cls):
    """Is it the paragraph of a docstring on one of the class's fields?"""
    return any(
        re.match(rf"(\w+, )*{field.name}(, \w+)*: ", paragraph) for field in fields(cls)
    )


def signature(cls):
    shown = (
        f.name if f.default is MISSING else f"{f.name}={f.default!r}"
        for f in fields(cls)
    )
    return f"{cls.__name__}({', '.join(shown)})"


def listed(paragraph):
    """A paragraph of "name: meaning" lines as a list, with the names as code."""
    items = re.split(r"\n(?=\S)", paragraph)
    return "\n  ".join(
        "- " + re.sub(r"^([\w, ]+): ", lambda m: code(m[1]) + ": ", one_line(item))
        for item in items
    )


def code(names):
    return ", ".join(f"`{name}`" for name in names.split(", "))


def one_line(text):
    return re.sub(r"\s+", " ", text).strip()


def formulas(equations):
    """A displayed formula, with a row for each pair of left side and expression."""
    rows = r" \\ ".join(f"{left} &= {latex(right)}" for left, right in equations)
    return rf"$$\begin{{aligned}} {rows} \end{{aligned}}$$"
