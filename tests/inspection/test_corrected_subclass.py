"""Operations that a subclassed model calls have corrected derivatives, too."""

import gc
import weakref

import keras
import numpy as np
import pytest
from keras import layers, ops
from support.small_models import numpy

import keras_explainable as ke

SIGNED = {"postprocessing": None, "gradient_filter": lambda x: x, "verbose": 0}


class Rooted(keras.Model):
    """The square root has an infinite slope at 0."""

    def __init__(self, function=ops.sqrt):
        super().__init__()
        self.function, self.dense = function, layers.Dense(2, kernel_initializer="ones")

    def call(self, inputs):
        rows = ops.shape(inputs)[0]
        return self.dense(ops.reshape(self.function(inputs), (rows, -1)))


X = np.float32([[0, 1, 4], [4, 0, 1]])
EXPECTED = np.float32([[0, 0.5, 0.25], [0.25, 0, 0.5]])


def built(*args):
    model = Rooted(*args)
    model(X)
    return model


def maps_of(model, y=(0, 0), **options):
    logits, maps = ke.gradients(model, X, y, **SIGNED, **options)
    np.testing.assert_allclose(logits[:, 0], numpy(model(X))[:, 0], rtol=1e-5)
    return maps[..., 0]


def check_infinite(*args, **options):
    with pytest.warns(UserWarning, match="NaN or infinite"):
        assert np.isinf(maps_of(*args, **options)[0, 0])


@pytest.mark.parametrize("y", [(0, 0), lambda outputs: outputs[:, 0]])
def test_derivatives_are_corrected(y):
    model = built()
    np.testing.assert_allclose(maps_of(model, y), EXPECTED, rtol=1e-5)
    check_infinite(model, y, derivatives="framework")
    model.dense.kernel.assign(2 * model.dense.kernel)  # Weights may change later,
    np.testing.assert_allclose(maps_of(model, y), 2 * EXPECTED, rtol=1e-5)
    model.function = lambda x: 3 * ops.sqrt(x)  # and what it calls.
    np.testing.assert_allclose(maps_of(model, y), 6 * EXPECTED, rtol=1e-5)
    assert not model._inbound_nodes + model.dense._inbound_nodes


def test_the_norm_of_a_vector_of_zeros():
    """JAX refuses the list in which Keras keeps its axes for a symbol."""
    model = built(lambda x: ops.norm(x, axis=-1, keepdims=True) + x[:, :1])
    x = np.float32([[0, 0, 0], [3, 0, 4]])
    _, maps = ke.gradients(model, x, [0, 0], **SIGNED)
    expected = [[1, 0, 0], [1.6, 0, 0.8]]
    np.testing.assert_allclose(maps[..., 0], expected, rtol=1e-5)


class Root(layers.Layer):
    def build(self, shape):
        self.scale = self.add_weight(shape=shape[1:], initializer="ones")

    def call(self, x):
        return ops.sqrt(x * self.scale)


class Fused(keras.Model):
    """Has several inputs, takes and makes masks, and holds a layer of the user's."""

    def __init__(self, listed=False):
        super().__init__()
        self.listed, self.root = listed, Root()
        self.embedding = layers.Embedding(9, 2, mask_zero=True)
        self.pool = layers.GlobalAveragePooling1D()
        self.dense = layers.Dense(2, kernel_initializer="ones")

    def call(self, inputs, mask=None):
        x, tokens = inputs if self.listed else (inputs["x"], inputs["tokens"])
        vectors = self.pool(self.embedding(tokens))
        return self.dense(ops.concatenate([self.root(x), vectors], axis=-1))

    def compute_mask(self, inputs, mask=None):
        return None


@pytest.mark.parametrize("policy", ["float32", "mixed_float16", "float16"])
@pytest.mark.parametrize("listed", [False, True])
def test_several_inputs_masks_and_half_precision(policy, listed):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        model, tokens = Fused(listed), np.int32([[1, 2], [3, 0]])
    finally:
        keras.config.set_dtype_policy(before)
    x = [X, tokens] if listed else {"x": X, "tokens": tokens}
    model(x)
    _, maps = ke.gradients(model, x, [0, 0], **SIGNED)
    maps = maps[0 if listed else "x"][..., 0]
    np.testing.assert_allclose(maps, EXPECTED, rtol=1e-3)
    assert not model._inbound_nodes + model.root._inbound_nodes
    assert model.dtype_policy.name == policy


def test_a_model_that_keras_cannot_trace_keeps_its_derivatives():
    def function(x):
        if isinstance(x, keras.KerasTensor):
            raise TypeError("This could be a function of the backend.")
        return ops.sqrt(x)

    check_infinite(built(function))


def test_a_model_is_freed_and_its_class_named():
    model = built()
    maps_of(model)
    with pytest.raises(ValueError, match="received Rooted"):
        ke.gradcam(model, X, [0, 0], verbose=0)
    reference = weakref.ref(model)
    del model
    gc.collect()
    assert reference() is None


def test_the_check_of_gradients_opens_it():
    model = built()
    x = np.abs(X) + 1
    assert ke.check_gradients(model, x).ok
    model = built(lambda x: ops.sqrt(x) + ops.stop_gradient(x))
    found = ke.check_gradients(model, x)
    names = {fault.operation for each in found.comparisons for fault in each.faults}
    assert names == {f"StopGradient in {model.name} (Rooted)"}
