"""`gradients`: closed forms, shapes, inputs and errors."""

import keras
import numpy as np
import pytest
from keras import layers, ops
from support.small_models import (
    SHAPE,
    UNITS,
    images,
    linear,
    network,
    numpy,
    quadratic,
    quadratic_gradients,
    some_units,
    weights_of,
)

import keras_explainable as ke
from keras_explainable.methods.gradient import (
    full_gradients,
    gradients,
    input_x_gradient,
)

SIGNED = {"gradient_filter": None, "channel_reduction": None}


def test_linear_model_gives_its_weights():
    model, x, units = linear(), images(), some_units()
    logits, maps = gradients(model, x, units)
    expected = np.abs(weights_of(model, units)).mean(axis=-2)
    np.testing.assert_allclose(numpy(maps), expected, rtol=1e-5, atol=1e-7)
    outputs = model.predict(x, verbose=0)
    chosen = np.take_along_axis(outputs, units, axis=1)
    np.testing.assert_allclose(numpy(logits), chosen, rtol=1e-5, atol=1e-6)


def test_quadratic_model_gives_signed_gradients_by_channel():
    model, x, units = quadratic(), images(), some_units()
    _, maps = gradients(model, x, units, **SIGNED)
    expected = quadratic_gradients(model, x, units)
    np.testing.assert_allclose(numpy(maps), expected, rtol=1e-4, atol=1e-6)


def test_agrees_with_finite_differences():
    model, x = network(), np.random.default_rng(1).normal(size=(2, 12, 12, 3))
    x, units, step = x.astype("float32"), np.array([[1], [4]]), 1e-2
    maps = numpy(gradients(model, x, units, **SIGNED)[1])
    for spot in [(0, 3, 4, 1), (1, 7, 7, 0), (1, 5, 2, 2)]:
        sides = []
        for sign in (1, -1):
            moved = x.copy()
            moved[spot] += sign * step
            sides.append(model.predict(moved, verbose=0)[spot[0], units[spot[0], 0]])
        difference = (sides[0] - sides[1]) / (2 * step)
        assert maps[(*spot, 0)] == pytest.approx(difference, abs=2e-3)


def test_filter_then_reduction():
    model, x, units = quadratic(), images(), some_units()
    raw = quadratic_gradients(model, x, units)
    _, maps = gradients(model, x, units, gradient_filter=ops.square)
    np.testing.assert_allclose(
        numpy(maps), (raw**2).mean(axis=-2), rtol=1e-4, atol=1e-6
    )
    _, maps = gradients(
        model, x, units, gradient_filter=None, channel_reduction=ops.max
    )
    np.testing.assert_allclose(numpy(maps), raw.max(axis=-2), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "int64", "uint16"])
def test_units_of_any_integer_dtype(dtype):
    model, x, units = linear(), images(), some_units()
    expected = numpy(gradients(model, x, units)[1])
    np.testing.assert_array_equal(
        numpy(gradients(model, x, units.astype(dtype))[1]), expected
    )


def test_units_as_vector_list_and_tensor():
    model, x, units = linear(), images(), some_units(k=1)
    expected = numpy(gradients(model, x, units)[1])
    for form in (units[:, 0], units[:, 0].tolist(), ops.convert_to_tensor(units)):
        _, maps = gradients(model, x, form)
        assert maps.shape == (6, 4, 4, 1)
        np.testing.assert_array_equal(numpy(maps), expected)


def test_every_unit_by_default():
    model, x = linear(), images()
    logits, maps = gradients(model, x)
    assert logits.shape == (6, UNITS)
    assert maps.shape == (6, 4, 4, UNITS)
    every = np.tile(np.arange(UNITS), (6, 1))
    np.testing.assert_array_equal(numpy(maps), numpy(gradients(model, x, every)[1]))


