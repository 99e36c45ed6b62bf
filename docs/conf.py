"""Sphinx configuration: `make docs`; no network is needed."""

import importlib.metadata
import os
import re
from pathlib import Path

# Of the kernels that run the pages.
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# They run in folders of their own, and some read what the benchmarks measured.
os.environ["RESULTS"] = str(Path(__file__).parents[1] / "benchmarks" / "results")

project = "keras-explainable"
author = "The keras-explainable developers"
copyright = "2026, " + author
release = importlib.metadata.version("keras-explainable")

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
]
html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["pages.css"]
html_title = "keras-explainable"
exclude_patterns = ["_build", "**.ipynb_checkpoints"]
autodoc_typehints = "none"
autodoc_member_order = "bysource"
myst_heading_anchors = 3

# Each build runs each page: a cache would not know of changes in the package.
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 240
nb_execution_in_temp = True  # Pages may write files.
nb_merge_streams = True
nb_render_markdown_format = "myst"  # Which knows tables.
nb_output_stderr = "remove"  # What TensorFlow says when it starts; cells may show it.
nb_ipywidgets_js = {}  # They would come from elsewhere.

FETCHED = re.compile(r'<(?:script|img|iframe)[^>]+src="(?:https?:)?//[^"]*"')
STYLED = re.compile(r'<link[^>]+rel="stylesheet"[^>]+href="(?:https?:)?//[^"]*"')


def refuse_what_is_fetched(app, error):
    """Fail if a page needs anything that is not in its folder."""
    if error or app.builder.name != "html":
        return
    for page in Path(app.outdir).rglob("*.html"):
        text = page.read_text("utf-8")
        found = [*FETCHED.findall(text), *STYLED.findall(text)]
        if found:
            raise ValueError(f"{page} fetches {found[0]}")


def keep_formulas(app, what, name, obj, options, lines):
    """Keep the lines of formulas: what is indented, behind a sentence."""
    for at in range(len(lines) - 1, 1, -1):
        sentence, blank, line = lines[at - 2 : at + 1]
        is_sentence = sentence[:1].strip() and not sentence.endswith(":")
        if is_sentence and not blank and re.match(r"    [^ >]", line):
            lines[at:at] = ["::", ""]


def setup(app):
    """Check the pages when they are built; docstrings, before Napoleon reads them."""
    app.connect("autodoc-process-docstring", keep_formulas, priority=400)
    app.connect("build-finished", refuse_what_is_fetched)
