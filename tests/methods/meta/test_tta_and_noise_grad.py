"""`tta` and `noise_grad`."""

from functools import partial

import keras
import numpy as np
import pytest
from keras import layers
from support.small_models import images, linear, network, numpy, some_units, weights_of

import keras_explainable as ke
from keras_explainable.methods import cams
from keras_explainable.methods.gradient import gradients
from keras_explainable.methods.meta import noise_grad, smooth, tta
from keras_explainable.network.layers_of_model import trained_weights

SIGNED = partial(gradients, gradient_filter=None, channel_reduction=None)
X, UNITS = images(), some_units()


def maps_of(method, model, x=X, units=UNITS, **options):
    return numpy(method(model, x, units, **options)[1])


def any_size(size=(None, None)):
    inputs = keras.Input((*size, 3))
    x = layers.Conv2D(4, 3, padding="same", activation="relu")(inputs)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(5)(x))


def test_tta_without_augmentations_is_the_method():
    model = linear()
    method = tta(gradients, scales=(), hflip=False)
    np.testing.assert_array_equal(maps_of(method, model), maps_of(gradients, model))


@pytest.mark.parametrize("method", [gradients, SIGNED])
def test_flipped_maps_are_flipped_back(method):
    model = ke.inspection.logits_model(network("softmax"))
    x = np.random.default_rng(0).normal(size=(6, 12, 12, 3)).astype("float32")
    plain = maps_of(method, model, x)
    flipped = maps_of(method, model, x[:, :, ::-1].copy())[:, :, ::-1]
    found = maps_of(tta(method, scales=()), model, x)
    np.testing.assert_allclose(found, (plain + flipped) / 2, rtol=1e-4, atol=1e-6)


def brightness(model, inputs, indices=None):
    """Return as a map the channels' mean, which moves with the input."""
    logits = gradients(model, inputs, indices)[0]
    return logits, keras.ops.mean(inputs, axis=-1, keepdims=True)


def pattern(model, inputs, indices=None):
    """Return a map that does not move with the input."""
    logits = gradients(model, inputs, indices)[0]
    rows, columns = np.indices(inputs.shape[1:3])
    one = (10 * rows + columns).astype("float32")[None, ..., None]
    return logits, keras.ops.array(one) * keras.ops.ones_like(inputs[..., :1])


def test_moved_maps_are_moved_back():
    x = np.random.default_rng(0).normal(size=(2, 8, 10, 3)).astype("float32")
    options = {"scales": (), "hflip": False, "shifts": (3, -2)}
    found = maps_of(tta(brightness, **options), any_size(), x, [[0], [1]])
    np.testing.assert_allclose(found, x.mean(axis=-1, keepdims=True), atol=1e-6)


def test_positions_that_were_moved_out_do_not_count():
    x = np.zeros((1, 4, 5, 3), "float32")
    method = tta(pattern, scales=(), hflip=False, shifts=(2, -1))
    found = maps_of(method, any_size(), x, [[0]])[0, ..., 0]
    one = np.add.outer(10 * np.arange(4), np.arange(5))
    for row, column in np.ndindex(4, 5):
        seen = [
            one[row + down, column + right]
            for down in (0, 2, -1)
            for right in (0, 2, -1)
            if 0 <= row + down < 4 and 0 <= column + right < 5
        ]
        np.testing.assert_allclose(found[row, column], np.mean(seen), rtol=1e-5)


def test_moved_signed_gradients_and_maps_of_layers(rng):
    """Channels are kept, and maps of layers are enlarged before they are moved."""
    model, x = any_size(), rng.normal(size=(2, 8, 10, 3)).astype("float32")
    options = {"scales": (), "hflip": False, "shifts": (1,)}
    units = [[0, 1], [2, 3]]
    assert maps_of(tta(SIGNED, **options), model, x, units).shape == (2, 8, 10, 3, 2)
    found = ke.explain(tta(cams.gradcam, **options), model, x, units, verbose=0)[1]
    assert found.shape == (2, 8, 10, 2)


