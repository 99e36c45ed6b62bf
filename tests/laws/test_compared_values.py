"""Values that a model compares with a number, such as padding, keep their meaning."""

import keras
import numpy as np
import pytest
from keras import layers, ops
from support.small_models import numpy

import keras_explainable as ke

STEPS, SHOWN = 6, 3
SMOOTH = {"repetitions": 4, "seed": 0, "verbose": 0, "postprocessing": None}


def dense(inputs):
    return layers.Dense(4, activation="relu", bias_initializer="ones")(inputs)


def selected(x):
    shown = ops.any(ops.not_equal(x, 0), axis=-1, keepdims=True)
    return ops.where(shown, dense(x), 0.0)


def dropped(x):
    hidden = ops.all(ops.equal(x, 0), axis=-1)
    return ops.where(hidden[..., None], 0.0, dense(x))


def multiplied(x):
    shown = ops.any(ops.not_equal(x, 0), axis=-1)
    return dense(x) * ops.cast(shown, "float32")[..., None]


def marked(x):
    return dense(ops.where(ops.equal(x, -1), 0.0, x))


def in_frames(x):
    shown = ops.any(ops.not_equal(x, 0), axis=-1, keepdims=True)
    return ops.where(shown, layers.TimeDistributed(layers.Dense(4))(x), 0.0)


def weighted(shown):
    """Return a way to hide steps by weights, from a function that says which show."""

    def hide(x):
        weights = ops.cast(shown(x), "float32")
        summed = ops.sum(dense(x) * weights, axis=1)
        return summed / (ops.sum(weights, axis=1) + 1e-3)

    return hide


WAYS = {
    "sum": lambda x: ops.sum(ops.abs(x), axis=-1, keepdims=True) > 0,
    "max": lambda x: ops.max(ops.abs(x), axis=-1, keepdims=True) > 1e-6,
    "any": lambda x: ops.any(ops.abs(x) > 1e-6, axis=-1, keepdims=True),
    "zeros": lambda x: ops.any(
        ops.not_equal(x, ops.zeros_like(x)), axis=-1, keepdims=True
    ),
    "not all": lambda x: ops.logical_not(
        ops.all(ops.equal(x, 0.0), axis=-1, keepdims=True)
    ),
    "as numbers": lambda x: ops.max(
        ops.cast(ops.not_equal(x, 0.0), "int32"), axis=-1, keepdims=True
    ),
}


def flipped(x):
    x = ops.flip(x, axis=1)
    return ops.flip(ops.where(ops.equal(x, -1.0), 0.0, x), axis=1)


def model_of(hide, shape=(STEPS, 3)):
    inputs = keras.Input(shape)
    outputs = layers.Dense(2)(layers.Flatten()(hide(inputs)))
    return keras.Model(inputs, outputs)


def padded(rng, hide):
    x = rng.normal(size=(2, STEPS, 3)).astype("float32")
    x[:, SHOWN:] = -1 if hide in (marked, flipped) else 0
    return x


HIDING = [selected, dropped, multiplied, marked, in_frames, flipped]
HIDING += [pytest.param(weighted(each), id=name) for name, each in WAYS.items()]


@pytest.mark.parametrize("hide", HIDING)
def test_noise_keeps_padding_hidden(hide, rng):
    """As the values there do not matter, the map is that of the steps in front."""
    model, x = model_of(hide), padded(rng, hide)
    _, maps, stats = ke.smoothgrad(model, x, [0, 1], return_stats=True, **SMOOTH)
    assert not maps[:, SHOWN:].any()
    assert maps[:, :SHOWN].all()
    expected = 0.15 * np.ptp(x[:, :SHOWN].reshape(2, -1), axis=1)
    np.testing.assert_allclose(numpy(stats.sigma)[:, 0], expected, rtol=1e-5)


def test_markers_of_missing_values_in_a_table(rng):
    def replaced(x):
        return layers.Dense(4, activation="tanh")(ops.where(ops.equal(x, -999), 0.0, x))

    model, x = model_of(replaced, (5,)), rng.normal(size=(2, 5)).astype("float32")
    x[:, SHOWN:] = -999
    for method in (ke.smoothgrad, ke.vargrad):
        _, maps = method(model, x, [0, 1], **SMOOTH)
        assert not maps[:, SHOWN:].any()
        assert maps[:, :SHOWN].all()


