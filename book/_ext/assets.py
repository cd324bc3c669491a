"""Make what every page loads small, once all pages are written.

The theme and the extensions bring a megabyte of style sheets, scripts and icon fonts,
for any site. Here they become one style sheet with the rules that this site can use, one
script, and fonts with the characters that it shows. What no page refers to is removed.
A rule is kept when every class and id in its selector occurs, as a word, in some page
or script: so what a script adds while the page is open keeps its style.
"""

import hashlib
import posixpath
import re
import shutil
from operator import attrgetter
from pathlib import Path

import tinycss2
from fontTools import subset
from sphinx.errors import ExtensionError

# The theme's layout loads these outside Sphinx's own lists.
THEME_SHEETS = ["_static/basic.css", "_static/styles/pydata-sphinx-theme.css"]
THEME_SCRIPTS = ["_static/scripts/pydata-sphinx-theme.js"]
# What is left out of the scripts. The first measures every box of the page, one after the
# other, and so has a long chapter laid out a hundred times; scrollable.js does the same
# from what the browser measures anyway. The second takes the focus from a button that
# was pressed, and who reads with the keyboard must start again at the top.
LEFT_OUT = [
    '"complete"===document.readyState?I():window.addEventListener("load",I)',
    't&&t.addEventListener("click",(()=>{t.blur()}),!0)',
]
# The fonts of the icons and of mathematics, by the class that asks for them. Asked for at
# once, they are there when the text is first drawn, and no line breaks anew.
ICONS = "vendor/fontawesome/webfonts/fa-solid-900.woff2"
MATHEMATICS = {
    "katex": "Main-Regular",
    "mathnormal": "Math-Italic",
    "mathbf": "Main-Bold",
    "mathbb": "AMS-Regular",
    "mathcal": "Caligraphic-Regular",
    "small-op": "Size1-Regular",
    "large-op": "Size2-Regular",
}


def setup(app):
    app.connect("html-page-context", leave_out_common, priority=900)
    app.connect(
        "build-finished", finish, priority=900
    )  # the theme writes one more sheet
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}


def leave_out_common(app, pagename, templatename, context, doctree):
    """Only what a page alone asks for stays in its lists, without the theme's inline
    options: this book has neither a version switcher nor a search while one types."""
    classes = set(re.findall(r"[\w-]+", context.get("body", "")))
    context["preloaded_fonts"] = [ICONS] + [
        f"katex/fonts/KaTeX_{font}.woff2"
        for name, font in MATHEMATICS.items()
        if name in classes
    ]
    for kind, common in common_files(app.builder).items():
        context[kind] = [
            file
            for file in context[kind]
            if file not in common
            and not file.attributes.get("body", "").startswith("DOCUMENTATION_OPTIONS.")
        ]


def common_files(builder):
    """The style sheets and scripts of every page, in order. A module stays by itself."""
    scripts = [js for js in builder._orig_js_files if "type" not in js.attributes]
    return {
        "css_files": sorted(builder._orig_css_files, key=attrgetter("priority")),
        "script_files": sorted(scripts, key=attrgetter("priority")),
    }


def finish(app, exception):
    root = Path(app.outdir)
    # Sphinx copies all static files again when it writes a page, and none otherwise.
    if exception or not (root / THEME_SHEETS[1]).exists():
        return
    pages = [path for path in root.rglob("*.html") if "_static" not in path.parts]
    static = root / "_static"

    common = common_files(app.builder)
    sheets = THEME_SHEETS + [sheet.filename for sheet in common["css_files"]]
    rules = [rule for name in sheets for rule in read_rules(root, name)]
    scripts = [js.filename for js in common["script_files"] if js.filename]
    scripts += THEME_SCRIPTS
    options = [
        js.attributes["body"] for js in common["script_files"] if not js.filename
    ]
    script = join_scripts(root, options, scripts)
    for name in sheets + scripts:
        (root / name).unlink()
    for folder in ("scripts", "styles"):  # the theme's others, for what this book lacks
        shutil.rmtree(static / folder)
    (static / "site.js").write_text(script, encoding="utf-8")

    texts = [path.read_text(encoding="utf-8") for path in pages]
    other = [path.read_text(encoding="utf-8") for path in root.rglob("*.js")]
    words = set().union(*(re.findall(r"[\w-]+", text) for text in texts + other))
    css = prune(rules, words)
    css = subset_fonts(
        static, css, set().union(css, *texts)
    )  # an icon stands in the css
    (static / "site.css").write_text(css, encoding="utf-8")

    remove_unused(static, [*texts, *other, css])
    for path in root.glob("_images/*.svg"):
        path.write_text(round_paths(path.read_text(encoding="utf-8")), encoding="utf-8")
    for path, text in zip(pages, texts, strict=True):
        path.write_text(with_versions(text, static), encoding="utf-8")