def test_scaled_maps_have_the_size_of_the_input():
    model = any_size()
    x = np.random.default_rng(0).normal(size=(2, 8, 10, 3)).astype("float32")
    units = [[0, 1], [2, 3]]
    logits, maps = tta(SIGNED, scales=(0.5, 1.5, 1.0), hflip=False)(model, x, units)
    total = maps_of(SIGNED, model, x, units)
    for size in ((4, 5), (12, 15)):
        scaled = keras.ops.image.resize(x, size, data_format="channels_last")
        found = maps_of(SIGNED, model, scaled, units).reshape(2, *size, -1)
        back = keras.ops.image.resize(found, (8, 10), data_format="channels_last")
        total = total + numpy(back).reshape(total.shape)
    np.testing.assert_allclose(numpy(maps), total / 3, rtol=1e-3, atol=1e-6)
    clean = np.take_along_axis(numpy(model(x)), np.array(units), 1)
    np.testing.assert_allclose(numpy(logits), clean, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("lower", [True, False])
@pytest.mark.parametrize("method", [gradients, cams.gradcam])
def test_a_model_made_for_one_size_is_scaled_too(method, lower):
    """Its layers take any size, like those of most of `keras.applications`."""
    fixed, free = any_size((8, 8)), any_size()
    free.set_weights(fixed.get_weights())
    x = np.random.default_rng(0).normal(size=(2, 8, 8, 3)).astype("float32")
    found, expected = (
        ke.explain(tta(method), model, x, [[0], [1]], verbose=0, lower=lower)[1]
        for model in (fixed, free)
    )
    assert found.shape == (2, 8, 8, 1)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
    assert fixed.input_shape == (None, 8, 8, 3)


def test_scales_need_layers_of_any_size():
    with pytest.raises(ValueError, match=r"`scales` must be \(\).*'flatten"):
        tta(gradients)(linear(), X, UNITS)


def of_any_rank(rank):
    """A small network of signals, images or volumes (8, ...) with two channels."""
    inputs = keras.Input((*(8,) * rank, 2))
    x = getattr(layers, f"Conv{rank}D")(3, 3, activation="tanh")(inputs)
    x = getattr(layers, f"GlobalAveragePooling{rank}D")()(x)
    return keras.Model(inputs, layers.Dense(2)(x))


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_the_last_spatial_axis_is_flipped(rank):
    model = of_any_rank(rank)
    x = np.random.default_rng(0).normal(size=(1, *(8,) * rank, 2)).astype("float32")
    plain = maps_of(SIGNED, model, x, [[0]])
    back = maps_of(SIGNED, model, np.flip(x, rank).copy(), [[0]])
    found = maps_of(tta(SIGNED, scales=()), model, x, [[0]])
    np.testing.assert_allclose(
        found, (plain + np.flip(back, rank)) / 2, rtol=1e-4, atol=1e-6
    )


@pytest.mark.parametrize("rank", [1, 3])
def test_signals_and_volumes_are_scaled_along_all_axes(rank):
    model = of_any_rank(rank)
    x = np.ones((1, *(8,) * rank, 2), "float32")
    maps = maps_of(tta(gradients, scales=(1.5,)), model, x, [[0]])
    assert maps.shape == (1, *(8,) * rank, 1)
    np.testing.assert_allclose(maps, np.flip(maps, rank), rtol=1e-4, atol=1e-7)


def test_tables_have_nothing_to_flip():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(2)])
    with pytest.raises(ValueError, match="`x` must have spatial axes"):
        ke.explain(tta(gradients), model, np.ones((2, 4)), [[0], [1]], verbose=0)


def test_noisy_weights_of_a_linear_model():
    """The gradient is w (1 + sigma eps), whose moments are all known."""
    model, n, sigma = linear(), 400, 0.3
    weights = weights_of(model, UNITS)
    method = noise_grad(SIGNED, n, sigma, seed=0)
    logits, maps, stats = method(model, X, UNITS, return_stats=True)
    error = sigma * np.abs(weights) / np.sqrt(n)
    off = (numpy(maps) - weights) / error
    assert 0.7 < np.sqrt((off**2).mean()) < 1.3
    np.testing.assert_allclose(stats.std_error / error, 1, atol=0.2)
    clean = np.take_along_axis(numpy(model(X)), UNITS, 1)
    np.testing.assert_allclose(numpy(logits), clean, rtol=1e-4, atol=1e-5)


def test_zero_noise_equals_the_inner_method():
    model = network()
    x = np.random.default_rng(0).normal(size=(6, 12, 12, 3)).astype("float32")
    method = noise_grad(gradients, 2, 0.0, seed=0)
    np.testing.assert_allclose(
        maps_of(method, model, x), maps_of(gradients, model, x), rtol=1e-4, atol=1e-6
    )


