"""The list of sources is well formed. No network: whether an address answers is not asked."""

import re

import pytest
from pybtex.database import parse_file

from tests.book.conftest import ROOT

ENTRIES = parse_file(ROOT / "book" / "references.bib", bib_format="bibtex").entries
TEXTS = "\n".join(p.read_text("utf-8") for p in (ROOT / "book").rglob("*.md"))
# https://www.crossref.org/documentation/member-setup/constructing-your-dois/
DOI = r"10\.\d{4,9}/[\w.;()/:<>-]*[\w>]"
# https://info.arxiv.org/help/arxiv_identifier.html: year, month, four or five digits
ARXIV = r"(\d\d)(0[1-9]|1[0-2])\.(\d{4,5})"
OLD_ARXIV = r"[a-z-]+/(\d\d)(0[1-9]|1[0-2])\d{3}"


def problems(entry):
    """What is wrong with the identifiers of an entry, one sentence each."""
    fields = entry.fields
    if "doi" in fields and not re.fullmatch(DOI, fields["doi"]):
        yield f"not a DOI: {fields['doi']}"
    for name in ("note", "url"):
        text = fields.get(name, "")
        for number in re.findall(r"arxiv(?:\.org/abs/|:)(\S+)", text, re.IGNORECASE):
            found = re.fullmatch(ARXIV, number) or re.fullmatch(OLD_ARXIV, number)
            if not found:
                yield f"not a number of arXiv: {number}"
            elif int(found[1]) + (1900 if found[1] > "90" else 2000) > int(
                fields["year"]
            ):
                yield f"on arXiv after it was published: {number}"
            elif found.re.pattern == ARXIV and len(found[3]) != 4 + (found[1] >= "15"):
                yield f"four digits up to 2014, five from 2015: {number}"
    if "url" in fields and not re.fullmatch(r"https://[\w./-]+", fields["url"]):
        yield f"not an address: {fields['url']}"
    if not re.fullmatch(r"(18|19|20)\d\d", fields.get("year", "")):
        yield f"not a year: {fields.get('year')}"
    first, _, last = fields.get("pages", "").partition("--")
    if last and int(first) >= int(last):
        yield f"pages that run backwards: {fields['pages']}"


@pytest.mark.parametrize("key", ENTRIES)
def test_a_source_is_well_formed_and_used(key):
    assert list(problems(ENTRIES[key])) == []
    assert re.search(rf"\{{footcite:[pt]s?\}}`[^`]*\b{key}\b", TEXTS)


@pytest.mark.parametrize(
    "field, value, problem",
    [
        ("doi", "https://doi.org/10.1214/aoms/1177703732", "not a DOI"),
        ("doi", "10.12/aoms", "not a DOI"),
        ("doi", "10.1214/aoms/1177703732.", "not a DOI"),
        ("note", "arXiv:1708.0200", "five from 2015"),
        ("note", "arXiv:1399.12345", "not a number of arXiv"),
        ("note", "arXiv:2101.00001", "after it was published"),
        ("url", "http://arxiv.org/abs/1708.02002", "not an address"),
        ("url", "https://arxiv.org/abs/1708", "not a number of arXiv"),
        ("year", "in press", "not a year"),
        ("pages", "2988--2980", "backwards"),
    ],
)
def test_what_is_not_well_formed_is_found(field, value, problem):
    entry = ENTRIES["lin2017focal"]
    fields = dict(entry.fields) | {field: value}
    changed = type(entry)(entry.type, fields=fields)
    if field == "year":
        del changed.fields["note"]
    assert any(problem in found for found in problems(changed))
