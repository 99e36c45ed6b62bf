"""The page that defines the user's side of the API runs as printed."""

import os
import re
import subprocess
import sys
from pathlib import Path

import keras
import pytest

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="the page is for TensorFlow"
)

REPLACED = {
    "weights='imagenet'": "weights=None",
    "SAMPLES = 8": "SAMPLES = 2",
    "repetitions=20": "repetitions=4",
}

BUILD_MODEL = """
import keras, numpy as np
def build_model(_):
    return keras.Sequential([
        keras.Input((16, 16, 3)),
        keras.layers.Conv2D(8, 3, activation="relu"),
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dense(4, activation="softmax"),
    ])
x, y = np.random.rand(40, 16, 16, 3), np.arange(40) % 4
"""


@pytest.fixture
def page(shared):
    return (shared / "seed" / "smoothgrad.rst").read_text(encoding="utf-8")


def blocks(page, directive):
    """The code under each ``.. directive::``, its options left out."""
    pattern = rf"^\.\. {directive}\n((?:  .*\n|\n)+)"
    for block in re.findall(pattern, page + "\n", re.MULTILINE):
        lines = [line[2:] for line in block.splitlines()]
        yield "\n".join(line for line in lines if not line.startswith(":"))


def run(code):
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        cwd=ROOT,
        env={**os.environ, "MPLBACKEND": "Agg", "KERAS_BACKEND": "tensorflow"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_template(page):
    (template,) = blocks(page, "code-block:: python")
    code = f"{BUILD_MODEL}\n{template}\nprint(logits.shape, maps.shape, maps.max())"
    result = run(code)
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip().endswith("(40, 1) (40, 16, 16, 1) 1.0")


def test_page(page):
    """All blocks in order; the weights cannot be had without a network.

    With two of the eight images and four of the twenty repetitions: on a CPU, the
    convolutions of XLA take minutes.
    """
    code = "\n".join(blocks(page, "jupyter-execute::"))
    assert code.count("\n") > 40
    for printed, instead in REPLACED.items():
        assert code.count(printed) == 1
        code = code.replace(printed, instead)
    check = (
        "print([a.shape for a in (images, maps, smoothed_maps)], smoothed_maps.max())"
    )
    result = run(f"{code}\n{check}")
    assert result.returncode == 0, result.stderr
    shape = "(2, 299, 299, 1)"
    assert result.stdout.strip().endswith(f"[(2, 299, 299, 3), {shape}, {shape}] 1.0")