def test_noise_is_not_rounded_under_a_policy_that_the_model_has_not():
    model = network()
    x = np.random.default_rng(0).normal(size=(6, 12, 12, 3)).astype("float32")
    expected, _ = noise_grad(gradients, 2, 0.3, seed=0)(model, x, UNITS)
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        found, maps = noise_grad(gradients, 2, 0.3, seed=0)(model, x, UNITS)
    finally:
        keras.config.set_dtype_policy(policy)
    np.testing.assert_allclose(numpy(found), numpy(expected), rtol=1e-6)
    wanted = maps_of(noise_grad(gradients, 2, 0.3, seed=0), model, x)
    np.testing.assert_allclose(numpy(maps), wanted, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("lower", [True, False])
def test_noise_on_weights_does_not_change_them(lower):
    model = network("softmax")
    x = np.random.default_rng(0).normal(size=(6, 12, 12, 3)).astype("float32")
    before = [numpy(weight).copy() for weight in model.variables]
    expected = model.predict(x, verbose=0)
    method = noise_grad(gradients, 3, 0.5, seed=0)
    first, again = (
        ke.explain(method, model, x, UNITS, verbose=0, lower=lower) for _ in range(2)
    )
    for weight, old in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(numpy(weight), old)
    np.testing.assert_allclose(model.predict(x, verbose=0), expected, rtol=1e-5)
    for one, other in zip(first, again, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


def test_no_noise_is_left_after_an_error():
    class StopError(Exception):
        pass

    def stop(done, total):
        raise StopError

    model = linear()
    method = noise_grad(SIGNED, 3, 0.5, seed=0)
    with pytest.raises(StopError):
        method(model, X, UNITS, progress=stop)
    logits, _ = method(model, X, UNITS)
    clean = np.take_along_axis(numpy(model(X)), UNITS, 1)
    np.testing.assert_allclose(numpy(logits), clean, rtol=1e-4, atol=1e-5)


def test_batch_norm_statistics_have_no_noise():
    """A negative factor would make the variance of a batch norm negative."""
    model = network()
    x = np.random.default_rng(0).normal(size=(6, 12, 12, 3)).astype("float32")
    assert np.isfinite(maps_of(noise_grad(gradients, 20, 2.0, seed=0), model, x)).all()


def test_only_what_training_changes_has_noise():
    frozen = layers.Dense(2)
    frozen.trainable = False
    normalized = [layers.BatchNormalization(), layers.Normalization(mean=0, variance=1)]
    nested = keras.Sequential([keras.Input((3, 2)), *normalized])
    on_frames = layers.TimeDistributed(layers.BatchNormalization())
    end = layers.SpectralNormalization(frozen)
    model = keras.Sequential([keras.Input((3, 2)), nested, on_frames, end])
    model(np.zeros((1, 3, 2)))
    found = [weight.name for weight in trained_weights([model])]
    assert sorted(found) == ["beta", "beta", "bias", "gamma", "gamma", "kernel"]


def test_fusion_grad_has_both_noises():
    model = linear()
    method = noise_grad(smooth(SIGNED, 2, 0.1, seed=0), 3, 0.2, seed=1)
    only_weights = noise_grad(SIGNED, 3, 0.2, seed=1)
    # The gradient of a linear model does not depend on the noise of the input.
    np.testing.assert_allclose(
        maps_of(method, model), maps_of(only_weights, model), rtol=1e-4, atol=1e-6
    )


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: tta(3), TypeError, "`method` must be callable"),
        (lambda: tta(gradients, scales=(0,)), ValueError, "`scales` must be finite"),
        (lambda: tta(gradients, shifts=3), TypeError, "`shifts` must be a list or"),
        (lambda: tta(gradients, shifts=(0.5,)), TypeError, "`shifts` must be an int"),
        (lambda: noise_grad(3), TypeError, "`method` must be callable"),
        (lambda: noise_grad(gradients, 0), ValueError, "`repetitions` must be at"),
        (lambda: noise_grad(gradients, 2, -1), ValueError, "`noise_level` must be"),
        (lambda: noise_grad(gradients, seed=-1), ValueError, "`seed` must be at"),
    ],
)
def test_errors(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_noise_on_weights_needs_a_model_with_known_layers():
    class Own(keras.Model):
        def call(self, x):
            return keras.ops.mean(x, axis=(1, 2))

    with pytest.raises(ValueError, match="weights, for noise on these; received Own"):
        noise_grad(gradients, 2)(Own(), X, [[0]] * len(X))
    bare = keras.Sequential([keras.Input((4, 4, 3)), layers.GlobalAveragePooling2D()])
    with pytest.raises(ValueError, match="received Sequential without any"):
        noise_grad(gradients, 2)(bare, X, [[0]] * len(X))


@pytest.mark.parametrize(
    ("front", "options"),
    [
        (layers.Cropping2D(((0, 0), (5, 0))), {"scales": ()}),
        (layers.ZeroPadding2D(((0, 6), (2, 0))), {"scales": ()}),
        (layers.Cropping2D(((2, 4), (5, 0))), {"scales": (2,), "hflip": False}),
    ],
    ids=["crop", "padding", "scaled"],
)
def test_maps_of_layers_that_see_a_part_are_moved_back_by_their_place(front, options):
    inputs = keras.Input((12, 12, 3))
    h = layers.Conv2D(4, 3, padding="same", activation="relu")(front(inputs))
    model = keras.Model(inputs, layers.Dense(5)(layers.GlobalAveragePooling2D()(h)))

    def own(x):
        given = {"postprocessing": None, "verbose": 0}
        return ke.hirescam(model, x, UNITS, **given).maps

    x = np.random.default_rng(0).normal(size=(6, 12, 12, 3)).astype("float32")
    found = ke.explain(tta(cams.hirescam, **options), model, x, UNITS, verbose=0).maps
    if options["scales"]:  # The crop is twice as large a part of the picture now.
        assert found.shape == own(x).shape
        assert not found[:, :1].any()
        assert found[:, 2:8, 5:].any(axis=(1, 2, 3)).all()
        return
    flipped = own(x[:, :, ::-1].copy())[:, :, ::-1]
    np.testing.assert_allclose(found, (own(x) + flipped) / 2, rtol=1e-4, atol=1e-6)
