"""The page on the architecture says what the import contracts say."""

import re
from pathlib import Path

import pytest
from support.scripts import loaded

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def script():
    return loaded("draw_layers")


def test_the_picture_is_drawn_from_the_contracts(script):
    drawn = script.PICTURE.read_text("utf-8")
    assert drawn == script.picture(), "run: python tools/draw_layers.py"


def test_the_table_has_each_package_in_the_order_of_the_contracts(script):
    page = (ROOT / "docs/architecture.md").read_text("utf-8")
    _, table = page.split("## Who may import whom")
    rows = re.findall(r"^\| `(\w+)(?:/|\.py)` \|", table, re.MULTILINE)
    assert rows == [name for row in script.layers() for name in row]


def test_every_package_and_module_is_in_the_contracts(script):
    names = {path.stem for path in script.PACKAGE.glob("[a-z]*")} - {"py"}
    assert names == {name for row in script.layers() for name in row}


def test_files_of_the_data_path_exist():
    page = (ROOT / "docs/architecture.md").read_text("utf-8")
    _, way = page.split("## The way of the data")
    files = re.findall(r"\| `(\w+\.py)` \|", way.split("##")[0])
    assert len(files) == 5
    engine = ROOT / "src/keras_explainable/engine"
    assert [name for name in files if not (engine / name).exists()] == []
