"""On the front page, a link to the PDF of the whole book while `make pdf` has made one."""

from pathlib import Path


def setup(app):
    app.add_config_value("pdf_file", "", "")  # its name in the folder of the site
    app.connect("env-get-outdated", front_page_if_outdated)
    app.connect("html-page-context", add_link)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def front_page_if_outdated(app, env, added, changed, removed):
    """The front page, where its link and the PDF are not both there or both missing."""
    page = Path(app.outdir, f"{app.config.root_doc}.html")
    linked = page.is_file() and app.config.pdf_file in page.read_text(encoding="utf-8")
    return [app.config.root_doc] if linked != has_pdf(app) else []


def has_pdf(app):
    return Path(app.outdir, app.config.pdf_file).is_file()


def add_link(app, name, template, context, doctree):
    if name == app.config.root_doc and has_pdf(app):
        address = context["pathto"](app.config.pdf_file, resource=True)
        context["body"] = context["body"].replace(
            "</h1>\n",
            f'</h1>\n<p class="run-chapter"><a href="{address}">'
            "The whole book as a PDF</a>, solutions unfolded</p>\n",
            1,
        )
