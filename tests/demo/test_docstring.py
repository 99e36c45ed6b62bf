"""The examples in docstrings are correct."""

import doctest
import importlib
from pathlib import Path

import pytest

import keras_explainable as ke

SOURCES = Path(ke.__file__).parent
WITH_EXAMPLES = [
    path.relative_to(SOURCES.parent)
    for path in sorted(SOURCES.rglob("*.py"))
    if ">>> " in path.read_text("utf-8")
]


def test_there_are_examples():
    assert Path("keras_explainable/demo/__init__.py") in WITH_EXAMPLES


@pytest.mark.parametrize("path", WITH_EXAMPLES, ids=str)
def test_examples_run(path):
    name = ".".join(path.with_suffix("").parts).removesuffix(".__init__")
    found = doctest.testmod(importlib.import_module(name), extraglobs={"ke": ke})
    assert found.attempted
    assert not found.failed