def test_a_comparison_that_only_guards_a_division_hides_nothing(rng):
    def guarded(x):
        return dense(x / ops.where(ops.equal(x, 0), 1.0, ops.sqrt(ops.square(x) + 1)))

    model, x = model_of(guarded), padded(rng, guarded)
    noise = {"noise": 0.5}
    _, maps = ke.smoothgrad(model, x, [0, 1], **SMOOTH | noise)
    assert maps[:, SHOWN:].all()


def of_saturated(x):
    """What saturated values are is known twice: by themselves, and by a comparison."""
    return layers.Concatenate()([x, ops.cast(ops.equal(x, 1.0), "float32")])


def rectified(x):
    return layers.Dense(3)(ops.where(x > 0, x, 0.0))


@pytest.mark.parametrize("read", [of_saturated, rectified])
def test_values_that_also_count_otherwise_are_no_padding(read, rng):
    x = np.round(rng.uniform(-0.5, 1, (2, 4, 4, 2))).astype("float32")
    inputs = keras.Input((4, 4, 2))
    h = layers.Conv2D(3, 3, activation="tanh")(read(inputs))
    model = keras.Model(inputs, layers.Dense(2)(layers.Flatten()(h)))
    noise = {"noise": 0.3, "repetitions": 32}
    _, maps = ke.smoothgrad(model, x, [0, 1], **SMOOTH | noise)
    assert (maps > 0).all()


def test_missing_values_that_are_below_a_number(rng):
    def known(x):
        shown = x > -900.0
        return dense(
            layers.Concatenate()([ops.where(shown, x, 0.0), ops.cast(shown, x.dtype)])
        )

    model, x = model_of(known, (5,)), rng.normal(size=(2, 5)).astype("float32")
    x[:, SHOWN:] = -999
    _, maps, stats = ke.smoothgrad(model, x, [0, 1], return_stats=True, **SMOOTH)
    assert not maps[:, SHOWN:].any()
    expected = 0.15 * np.ptp(x[:, :SHOWN], axis=1)
    np.testing.assert_allclose(numpy(stats.sigma)[:, 0], expected, rtol=1e-5)


def test_pixels_outside_a_picture(rng):
    def masked(x):
        shown = ops.any(ops.not_equal(x, 0), axis=-1, keepdims=True)
        return layers.Conv2D(3, 1, activation="tanh")(x) * ops.cast(shown, x.dtype)

    model, x = model_of(masked, (5, 4, 3)), rng.normal(size=(2, 5, 4, 3))
    x[0, 2:], x[1, :, :1] = 0, 0
    _, maps = ke.smoothgrad(model, x, [0, 1], **SMOOTH)
    assert not maps[0, 2:].any()
    assert not maps[1, :, :1].any()
    assert maps[0, :2].all()
    assert maps[1, :, 1:].all()


def test_paths_keep_what_is_hidden(rng):
    model, x = model_of(selected), padded(rng, selected)
    _, maps = ke.integrated_gradients(
        model, x, [0, 1], baseline=1.0, n_steps=64, verbose=0
    )
    assert not maps[:, SHOWN:].any()


def test_dark_pixels_below_a_threshold_are_no_padding(rng):
    """An order tells bright from dark; only equality with a number marks padding."""
    x = np.full((2, 8, 8, 1), -1000.0, "float32")
    x[:, 2:6, 2:6] = rng.uniform(-200, 300, (2, 4, 4, 1))

    def sigma(prepare):
        keras.utils.set_random_seed(0)
        inputs = keras.Input((8, 8, 1))
        h = layers.Conv2D(3, 3, activation="tanh")(prepare(inputs) / 500)
        model = keras.Model(inputs, layers.Dense(2)(layers.Flatten()(h)))
        return ke.smoothgrad(model, x, [0, 1], return_stats=True, **SMOOTH)[2].sigma

    selected = sigma(lambda i: ops.where(i > -500, i, -500.0))
    np.testing.assert_array_equal(selected, sigma(lambda i: ops.maximum(i, -500.0)))
