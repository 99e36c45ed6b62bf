"""Inputs that weight or hide what other inputs give are masks, and get no noise."""

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_explainable as ke


def multiplied(x, mask):
    return x * ops.cast(mask, "float32")[..., None]


def by_a_layer(x, mask):
    whole = ops.expand_dims(ops.cast(mask, "float32"), -1)
    return layers.Multiply()([x, layers.Rescaling(-1.0, 1.0)(whole)])


def added(x, mask):
    return x + (1.0 - ops.cast(mask, "float32"))[..., None] * -10.0


def pooled(x, mask):
    return ops.einsum("bt,btc->btc", ops.cast(mask, "float32"), x)


@pytest.mark.parametrize("join", [multiplied, by_a_layer, added, pooled])
@pytest.mark.parametrize("dtype", ["int32", "int8"])
def test_integers_that_weight_others_get_no_noise(join, dtype, rng):
    inputs = keras.Input((4, 3), name="x"), keras.Input((4,), dtype=dtype, name="mask")
    h = layers.Dense(5, activation="tanh")(join(*inputs))
    model = keras.Model(inputs, layers.Dense(2)(layers.Flatten()(h)))
    x = rng.normal(size=(2, 4, 3)).astype("float32"), np.int32([[1, 1, 0, 0]] * 2)
    options = {"repetitions": 3, "seed": 0, "verbose": 0, "return_stats": True}
    _, maps, stats = ke.smoothgrad(model, list(x), [0, 1], **options)
    assert not stats[1].sigma.any()
    assert stats[0].sigma.all()
    assert not maps[1].any()


def test_a_mask_of_a_mean_is_one_where_it_divides(rng):
    """Its sum, by which the mean is divided, is no quantity either."""

    def model(dtype):
        keras.utils.set_random_seed(0)
        inputs = keras.Input((4, 3)), keras.Input((4,), dtype=dtype)
        mask = ops.cast(inputs[1], "float32")[..., None]
        summed = ops.sum(layers.Dense(5, activation="tanh")(inputs[0]) * mask, axis=1)
        mean = summed / ops.maximum(ops.sum(mask, axis=1), 1e-9)
        return keras.Model(inputs, layers.Dense(2)(mean))

    x, mask = rng.normal(size=(2, 4, 3)).astype("float32"), np.int32([[1, 1, 0, 0]] * 2)
    options = {"repetitions": 3, "seed": 0, "verbose": 0, "postprocessing": None}
    found, expected = (
        ke.smoothgrad(model(dtype), [x, mask.astype(dtype)], [0, 1], **options)[1]
        for dtype in ("int32", "bool")
    )
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-5, atol=1e-7)
    assert not found[1].any()


@pytest.mark.parametrize("last", [layers.Dense(2), layers.Concatenate()])
def test_integers_that_are_numbers_get_noise(last, rng):
    inputs = keras.Input((3,), dtype="int32"), keras.Input((2,))
    one = ops.cast(inputs[0], "float32") / 10
    whole = layers.Concatenate()([one, inputs[1]])
    h = layers.Dense(4, activation="tanh")(whole)
    if isinstance(last, layers.Dense):  # Weighted sums of them are numbers as well.
        h = layers.Add()([h, layers.Dense(4)(one)])
    model = keras.Model(inputs, layers.Dense(2)(h))
    x = [rng.integers(0, 50, (2, 3)), rng.normal(size=(2, 2)).astype("float32")]
    options = {"repetitions": 3, "seed": 0, "verbose": 0, "return_stats": True}
    _, maps, stats = ke.smoothgrad(model, x, [0, 1], **options)
    assert stats[0].sigma.all()
    assert maps[0].any()


BIASES = {
    "operators": lambda mask: (1.0 - mask) * -10000.0,
    "difference": lambda mask: mask * 1e9 - 1e9,
    "layer": lambda mask: layers.Rescaling(1e6, -1e6)(mask),
    "lambda": lambda mask: layers.Lambda(lambda x: (1 - x) * -1e9)(mask),
}


def with_scores(bias):
    """Return a model of attention over steps, to whose scores a bias is added."""
    keras.utils.set_random_seed(0)
    x, other = keras.Input((4, 3)), keras.Input((4,))
    scores = ops.matmul(x, ops.transpose(layers.Dense(3)(x), (0, 2, 1)))
    weights = ops.softmax(scores + bias(other)[:, None, :])
    return keras.Model([x, other], layers.Dense(2)(ops.mean(weights @ x, axis=1)))


def noise_levels(model, rng):
    x, mask = rng.normal(size=(2, 4, 3)).astype("float32"), [[1.0, 1, 0, 0]] * 2
    options = {"repetitions": 3, "verbose": 0, "return_stats": True}
    stats = ke.smoothgrad(model, [x, np.float32(mask)], [0, 1], **options).stats
    return [each.sigma for each in stats]


@pytest.mark.parametrize("name", BIASES)
def test_numbers_of_which_a_large_multiple_is_added_get_no_noise(name, rng):
    of_steps, of_mask = noise_levels(with_scores(BIASES[name]), rng)
    assert of_steps.all()
    assert not of_mask.any()


POOLINGS = {
    "maximum": lambda h: ops.max(h, axis=1),
    "layer": layers.GlobalMaxPooling1D(),
    "logsumexp": lambda h: ops.logsumexp(h, axis=1),
    "exponentials": lambda h: ops.sum(
        ops.exp(h - ops.max(h, axis=1, keepdims=True)), 1
    ),
    "sigmoid": lambda h: ops.sum(ops.sigmoid(h), axis=1),
}


@pytest.mark.parametrize("name", POOLINGS)
def test_masks_before_other_functions_that_hide(name, rng):
    x, mask = keras.Input((4, 3)), keras.Input((4,))
    hidden = layers.Dense(5)(x) + (mask[..., None] - 1) * 1e9
    model = keras.Model([x, mask], layers.Dense(2)(POOLINGS[name](hidden)))
    of_steps, of_mask = noise_levels(model, rng)
    assert of_steps.all()
    assert not of_mask.any()


def test_quantities_in_large_units_get_noise(rng):
    """What they are added to is no score before a softmax."""
    keras.utils.set_random_seed(0)
    x, price = keras.Input((4, 3)), keras.Input((4,))
    change = layers.Dense(1)(layers.Flatten()(x))
    model = keras.Model([x, price], layers.Rescaling(1e4)(price) + change)
    assert all(sigma.all() for sigma in noise_levels(model, rng))


def test_numbers_that_are_added_as_they_are_get_noise(rng):
    """Also after a layer with weights, whatever the unit that they are in."""
    convert = layers.Dense(4, use_bias=False)
    for bias in (lambda x: 2 * x, lambda x: convert(x * 1e6)):
        assert all(sigma.all() for sigma in noise_levels(with_scores(bias), rng))


class MaskedMean(layers.Layer):
    """A layer that needs its mask."""

    supports_masking = True

    def call(self, x, mask):
        mask = ops.cast(mask, x.dtype)[..., None]
        return ops.sum(x * mask, axis=1) / ops.sum(mask, axis=1)


def test_a_mask_that_a_layer_needs_gets_no_noise(rng):
    x, mask = keras.Input((4, 3)), keras.Input((4,))
    pooled = MaskedMean()(layers.Dense(5)(x), mask=mask)
    model = keras.Model([x, mask], layers.Dense(2)(pooled))
    of_steps, of_mask = noise_levels(model, rng)
    assert of_steps.all()
    assert not of_mask.any()
