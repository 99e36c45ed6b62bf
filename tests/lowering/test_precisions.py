"""Every layer computes in its own precision or in the requested one."""

import keras
import pytest
from keras import layers, ops
from support.model_equality import (
    SIGNED,
    assert_equal_outputs,
    assert_lowered_equal,
    batch,
    distances,
    finished,
)
from support.small_models import network, randomize

import keras_explainable as ke
from keras_explainable.lowering import lower
from keras_explainable.network import output_units

BACKEND = keras.backend.backend()
SHAPE = (8, 8, 3)


def conv(**options):
    return layers.Conv2D(**{"filters": 4, "kernel_size": 3, **options})


@pytest.mark.parametrize("dtype", ["mixed_float16", "mixed_bfloat16", "bfloat16"])
def test_half_precision_rounds_in_the_same_places(dtype):
    inputs = keras.Input(SHAPE)
    x = conv(dtype=dtype)(inputs)
    x = layers.ReLU(dtype=dtype)(layers.BatchNormalization(dtype=dtype)(x))
    model = finished(inputs, layers.Activation("linear", dtype="float32")(x))
    assert_lowered_equal(model)


@pytest.mark.skipif(BACKEND == "jax", reason="float64 is disabled")
@pytest.mark.parametrize(("norms", "tolerance"), [(False, 1e-13), (True, 1e-6)])
def test_double_precision_is_kept(norms, tolerance):
    """Batch normalization in Keras rounds intermediate results to float32."""
    inputs, double = keras.Input(SHAPE, dtype="float64"), {"dtype": "float64"}
    x = layers.ReLU(**double)(conv(**double)(inputs))
    if norms:
        x = layers.BatchNormalization(**double)(conv(**double)(x))
    outputs = layers.Dense(2, **double)(layers.Flatten(**double)(x))
    model = keras.Model(inputs, outputs)
    randomize(model)
    x = batch(model).astype("float64") / 3
    assert_lowered_equal(model, x, tolerance)
    ke.explain(SIGNED, model, x, [0, 1, 0], verbose=0)  # Warnings are errors here.


@pytest.mark.skipif(BACKEND == "jax", reason="float64 is disabled")
def test_one_layer_in_another_precision():
    inputs = keras.Input(SHAPE)
    x = layers.BatchNormalization()(conv(dtype="float64")(inputs))
    x = layers.BatchNormalization(dtype="float64")(conv()(x))
    assert_lowered_equal(finished(inputs, layers.ReLU()(x)))


def test_a_global_half_precision_policy_has_no_effect():
    inputs = keras.Input(SHAPE)
    x = layers.ReLU()(layers.BatchNormalization()(conv()(inputs)))
    model = finished(inputs, layers.MaxPooling2D()(x))
    keras.config.set_dtype_policy("mixed_float16")
    try:
        assert_lowered_equal(model)
    finally:
        keras.config.set_dtype_policy("float32")


def test_lora_is_applied():
    inputs, dense, kernel = keras.Input((6,)), layers.Dense(5), conv(kernel_size=1)
    x = layers.BatchNormalization()(dense(inputs))
    x = layers.BatchNormalization()(kernel(layers.Reshape((1, 1, 5))(x)))
    model = finished(inputs, x)
    for layer in (dense, kernel):
        layer.enable_lora(2)
    randomize(model, seed=1)
    assert_lowered_equal(model)


def test_lora_enabled_later_is_applied():
    inputs, dense = keras.Input((6,)), layers.Dense(5)
    model = finished(inputs, layers.BatchNormalization()(dense(inputs)))
    assert_lowered_equal(model)
    dense.enable_lora(2)
    randomize(model, seed=1)
    x = batch(model)
    assert_equal_outputs(lower(model), model, x)


def test_half_precision_is_close_and_its_outputs_are_float32():
    model = network(side=16)
    x = ops.convert_to_tensor(batch(model))
    half, exact = (
        output_units.forward(lower(model, precision), x, 3)
        for precision in ("bfloat16", "float32")
    )
    assert half.dtype == exact.dtype
    half, exact = map(ops.convert_to_numpy, (half, exact))
    assert 1e-5 < distances(half, exact).max() < 0.2
