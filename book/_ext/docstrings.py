"""The package's docstrings, as Sphinx's autodoc puts them on the reference pages.

They are written to be read in an editor: the lines after the first of a paragraph may be
indented, and a name of the package stands in single backticks. Here the indent is taken
away, since reStructuredText would make a list of definitions of it, and each name becomes
a link to its own entry.
"""

import importlib
import re

NAME = re.compile(r"(?<![`:\w])`([\w.]+)`(?!`)")


def setup(app):
    app.setup_extension("sphinx.ext.autodoc")
    app.connect("autodoc-process-docstring", rewrite)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}


def rewrite(app, what, name, obj, options, lines):
    module = getattr(obj, "__module__", None) or name
    paragraphs = re.split(r"\n\s*?\n", "\n".join(lines).rstrip())
    lines.clear()
    in_code = False
    for paragraph in paragraphs:
        if paragraph.startswith(" "):
            lines += [] if in_code else [".. code-block:: python", ""]
        else:
            if not paragraph.startswith("- "):
                paragraph = re.sub(r"\n\s+", "\n", paragraph)
            parts = re.split(r"(``.*?``)", paragraph, flags=re.DOTALL)
            for i in range(0, len(parts), 2):  # the others are code
                parts[i] = re.sub(r"([*|])", r"\\\1", parts[i])
                parts[i] = NAME.sub(lambda f: link(f[1], module, name), parts[i])
            paragraph = "".join(parts)
        in_code = paragraph.startswith(" ")
        lines += [*paragraph.split("\n"), ""]


def link(name, module, owner):
    """A reference to what a docstring calls by this name; text in code where it is
    none of ours."""
    for start in ("", f"{module}.", f"{owner}.", f"{owner.rpartition('.')[0]}."):
        if home := home_of(start + name):
            shown = name.rpartition(".")[2] if name.startswith("lossbook.") else name
            return f":py:obj:`{shown} <{home}>`"
    return f"``{name}``"


def home_of(name):
    """The name under which autodoc lists an object of the package; None where it does
    not."""
    parts = name.split(".")
    if parts[0] != "lossbook":
        return None
    for n_parts in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:n_parts]))
        except ImportError:
            continue
        try:
            for attribute in parts[n_parts:]:
                found = getattr(found, attribute)
        except AttributeError:
            return None
        if n_parts == len(parts):
            return name
        home = (
            f"{getattr(found, '__module__', '')}.{getattr(found, '__qualname__', '')}"
        )
        listed = re.fullmatch(r"lossbook(\.(_base|[^_.]\w*))+", home)
        return home if listed else None
    return None