def join_scripts(root, options, names):
    """One script of all; what sets options comes before those that have them."""
    texts = [(root / name).read_text(encoding="utf-8") for name in names]
    script = "\n".join([*options, *texts])
    for part in LEFT_OUT:
        if part not in script:
            raise ExtensionError(f"expected in the theme's scripts: {part}")
        script = script.replace(part, "0")
    return re.sub(r"//# sourceMappingURL=.*", "", script)


def read_rules(root, name):
    """The rules of a style sheet, the files that it names taken relative to `_static`."""
    folder = posixpath.dirname(name).removeprefix("_static").strip("/")
    css = (root / name).read_text(encoding="utf-8")
    css = re.sub(r',\s*url\([^)]*\)\s*format\("truetype"\)', "", css)
    css = re.sub(
        r"""url\((["']?)(?!data:|\1#)([^"')]+)\1\)""",
        lambda url: f"url({posixpath.normpath(posixpath.join(folder, url[2]))})",
        css,
    )
    return tinycss2.parse_stylesheet(css, skip_comments=True, skip_whitespace=True)


def prune(rules, words):
    """The text of the rules that can match something."""
    kept = []
    for rule in rules:
        if rule.type == "qualified-rule":
            selectors = [
                selector.strip()
                for part in split_at_commas(rule.prelude)
                if all(name in words for name in names_in(part))
                for selector in [tinycss2.serialize(part)]
            ]
            if selectors:
                content = tinycss2.serialize(rule.content).strip()
                kept.append(f"{','.join(selectors)}{{{content}}}")
        elif rule.type == "at-rule" and rule.lower_at_keyword in ("media", "supports"):
            inner = tinycss2.parse_rule_list(
                rule.content, skip_comments=True, skip_whitespace=True
            )
            if content := prune(inner, words):
                condition = tinycss2.serialize(rule.prelude).strip()
                kept.append(f"@{rule.at_keyword} {condition}{{{content}}}")
        elif rule.lower_at_keyword != "charset":
            kept.append(rule.serialize())
    return "\n".join(kept)


def split_at_commas(tokens):
    parts = [[]]
    for token in tokens:
        if token == ",":
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def names_in(selector):
    """Its classes and ids. What stands in the brackets of :not() and the like counts as
    met."""
    for before, token in zip([None, *selector], selector, strict=False):
        if token.type == "hash" or (token.type == "ident" and before == "."):
            yield token.value


def subset_fonts(static, css, characters):
    """Cut every font down to these characters, and drop the faces that have none."""

    def keep(face):
        path = static / re.search(r"url\(([^)?]+)\)", face[0])[1]
        options = subset.Options(flavor="woff2")
        font = subset.load_font(path, options)
        unicodes = {ord(character) for character in characters} & set(
            font.getBestCmap()
        )
        if not unicodes:
            return ""
        subsetter = subset.Subsetter(options)
        subsetter.populate(unicodes=unicodes)
        subsetter.subset(font)
        subset.save_font(font, path, options)
        name = path.relative_to(static).as_posix()
        return face[0].replace(name, f"{name}?v={version(path)}")

    return re.sub(r"@font-face\s*\{[^}]*\}", keep, css)


def remove_unused(static, texts):
    """Remove the files whose names stand nowhere."""
    named = set().union(*(re.findall(r"[\w.-]+\.\w+", text) for text in texts))
    for path in sorted(static.rglob("*"), reverse=True):
        if path.is_dir():
            if not any(path.iterdir()):
                path.rmdir()
        elif path.name not in named and "LICENSE" not in path.name:
            path.unlink()


def round_paths(svg):
    """Coordinates to a hundredth of a point; Matplotlib writes a millionth."""

    def rounded(attribute):
        return re.sub(r"\d+\.\d{3,}", lambda n: f"{float(n[0]):.2f}", attribute[0])

    return re.sub(r'\s(?:d|x|y)="[^"]*"', rounded, svg)


def with_versions(page, static):
    """The page with a digest of each asset in its address, so that it may be kept for
    ever and is loaded anew when it has changed."""

    def with_version(link):
        path = static / link[2]
        return f"{link[1]}{link[2]}?v={version(path)}" if path.is_file() else link[0]

    return re.sub(
        r"""((?:href|src)="[^"?]*_static/)([^"?]+)(?:\?[^"]*)?""", with_version, page
    )


def version(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()[:8]
