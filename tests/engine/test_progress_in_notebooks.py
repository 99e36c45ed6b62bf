"""Keras' bar in a real notebook kernel: one line, which is replaced, then the table."""

import re

import nbclient
import nbformat
import pytest

SETUP = """
import keras
import numpy as np
import keras_explainable as ke

model = keras.Sequential(
    [keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(2)]
)
images = np.ones((3, 4, 4, 1), "float32")
"""
CALL = """
logits, maps, stats = ke.smoothgrad(
    model, images, [0] * 3, batch_size=8, return_stats=True, verbose={verbose}
)
stats
"""


@pytest.fixture(scope="module")
def outputs():
    """What each cell put out: first the setup, then verbose 0, 1 and 2."""
    codes = [SETUP, *(CALL.format(verbose=verbose) for verbose in (0, 1, 2))]
    cells = [nbformat.v4.new_code_cell(code) for code in codes]
    notebook = nbformat.v4.new_notebook(cells=cells)
    nbclient.NotebookClient(notebook, timeout=200, kernel_name="python3").execute()
    return [cell.outputs for cell in notebook.cells]


def printed(outputs):
    texts = [each.text for each in outputs if each.get("name") == "stdout"]
    return "".join(texts)


def shown(text):
    """The lines that are left of a text, as a notebook draws it."""
    text = re.sub(r"\x1b\[[0-9;]*m|\x08", "", text)
    lines = []
    for line in text.split("\n"):
        left = ""
        for part in line.split("\r"):
            left = part + left[len(part) :]
        lines.append(left.rstrip())
    return [line for line in lines if line]


def test_silence_puts_out_nothing_but_the_value(outputs):
    assert printed(outputs[1]) == ""


def test_the_bar_is_one_line_that_ends_full(outputs):
    assert printed(outputs[2]) == ""
    displayed = [x for x in outputs[2] if x.output_type == "display_data"]
    ((line,),) = (shown(each.data["text/plain"]) for each in displayed)
    assert re.match(r"3/3 ━{20} \d+s \S+/image - 192 copies", line)


def test_one_line_at_the_end(outputs):
    text = printed(outputs[3])
    assert "\r" not in text
    (line,) = shown(text)
    assert re.match(r"3/3 - \d+s - \S+/image - 192 copies", line)


@pytest.mark.parametrize("cell", [1, 2, 3])
def test_the_value_is_a_table(outputs, cell):
    kinds = {each.output_type: each for each in outputs[cell]}
    value = kinds["execute_result"].data
    assert value["text/html"].startswith("<table>")
    assert len(value["text/plain"].splitlines()) == 5
