"""Convolutions of the user's, each behind padding of its own: maps stay in place."""

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_explainable as ke


class Derived(layers.Conv2D):
    def call(self, x):
        return super().call(x)


class Held(layers.Layer):
    """Its attribute ``kernel_size`` is none of its own convolution."""

    def __init__(self, *args, **options):
        super().__init__()
        self.kernel_size = self.padding = 7
        self.conv = layers.Conv2D(*args, **options)

    def call(self, x):
        return self.conv(x)


def network(kind, stride, **options):
    """Return a network of convolutions, padded by layers if not by options."""
    keras.utils.set_random_seed(0)
    inputs = h = keras.Input((20, 20, 3))
    for _ in range(3):
        h = h if options else layers.ZeroPadding2D(1)(h)
        h = layers.ReLU()(kind(4, 3, strides=stride, **options)(h))
    pooled = layers.GlobalAveragePooling2D()(layers.ReLU(name="last")(h))
    return keras.Model(inputs, layers.Dense(2)(pooled))


class Average(layers.Layer):
    def call(self, x):
        return ops.average_pool(x, 2, strides=2)


@pytest.mark.parametrize("kind", [layers.Conv2D, Derived, Held])
@pytest.mark.parametrize("stride", [1, 2])
def test_padding_before_a_convolution_is_its_own(kind, stride, rng):
    x = rng.uniform(size=(2, 20, 20, 3)).astype("float32")
    options = {"layer": "last", "verbose": 0, "postprocessing": None}
    _, maps = ke.hirescam(network(kind, stride), x, [0, 1], **options)
    if stride == 1:  # With others, Keras pads one side more than the other.
        same = network(layers.Conv2D, stride, padding="same")
        _, expected = ke.hirescam(same, x, [0, 1], **options)
    else:
        _, expected = ke.hirescam(network(layers.Conv2D, stride), x, [0, 1], **options)
    np.testing.assert_allclose(maps, expected, rtol=1e-3, atol=1e-6)
    assert np.abs(expected).max() > 1e-3


class SelfPadded(layers.Conv2D):
    def call(self, x):
        return super().call(ops.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0))))

    def compute_output_shape(self, shape):
        return (*shape[:-1], self.filters)


class Resized(layers.Layer):
    def call(self, x):
        return ops.image.resize(x, (21, 14))


def behind_letterbox(make):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((20, 20, 3))
    h = layers.ReLU()(make()(layers.ZeroPadding2D((5, 0))(inputs)))
    h = layers.Conv2D(3, 1, activation="relu", name="last")(h)
    return keras.Model(inputs, layers.Dense(2)(layers.GlobalAveragePooling2D()(h)))


@pytest.mark.parametrize(
    ("own", "known"),
    [
        (lambda: SelfPadded(4, 3), lambda: layers.Conv2D(4, 3, padding="same")),
        (Average, lambda: layers.AveragePooling2D(2)),
        (lambda: Held(4, 3, strides=2), lambda: layers.Conv2D(4, 3, strides=2)),
        (lambda: Held(4, 4, strides=4), lambda: layers.Conv2D(4, 4, strides=4)),
        (lambda: layers.Lambda(lambda x: x * 1.0), layers.Identity),
        (Resized, lambda: layers.Resizing(21, 14)),
        (lambda: layers.Lambda(Resized().call), lambda: layers.Resizing(21, 14)),
    ],
)
def test_padding_before_other_layers_of_the_users_stays(own, known, rng):
    x = rng.uniform(size=(2, 20, 20, 3)).astype("float32")
    options = {"layer": "last", "verbose": 0, "postprocessing": None}
    found, expected = (
        ke.hirescam(behind_letterbox(make), x, [0, 1], **options)
        for make in (own, known)
    )
    np.testing.assert_allclose(found.maps, expected.maps, rtol=1e-3, atol=1e-6)
