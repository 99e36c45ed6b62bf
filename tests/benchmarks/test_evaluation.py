"""The benchmark of evaluations, on a small network and pictures of noise."""

import csv
import sys

import numpy as np
import pytest
from PIL import Image

import keras_explainable as ke
from benchmarks import evaluation

MODULE = """
import keras
import numpy as np
from PIL import Image

NETWORKS = {name: (None, 8) for name in %r}

def build(name, side=8):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((side, side, 3))
    x = keras.layers.Conv2D(4, 2, activation="relu", name="conv")(inputs)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, keras.layers.Dense(6)(x))

def load_rgb(path, name):
    return np.asarray(Image.open(path))

def preprocess(rgb, name):
    return rgb.astype("float32") / 255

def map_boxes(boxes, size, name):
    return np.array(boxes, float)
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "build_model", raising=False)
    (tmp_path / "photos").mkdir()
    (tmp_path / "build_model.py").write_text(MODULE % (evaluation.NETWORKS,))
    rows = []
    for number in range(6):
        pixels = np.random.default_rng(number).integers(0, 256, (8, 8, 3), "uint8")
        Image.fromarray(pixels).save(tmp_path / "photos" / f"{number}.png")
        ranks = {f"{name}_rank": 1 for name in evaluation.NETWORKS}
        row = {"file": f"{number}.png", "width": 8, "height": 8, "class_index": number}
        rows.append(row | {"boxes": "1 1 4 5;6 6 8 8"} | ranks)
    with (tmp_path / "labels.csv").open("w") as file:
        writer = csv.DictWriter(file, [*rows[0]])
        writer.writeheader()
        writer.writerows(rows)
    yield tmp_path
    sys.modules.pop("build_model", None)


def test_it_prints_and_saves_what_it_finds(folder, capsys):
    evaluation.main([
        *("--data", str(folder), "--photos", "6", "--mosaics", "6", "--steps", "2"),
        *("--networks", "squeezenet11", "--methods", "gradients,gradcam"),
        *("--metrics", "deletion,auc", "--save", str(folder / "out")),
    ])  # fmt: skip
    printed = capsys.readouterr().out
    assert "## squeezenet11\n" in printed
    assert "Better than edges, beyond chance:\n  deletion: " in printed
    assert "\n  deletion, auc: " in printed
    assert "focus" in printed.split("## squeezenet11_mosaics")[1]
    found = ke.Evaluation.load(folder / "out" / "squeezenet11.npz")
    assert found.metrics == ("deletion", "auc")
    assert str(found) in printed
    assert (folder / "out" / "squeezenet11_mosaics.png").stat().st_size > 1000


def test_all_metrics_and_methods_exist():
    named = evaluation.metrics_of(steps=2, draws=5)
    left_out = {"focus", "completeness_gap", "local_lipschitz_estimate"}
    every = {
        x
        for x in ke.metrics.__all__
        if hasattr(getattr(ke.metrics, x), "higher_is_better")
    }
    assert {*named} == every - left_out  # These depend on the scale, or need mosaics.
    assert all(callable(getattr(ke, name)) for name in evaluation.METHODS)


def test_orders_of_methods_are_compared_by_orientation():
    """The first metric is to be maximised, the second one to be minimised."""
    samples = np.array([[1, 9.0, 0], [3, 7, 0], [0, 9.5, 0], [2, 8, 0]])[
        :, :, None, None
    ]
    samples = samples + np.random.default_rng(0).normal(0, 0.01, (1, 1, 1, 9))
    samples[:, 2] = np.nan
    known = ke.Evaluation(
        samples, np.arange(9), ("a", "b", "c", "edges"), ("up", "down", "none"),
        ("edges",), (True, False, True), (), {},
    )  # fmt: skip
    assert evaluation.rank_correlations(known) == [
        ("up", "down", pytest.approx(1)), ("up", "none", None), ("down", "none", None)
    ]  # fmt: skip
    for metric in ("up", "down"):
        assert evaluation.better_than_edges(known, metric) == ["b"]
    assert evaluation.better_than_edges(known, "none") == []
