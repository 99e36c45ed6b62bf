"""Sphinx configuration: `make docs`; no network is needed."""

import importlib.metadata

project = "keras-explainable"
author = "The keras-explainable developers"
copyright = "2026, " + author
release = importlib.metadata.version("keras-explainable")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
]
html_theme = "furo"
html_static_path = ["_static"]
html_title = "keras-explainable"
exclude_patterns = ["_build"]
autodoc_typehints = "none"
autodoc_member_order = "bysource"
