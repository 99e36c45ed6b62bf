"""Links in the documents lead somewhere, and each method has a page."""

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import keras_explainable as ke

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *(page for page in sorted(DOCS.rglob("*.md")) if "_build" not in page.parts),
]
NAMED = pytest.mark.parametrize("page", PAGES, ids=lambda x: str(x.relative_to(ROOT)))


def links(page):
    """Return what a page links to, and its pictures in HTML."""
    text = page.read_text("utf-8")
    return re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'src="([^"]+)"', text)


def anchors(page):
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", x.lower()).replace(" ", "-") for x in headings}


def is_wrong(page, link):
    """Whether a link leads nowhere; other sites' are only read, not opened."""
    parts = urlsplit(link)
    if parts.scheme:
        return parts.scheme != "https" or "." not in parts.netloc
    if link.startswith("#keras_explainable."):
        return False  # Of the API reference: Sphinx checks these.
    target = page.parent / parts.path if parts.path else page
    if not target.exists():
        return True
    return bool(parts.fragment) and parts.fragment not in anchors(target)


@NAMED
def test_links_lead_somewhere(page):
    assert [link for link in links(page) if is_wrong(page, link)] == []


@NAMED
def test_files_named_in_the_text_exist(page):
    text = page.read_text("utf-8").replace("docs/_build", "")  # Made by `make docs`.
    named = re.findall(r"\b((?:docs|benchmarks|tests)/[\w/.-]*\w)", text)
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_wrong_links_are_found():
    page = ROOT / "README.md"
    right = ["docs/start.md", "docs/speed.md#measured", "https://keras.io"]
    wrong = [
        "docs/no.md",
        "docs/speed.md#no",
        "#no",
        "http://keras.io",
        "https://keras",
    ]
    assert [link for link in right + wrong if is_wrong(page, link)] == wrong


def test_each_method_has_a_page_with_all_that_belongs_to_it():
    table = (DOCS / "methods.md").read_text("utf-8")
    of_the_table = dict(re.findall(r"\[`([\w.]+)`\]\(([\w/]+\.md)\)", table))
    families = ("gradient", "cams", "perturbation", "meta")
    methods = {
        f"{family}.{name}"
        for family in families
        for name in getattr(ke.methods, family).__all__
        if name != "completeness_gap"
    }
    assert set(of_the_table) == methods
    for method, page in of_the_table.items():
        text = (DOCS / page).read_text("utf-8")
        assert re.search(r"^    maps = |^    as gradients", text, re.MULTILINE), page
        assert "ke.utils.visualize(" in text, page
        if page.startswith("methods/"):
            assert f"](#keras_explainable.methods.{method})" in text, page
            assert re.search(r"\*\*Reference\.\*\* .*\]\(https://", text), page
            assert "**Parameters.**" in text, page
            assert "**When it misleads.**" in text, page
