"""A layer of the user's may have names of Keras': of a class, or of its settings."""

import inspect

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_explainable as ke
from keras_explainable.network import channel_axes, quantity_columns
from keras_explainable.network.operation_kinds import MOVES

NAMES = sorted(
    {"Threshold", "Softmax", "Relu", "Divide", "Matmul", "DotProductAttention"}
    | {*MOVES, *channel_axes.TRANSPOSING, *channel_axes.APPENDING}
    | quantity_columns.CHOOSING_OPERATIONS
    | quantity_columns.LOOK_UPS
    | quantity_columns.SELECTIONS
)

KINDS = [
    each
    for each in vars(layers).values()
    if isinstance(each, type) and issubclass(each, layers.Layer)
]

#: Names of the settings of all layers of Keras, but for those that each layer has.
SETTINGS = sorted(
    {"layers"}.union(*(inspect.signature(kind).parameters for kind in KINDS))
    - {
        "args",
        "kwargs",
        *dir(layers.Layer()),
        *inspect.signature(layers.Layer).parameters,
    }
)


def gated(layer, x):
    return x * ops.sigmoid(ops.mean(x, axis=-1, keepdims=True)) + 0.1


def maps_with(name, x, **settings):
    """Return maps of a network with a gate whose class has a name and attributes."""
    keras.utils.set_random_seed(0)
    kind = type(name, (layers.Layer,), {"call": gated, **settings})
    inputs = keras.Input(x.shape[1:])
    h = layers.Conv2D(3, 3, activation="relu")(kind(name="first")(inputs))
    h = layers.GlobalAveragePooling2D()(kind(name="second")(h))
    model = keras.Model(inputs, layers.Dense(2)(h))
    options = {"postprocessing": None, "verbose": 0}
    sampled = ke.smoothgrad(model, x, [0, 1], repetitions=4, **options)[1]
    guided = ke.guided_gradients(model, x, [0, 1], **options)[1]
    return sampled, guided, ke.hirescam(model, x, [0, 1], **options)[1]


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).uniform(size=(2, 6, 7, 3)).astype("float32")


@pytest.fixture(scope="module")
def expected(images):
    return maps_with("Own", images)


@pytest.mark.backend_independent
@pytest.mark.parametrize("name", NAMES)
def test_maps_do_not_depend_on_the_name_of_a_class(name, images, expected):
    for found, wanted in zip(maps_with(name, images), expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-7)


@pytest.mark.backend_independent
@pytest.mark.filterwarnings("ignore:Guided gradients do not know")
@pytest.mark.parametrize("value", [7, "tanh", True, (2, "x"), abs], ids=str)
def test_maps_do_not_depend_on_attributes_named_like_settings(value, images, expected):
    found = maps_with("Own", images, **dict.fromkeys(SETTINGS, value))
    for ours, wanted in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, wanted, rtol=1e-5, atol=1e-7)
