"""A content security policy in the head of every page: a page loads nothing from another
host, and runs no script that stands in it, whoever wrote it there."""

from pathlib import Path

POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    # KaTeX places every glyph by a style attribute, and uPlot its canvas
    "style-src": "'self' 'unsafe-inline'",
    "img-src": "'self' data:",
    "font-src": "'self'",
    "connect-src": "'self'",  # the search and the previews read other pages
    "form-action": "'self'",
    "base-uri": "'none'",
}
# Where Jupyter Book would write a page without a policy, and without a link.
FRONT = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
{policy}
<meta http-equiv="refresh" content="0; url={address}">
<title>{title}</title>
</head>
<body><p><a href="{address}">{title}</a></p></body>
</html>
"""


def setup(app):
    app.connect(
        "html-page-context", add_policy, priority=950
    )  # above what pages.py adds
    app.connect("build-finished", write_front)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}


def policy_tag(**changes):
    """The tag of the policy. changes: directives to add or replace, `frame_src="'self'"`."""
    changes = {name.replace("_", "-"): value for name, value in changes.items()}
    content = "; ".join(f"{name} {value}" for name, value in (POLICY | changes).items())
    return f'<meta http-equiv="Content-Security-Policy" content="{content}">'


def add_policy(app, pagename, templatename, context, doctree):
    context["metatags"] = f"\n    {policy_tag()}{context.get('metatags', '')}"


def write_front(app, exception):
    front = Path(app.outdir, "index.html")
    if exception or app.builder.name != "html" or app.config.root_doc == "index":
        return
    page = FRONT.format(
        policy=policy_tag(),
        address=f"{app.config.root_doc}.html",
        title=app.config.html_title,
    )
    front.write_text(page, encoding="utf-8")
