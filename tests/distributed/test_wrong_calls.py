"""Wrong calls are refused before anything is computed."""

import keras
import pytest
from keras import layers

import keras_explainable as ke
from keras_explainable.distributed.repetition_parts import merged_parts
from keras_explainable.methods.gradient import gradients
from keras_explainable.methods.meta import smooth

pytestmark = pytest.mark.ray


class NoConfig(keras.layers.Layer):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def call(self, x):
        return self.function(x)


def unsaved():
    inputs = keras.Input((8, 8, 3))
    return keras.Model(inputs, NoConfig(keras.ops.abs)(layers.Flatten()(inputs)))


SEEDED = smooth(gradients, 4, seed=0)


@pytest.mark.parametrize(
    ("method", "given", "message"),
    [
        (SEEDED, {"id_column": "name"}, "`id_column` must be a column of"),
        (SEEDED, {"image_column": "pixels"}, "`image_column` must be a column of"),
        (SEEDED, {"unit_column": "label"}, "`unit_column` must be a column of"),
        (SEEDED, {"model": unsaved}, "Give the path of a .keras file, or a function"),
        (SEEDED, {"model": "missing.keras"}, "must be the path of a .keras file"),
        (SEEDED, {"workers": 0}, "`workers` must be at least 1"),
        (SEEDED, {"parts": 5}, "`parts` must be at most 4"),
        (gradients, {"parts": 2}, "`method` must be `ke.methods.meta.smooth"),
        (smooth(gradients), {}, "`seed` must be an integer"),
        (ke.smoothgrad, {"seed": None}, "`seed` must be an integer"),
        (ke.rise, {}, "`seed` must be an integer"),
        (ke.smoothgrad, {"parts": 2, "tolerance": 0.1}, "`tolerance` must be None"),
        (ke.smoothgrad, {"parts": 2, "estimator": "hybrid"}, "must be 'sampled'"),
    ],
)
def test_values(method, given, message, images, dataset, build):
    given = {"id_column": "path", "model": lambda: build, **given}
    model = given.pop("model")
    model = model() if callable(model) else model
    with pytest.raises(ValueError, match=message):
        ke.distributed.explain(dataset(images), method, model, **given)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"dataset": [3]}, "`dataset` must be a `ray.data.Dataset`"),
        ({"y": [3]}, "`unit_column` names units"),
        ({"model": 3}, "`model` must be a Keras model, the path"),
        ({"method": "gradients"}, "`method` must be a function"),
        ({"ids": [1]}, "`ids` must not be given"),
        ({"repetition": 3}, "did you mean `repetitions`"),
    ],
)
def test_types(given, message, images, dataset, build):
    usual = {"dataset": dataset(images), "method": ke.smoothgrad, "model": build}
    with pytest.raises(TypeError, match=message):
        ke.distributed.explain(**{**usual, "id_column": "path", **given})


def test_parts_of_different_images_are_not_merged():
    merge = merged_parts("path", SEEDED, {}, None)
    with pytest.raises(ValueError, match="more than once"):
        [*merge([{"path": "a.png", "part": 0}] * 2, 2)]


@pytest.mark.parametrize("ids", [[-1], [2**63], [1.5], [True], [None]])
def test_ids_are_integers_or_texts(ids):
    with pytest.raises(ValueError, match="`id_column` must hold integers from 0"):
        ke.distributed.noise_ids(ids)


def test_noise_ids():
    """Integers stand for themselves; the hashes of texts never change."""
    assert ke.distributed.noise_ids([0, 7, 2**63 - 1]).tolist() == [0, 7, 2**63 - 1]
    numbers = ke.distributed.noise_ids(["a.png", "b.png"])
    assert numbers.tolist() == [4576652394325073836, 3435380599764254202]
