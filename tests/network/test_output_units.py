"""Units are given by their indices: one-hot labels are not read as units 0 and 1."""

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_explainable as ke
from keras_explainable.methods.gradient import gradients

CLASSES = np.array([2, 0, 3])


@pytest.fixture(scope="module")
def models():
    """Linear models of three features by their numbers of units."""
    keras.utils.set_random_seed(0)
    return {
        units: keras.Sequential([keras.Input((3,)), layers.Dense(units)])
        for units in (2, 4)
    }


@pytest.fixture
def x(rng):
    return rng.normal(size=(3, 3)).astype("float32")


def explained(model, x, y=None):
    return ke.explain(gradients, model, x, y, verbose=0)


ONE_HOT = np.eye(4, dtype=int)[CLASSES]


@pytest.mark.parametrize(
    "labels",
    [ONE_HOT, ONE_HOT.astype("uint8"), ONE_HOT.tolist(), ONE_HOT.astype("float32")],
    ids=["int64", "uint8", "list", "float32"],
)
@pytest.mark.parametrize("form", ["array", "batches", "samples", "method"])
def test_one_hot_labels_are_refused(models, x, labels, form):
    given = {
        "array": lambda: explained(models[4], x, labels),
        "batches": lambda: explained(models[4], iter([(x, labels)])),
        "samples": lambda: explained(models[4], zip(x, labels, strict=True)),
        "method": lambda: gradients(models[4], x, labels),
    }
    with pytest.raises((TypeError, ValueError), match=r"pass `np\.argmax\(y, axis=-1"):
        given[form]()


@pytest.mark.parametrize("convert", [np.asarray, ops.convert_to_tensor])
@pytest.mark.parametrize("boolean", [True, False])
def test_one_hot_tensors_and_booleans_are_refused(models, x, convert, boolean):
    labels = convert(ONE_HOT.astype(bool) if boolean else ONE_HOT)
    with pytest.raises((TypeError, ValueError), match=r"np\.argmax"):
        explained(models[4], x, labels)


@pytest.mark.parametrize(
    ("units", "y"),
    [
        (2, [[0, 1], [1, 0], [0, 1]]),  # Both units, in either order.
        (2, [0, 1, 0]),
        (4, [[0, 1], [1, 0], [1, 0]]),
        (4, [[0, 0, 1]] * 3),  # Narrower than the model's units.
        (4, [[0, 0, 0, 1], [0, 0, 0, 1], [0, 0, 0, 2]]),
    ],
)
def test_indices_of_zeros_and_ones_stay_indices(models, x, units, y):
    logits, maps = explained(models[units], x, y)
    every, all_maps = explained(models[units], x)
    rows = np.reshape(y, (3, -1))
    np.testing.assert_allclose(logits, np.take_along_axis(every, rows, 1), rtol=1e-5)
    expected = np.take_along_axis(all_maps, rows[:, None], 2)
    np.testing.assert_allclose(maps, expected, rtol=1e-5)


@pytest.mark.parametrize("y", ["predicted", lambda outputs: outputs[:, 1]])
@pytest.mark.parametrize("labels", [ONE_HOT, ONE_HOT / 2, [7, 7, 7]])
def test_labels_of_a_data_set_are_not_read_where_y_is_given(models, x, y, labels):
    found = explained(models[4], iter([(x, labels)]), y)
    for one, other in zip(found, explained(models[4], x, y), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5)


MULTI_HOT = np.array([[0, 1, 1, 0], [0, 0, 1, 0], [0, 0, 0, 0]])


def test_labels_of_images_with_several_labels_are_refused(models, x):
    """The message's target explains the sum of the scores of the labels."""
    with pytest.raises(ValueError, match=r"received multi-hot rows.*targets\.Target"):
        explained(models[4], x, MULTI_HOT)
    target = ke.targets.Target(
        lambda outputs, labels: ops.sum(outputs * labels, axis=-1),
        MULTI_HOT.astype("float32"),
    )
    logits, _ = explained(models[4], x, target)
    every, _ = explained(models[4], x)
    expected = (every * MULTI_HOT).sum(axis=-1)
    np.testing.assert_allclose(logits[:, 0], expected, rtol=1e-5)


def test_labels_of_a_single_unit_are_refused_with_what_to_do(x):
    model = keras.Sequential([keras.Input((3,)), layers.Dense(1)])
    with pytest.raises(ValueError, match=r"below 1; received 1.* if `y` is left out"):
        explained(model, x, [0, 1, 1])
