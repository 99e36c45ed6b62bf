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

#: What another order of float32 sums makes, of the root mean square.
ROUNDING = 2e-5

SIGNED = partial(gradients, gradient_filter=None, channel_reduction=None)


def batch(model, count=3, seed=0):
    """Inputs that fit the model; None is read as 7."""
    shape = [7 if size is None else size for size in model.inputs[0].shape[1:]]
    return np.random.default_rng(seed).normal(size=(count, *shape)).astype("float32")


def ending(tensor, units=1):
    """Units that read every value of ``tensor``, each with a weight of its own."""
    return layers.Dense(units)(layers.Flatten()(tensor))


def finished(inputs, *tensors):
    """A model with random weights whose units read all of ``tensors``."""
    ends = [ending(tensor) for tensor in tensors]
    outputs = layers.Concatenate()(ends) if len(ends) > 1 else ends[0]
    model = keras.Model(inputs, outputs)
    randomize(model)
    return model


def distances(found, expected):
    """Relative distance of each unit, the last axis, over all else."""
    found, expected = (
        np.asarray(x, "float64").reshape(-1, x.shape[-1]) for x in (found, expected)
    )
    size = np.linalg.norm(expected, axis=0)
    return np.linalg.norm(found - expected, axis=0) / np.where(size, size, 1)


def assert_equal(model, expected, x=None, tolerance=ROUNDING):
    """Outputs and gradients by the inputs are the same, but for rounding."""
    x = batch(expected) if x is None else x
    answers = [call_method(SIGNED, each, x, None, {}) for each in (model, expected)]
    for one, other in zip(*answers, strict=True):
        one, other = numpy(one), numpy(other)
        assert one.shape == other.shape
        assert np.isfinite(other).all()
        assert distances(one, other).max() < tolerance, distances(one, other)


def assert_equal_outputs(model, expected, x, tolerance=ROUNDING):
    """For inputs that have no gradients."""
    one, other = (
        numpy(output_units.forward(each, x, len(x))) for each in (model, expected)
    )
    assert distances(one, other).max() < tolerance, distances(one, other)


def assert_lowered_equal(model, x=None, tolerance=ROUNDING):
    """Return the lowered copy, which computes what ``model`` does."""
    lowered = lower(model)
    assert lowered is not model
    assert_equal(lowered, model, x, tolerance)
    return lowered


def operations(model):
    """What the steps of a lowered copy run."""
    return [step.operation for step in model.graph.steps]


def count(model, *kinds):
    """How many of its steps are of one of these types exactly."""
    return sum(type(operation) in kinds for operation in operations(model))
