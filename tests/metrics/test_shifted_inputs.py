"""Which maps stay the same when the input and the model shift together."""

import keras
import numpy as np
import pytest
from keras import layers
from support.attributions import UNITS, X, contributions, linear
from support.small_models import network

import keras_explainable as ke
from keras_explainable.evaluation.controls import CONTROLS
from keras_explainable.methods.gradient import gradients, input_x_gradient
from keras_explainable.metrics import input_invariance

IMAGES = np.random.default_rng(0).normal(size=(3, 12, 12, 3)).astype("float32")
LABELS = np.array([[0, 1], [2, 3], [4, 0]])


@pytest.mark.parametrize("shift", [1.0, -2, [0.5, 0.0, 3.0]])
def test_maps_without_a_reference_do_not_change(shift):
    methods = [gradients, ke.gradcam, CONTROLS["edges"]]
    if np.ndim(shift) == 0:  # Else the range changes, of which the noise is a part.
        methods.append(ke.smoothgrad)
    for method in methods:
        scores = input_invariance(
            method, network(), IMAGES, LABELS, shift=shift, verbose=0
        )
        np.testing.assert_allclose(scores, 0, atol=1e-3)


def test_attributions_to_a_baseline_change_by_that_of_the_shift():
    """For a linear model: from w x to w (x + c)."""
    model, shift = linear(), 2.0
    found = input_invariance(input_x_gradient, model, X, UNITS, shift=shift, verbose=0)
    maps, moved = contributions(model), contributions(model, -shift)
    change = np.sqrt(((moved - maps) ** 2).sum(axis=(1, 2)))
    expected = change / np.sqrt((maps**2).sum(axis=(1, 2)))
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_models_that_cannot_be_shifted_are_refused():
    call = input_invariance, gradients, network(), IMAGES
    for shift in ([1.0, 2.0], "all", np.nan):
        with pytest.raises((TypeError, ValueError), match="`shift` must be"):
            call[0](*call[1:], LABELS, shift=shift, verbose=0)
    tokens = keras.Input((6,), dtype="int32")
    pooled = layers.GlobalAveragePooling1D()(layers.Embedding(9, 4)(tokens))
    model = keras.Model(tokens, layers.Dense(3)(pooled))
    with pytest.raises(ValueError, match="have an input of real numbers for input"):
        input_invariance(gradients, model, np.ones((2, 6)), [0, 1], verbose=0)


def test_shifts_of_channels_that_come_first():
    inputs = keras.Input((3, 12, 12))
    model = keras.Model(inputs, network()(layers.Permute((2, 3, 1))(inputs)))
    call = gradients, model, np.ascontiguousarray(IMAGES.transpose(0, 3, 1, 2)), LABELS
    scores = input_invariance(*call, shift=[1.0, 2.0, 3.0], verbose=0)
    np.testing.assert_allclose(scores, 0, atol=1e-3)
    with pytest.raises(ValueError, match="one for each of the 3 channels"):
        input_invariance(*call, shift=[1.0] * 12, verbose=0)


def test_shifts_of_integers_are_whole():
    inputs = keras.Input((12, 12, 3), dtype="uint8")
    model = keras.Model(inputs, network()(layers.Rescaling(0.01)(inputs)))
    x = np.random.default_rng(0).integers(0, 99, (2, 12, 12, 3), dtype="uint8")
    call = gradients, model, x, [0, 1]
    scores = input_invariance(*call, shift=20, verbose=0)
    np.testing.assert_allclose(scores, 0, atol=1e-3)
    with pytest.raises(ValueError, match="`shift` must be whole for a model of uint8"):
        input_invariance(*call, shift=0.3, verbose=0)
