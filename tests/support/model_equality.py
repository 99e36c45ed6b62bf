"""Comparing models that should compute the same."""

from functools import partial

import keras
import numpy as np
from keras import layers

from keras_explainable.execution.compilation import call_method
from keras_explainable.lowering import lower
from keras_explainable.methods.gradient import gradients
from keras_explainable.network import output_units
from support.small_models import numpy, randomize

#: Error from another order of float32 sums, relative to the root mean square.
ROUNDING = 2e-5

SIGNED = partial(gradients, gradient_filter=None, channel_reduction=None)


def batch(model, count=3, seed=0):
    """Return inputs that fit the model, with 7 for None in its shape."""
    shape = [7 if size is None else size for size in model.inputs[0].shape[1:]]
    return np.random.default_rng(seed).normal(size=(count, *shape)).astype("float32")


def ending(tensor, units=1):
    """Return units that read every value of ``tensor``, each with its own weight."""
    return layers.Dense(units)(layers.Flatten()(tensor))


def finished(inputs, *tensors):
    """Return a model with random weights whose units read all of ``tensors``."""
    ends = [ending(tensor) for tensor in tensors]
    outputs = layers.Concatenate()(ends) if len(ends) > 1 else ends[0]
    model = keras.Model(inputs, outputs)
    randomize(model)
    return model


def distances(found, expected):
    """Return the relative distance of each unit, the last axis."""
    found, expected = (
        np.asarray(x, "float64").reshape(-1, x.shape[-1]) for x in (found, expected)
    )
    size = np.linalg.norm(expected, axis=0)
    return np.linalg.norm(found - expected, axis=0) / np.where(size, size, 1)


def assert_equal(model, expected, x=None, tolerance=ROUNDING):
    """Assert that outputs and gradients by the inputs are equal up to rounding."""
    x = batch(expected) if x is None else x
    answers = [call_method(SIGNED, each, x, None, {}) for each in (model, expected)]
    for one, other in zip(*answers, strict=True):
        one, other = numpy(one), numpy(other)
        assert one.shape == other.shape
        assert np.isfinite(other).all()
        assert distances(one, other).max() < tolerance, distances(one, other)


def assert_equal_outputs(model, expected, x, tolerance=ROUNDING):
    """Assert that outputs are equal, for inputs that have no gradients."""
    one, other = (
        numpy(output_units.forward(each, x, len(x))) for each in (model, expected)
    )
    assert distances(one, other).max() < tolerance, distances(one, other)


def assert_lowered_equal(model, x=None, tolerance=ROUNDING):
    """Return the lowered copy, asserted to compute what ``model`` does."""
    lowered = lower(model)
    assert lowered is not model
    assert_equal(lowered, model, x, tolerance)
    return lowered


def operations(model):
    """Return the operations of the steps of a lowered copy."""
    return [step.operation for step in model.graph.steps]


def count(model, *kinds):
    """Return the number of steps that are exactly of one of these types."""
    return sum(type(operation) in kinds for operation in operations(model))