@pytest.mark.parametrize("count", [1, 8, 9, 30])
def test_many_units(count):
    """Some counts are too large to be unrolled; units may be repeated."""
    model, x, units = quadratic(), images(), some_units(k=count)
    _, maps = gradients(model, x, units, **SIGNED)
    expected = quadratic_gradients(model, x, units)
    np.testing.assert_allclose(numpy(maps), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("dtype", ["float16", "float64", "uint8", "int32", "bool"])
def test_inputs_of_any_dtype(dtype):
    model, x = quadratic(), np.abs(images() * 3).astype(dtype)
    _, maps = gradients(model, x, some_units())
    expected = numpy(gradients(model, x.astype("float32"), some_units())[1])
    np.testing.assert_allclose(numpy(maps), expected, rtol=1e-5)


def test_inputs_as_list_and_tensor():
    model, x, units = quadratic(), images(), some_units()
    expected = numpy(gradients(model, x, units)[1])
    for form in (x.tolist(), ops.convert_to_tensor(x)):
        maps = numpy(gradients(model, form, units)[1])
        np.testing.assert_allclose(maps, expected, rtol=1e-6)


def test_one_forward_pass_for_all_units():
    calls = []

    class CountsCalls(layers.Layer):
        def call(self, x):
            calls.append(1)
            return x

    inputs = keras.Input(SHAPE)
    outputs = layers.Dense(UNITS)(layers.Flatten()(CountsCalls()(inputs)))
    model = keras.Model(inputs, outputs)
    calls.clear()
    gradients(model, images(), some_units(k=4))
    assert len(calls) == 1


def test_outputs_that_ignore_the_input_have_zero_gradient():
    inputs = keras.Input(SHAPE)
    blocked = layers.Lambda(ops.stop_gradient)(inputs)
    model = keras.Model(inputs, layers.Dense(2)(layers.Flatten()(blocked)))
    _, maps = gradients(model, images(), np.zeros(6, int))
    np.testing.assert_array_equal(numpy(maps), 0)


def test_dropout_is_inactive():
    model, x = network(), np.random.default_rng(0).normal(size=(2, 12, 12, 3))
    first, second = (numpy(gradients(model, x, [0, 1])[1]) for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize(
    ("units", "error", "message"),
    [
        ([[9]] * 6, ValueError, "at least 0 and below 5; received 9"),
        ([[-1]] * 6, ValueError, "received -1"),
        ([1] * 5, ValueError, r"one row for each input; received \(5,\)"),
        (np.zeros((6, 1, 1), int), ValueError, r"received \(6, 1, 1\)"),
        (np.zeros((6, 0), int), ValueError, r"received \(6, 0\)"),
        ([0.5] * 6, TypeError, "must be integers; received float64"),
        ([True] * 6, TypeError, "must be integers; received bool"),
        (["a"] * 6, TypeError, "array of real numbers"),
    ],
)
def test_bad_units(units, error, message):
    with pytest.raises(error, match=message):
        gradients(linear(), images(), units)


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        (np.zeros((0, *SHAPE)), ValueError, "at least one"),
        (
            np.zeros((6, 4, 4)),
            ValueError,
            r"shape \(any, 4, 4, 3\).*received \(6, 4, 4\)",
        ),
        (np.zeros((6, 4, 4, 1)), ValueError, "received"),
        (np.full((6, *SHAPE), np.nan), ValueError, "finite"),
        (np.full((6, *SHAPE), -np.inf), ValueError, "finite"),
        ("picture.png", TypeError, "real numbers"),
        ([[1, 2], [3]], TypeError, "array of numbers"),
        (np.zeros((6, *SHAPE), complex), TypeError, "real numbers; received complex"),
    ],
)
def test_bad_inputs(x, error, message):
    with pytest.raises(error, match=message):
        gradients(linear(), x, [0] * 6)


def test_outputs_that_are_not_a_vector_of_units_are_refused():
    inputs = keras.Input(SHAPE)
    model = keras.Model(inputs, layers.Conv2D(2, 1)(inputs))
    with pytest.raises(ValueError, match=r"one output of shape \(B, units\)"):
        gradients(model, images(), [0] * 6)


def test_full_gradients_with_normalizations_of_other_axes(rng):
    inputs = keras.Input((6, 5, 3))
    h = layers.BatchNormalization(axis=1)(layers.Conv2D(4, 3, padding="same")(inputs))
    h = layers.Conv2D(4, 3)(layers.ReLU()(h))
    h = layers.ReLU()(layers.BatchNormalization(axis=2)(h))
    outputs = layers.Dense(2, use_bias=False)(layers.GlobalAveragePooling2D()(h))
    model = keras.Model(inputs, outputs)
    for weight in model.weights:
        weight.assign(rng.uniform(0.5, 1.5, weight.shape))
    x = rng.normal(size=(2, 6, 5, 3)).astype("float32")
    _, maps = ke.explain(full_gradients, model, x, psi=None, verbose=0)
    np.testing.assert_allclose(maps.sum((1, 2)), numpy(model(x)), rtol=1e-4)


def test_full_gradients_with_a_layer_normalization_of_all_axes(rng):
    inputs = keras.Input((4, 5, 2))
    norm = layers.LayerNormalization(axis=[1, 2, 3])
    outputs = layers.Dense(2)(layers.GlobalAveragePooling2D()(norm(inputs)))
    model = keras.Model(inputs, outputs)
    norm.beta.assign(rng.normal(size=norm.beta.shape))
    x = rng.normal(size=(2, 4, 5, 2)).astype("float32")
    _, maps = ke.explain(full_gradients, model, x, psi=None, verbose=0)
    _, plain = ke.explain(
        input_x_gradient, model, x, channel_reduction=ops.sum, verbose=0
    )
    kernel = numpy(model.layers[-1].kernel) / 20  # Of the mean over 4 x 5 positions.
    expected = plain + numpy(norm.beta) @ kernel
    np.testing.assert_allclose(maps, expected, rtol=1e-4, atol=1e-5)


def test_products_with_inputs_of_integers():
    """Categories have no derivative; pixels of 8 bits have."""
    pixels = keras.Input((4, 4, 1), dtype="uint8")
    category = keras.Input((1,), dtype="int32")
    parts = [
        layers.Flatten()(layers.Rescaling(1 / 255)(pixels)),
        layers.CategoryEncoding(3, output_mode="one_hot")(category),
    ]
    dense = layers.Dense(1)
    model = keras.Model([pixels, category], dense(layers.Concatenate()(parts)))
    rng = np.random.default_rng(0)
    x = rng.integers(0, 255, (2, 4, 4, 1)).astype("uint8"), np.array([[0], [2]])
    _, (maps, none) = ke.input_x_gradient(
        model, x, [0, 0], verbose=0, postprocessing=None
    )
    weights = numpy(dense.kernel)[:16, 0] / 255
    expected = weights * x[0].reshape(2, 16)
    np.testing.assert_allclose(maps.reshape(2, 16), expected, rtol=1e-4, atol=1e-7)
    np.testing.assert_array_equal(none, 0)
