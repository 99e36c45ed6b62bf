"""Configuration of Sphinx for `make docs`. Building needs no network."""

import hashlib
import importlib.metadata
import importlib.util
import os
import platform
import re
from pathlib import Path

from jupyter_cache import get_cache

# These settings are for the kernels that run the code cells of the pages.
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"):
    os.environ.setdefault(name, "1")  # Several pages run at once, on one core each.

# Cells run in temporary folders. Some of them read the results of the benchmarks.
DOCS = Path(__file__).parent
BENCHMARKS = DOCS.parent / "benchmarks"
os.environ["RESULTS"] = str(BENCHMARKS / "results")

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
exclude_patterns = ["_build", "rendered", "**.ipynb_checkpoints"]
autodoc_typehints = "none"
autodoc_member_order = "bysource"
myst_heading_anchors = 3

# The packages, beside our own, whose versions can change what a page shows.
PACKAGES = "keras", "tensorflow", "numpy", "matplotlib", "scikit-learn", "scipy"


def fingerprint():
    """Return a hash of everything that the output of a page's code depends on.

    That is the package with its data, the results of the benchmarks and the module that
    draws them, the backend, and the versions of Python and of other packages. The code
    itself is not part of it: the cache looks notebooks up by their code.
    """
    package = Path(importlib.util.find_spec("keras_explainable").origin).parent
    files = [
        *package.rglob("*"),
        *BENCHMARKS.rglob("results/**/*"),
        *BENCHMARKS.rglob("tables_and_figures.py"),
    ]
    versions = [importlib.metadata.version(name) for name in PACKAGES]
    environment = platform.python_version(), os.environ["KERAS_BACKEND"], *versions
    digest = hashlib.sha256(repr(environment).encode())
    for file in sorted(files):
        if file.is_file() and "__pycache__" not in file.parts:
            name = os.path.relpath(file, DOCS)
            digest.update(f"{name} {file.stat().st_size} ".encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


# A page is run again when its own code or anything in the fingerprint has changed.
nb_execution_mode = "cache"
nb_execution_cache_path = str(DOCS / "_build" / "executed" / fingerprint())
nb_execution_raise_on_error = True
nb_execution_timeout = 240
nb_execution_in_temp = True  # Pages may write files.
nb_merge_streams = True
nb_render_markdown_format = "myst"  # This format supports tables.
nb_output_stderr = "remove"  # TensorFlow logs when it starts. Cells can show stderr.
nb_ipywidgets_js = {}  # The scripts would be loaded from other sites.

FETCHED = re.compile(r'<(?:script|img|iframe)[^>]+src="(?:https?:)?//[^"]*"')
STYLED = re.compile(r'<link[^>]+rel="stylesheet"[^>]+href="(?:https?:)?//[^"]*"')


def create_cache(app, config):
    """Create the cache, before pages that are read in parallel all try to do so."""
    get_cache(config.nb_execution_cache_path).list_cache_records()


def refuse_what_is_fetched(app, error):
    """Fail if a page loads anything from another site."""
    if error or app.builder.name != "html":
        return
    for page in Path(app.outdir).rglob("*.html"):
        text = page.read_text("utf-8")
        found = [*FETCHED.findall(text), *STYLED.findall(text)]
        if found:
            raise ValueError(f"{page} fetches {found[0]}")


def keep_formulas(app, what, name, obj, options, lines):
    """Keep the line breaks of formulas: indented lines that follow a sentence."""
    for at in range(len(lines) - 1, 1, -1):
        sentence, blank, line = lines[at - 2 : at + 1]
        is_sentence = sentence[:1].strip() and not sentence.endswith(":")
        if is_sentence and not blank and re.match(r"    [^ >]", line):
            lines[at:at] = ["::", ""]


def setup(app):
    """Connect the functions above: formulas are kept before Napoleon reads them."""
    app.connect("config-inited", create_cache)
    app.connect("autodoc-process-docstring", keep_formulas, priority=400)
    app.connect("build-finished", refuse_what_is_fetched)
