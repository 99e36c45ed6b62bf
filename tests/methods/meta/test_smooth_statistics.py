"""`smooth`: statistics, standard errors, stopping, pairs, and ways to add the noise."""

import warnings
from functools import partial

import keras
import numpy as np
import pytest
from keras import layers, ops
from support.small_models import (
    CHANNELS,
    images,
    linear,
    numpy,
    quadratic,
    quadratic_gradients,
    some_units,
    weights_of,
)

import keras_explainable as ke
from keras_explainable.methods.gradient import gradients
from keras_explainable.methods.meta import smooth

SIGNED = partial(gradients, gradient_filter=None, channel_reduction=None)
SIGMA = 0.3
MANY = 2000


def run(model, method=SIGNED, repetitions=10, x=None, rows=48, **options):
    """Return the maps and stats of one call."""
    x = images() if x is None else x
    units = some_units(len(x))
    method = smooth(method, repetitions, **{"noise": SIGMA, "seed": 0, **options})
    _, maps, stats = method(model, x, units, rows=rows, return_stats=True)
    return numpy(maps), stats


def noise_of(model, count=6):
    """Return the standard deviation of one signed gradient of a quadratic model."""
    return 2 * np.abs(weights_of(model, some_units(count))) * SIGMA


@pytest.mark.parametrize("statistic", ["mean", "square", "variance"])
def test_statistics_of_a_quadratic_model(statistic):
    """Its gradient is 2 w (x + sigma eps): all moments are known."""
    model, x, count = quadratic(), images(24), 24
    maps, stats = run(model, repetitions=MANY, x=x, rows=192, statistic=statistic)
    mean = quadratic_gradients(model, x, some_units(count))
    variance = noise_of(model, count) ** 2
    known = {"mean": mean, "square": mean**2 + variance, "variance": variance}
    off = np.abs(maps - known[statistic]) / stats.std_error
    assert 0.9 < np.sqrt((off**2).mean()) < 1.1  # In standard errors.
    assert 0.93 < (off < 2).mean() < 0.975
    assert stats.relative_error.max() < 0.1


def test_square_and_variance_are_those_of_the_repetitions():
    model, count = quadratic(), 5
    each = [run(model, repetitions=1, start=number)[0] for number in range(count)]
    squares, _ = run(model, repetitions=count, statistic="square")
    variances, _ = run(model, repetitions=count, statistic="variance")
    np.testing.assert_allclose(squares, np.mean(np.square(each), axis=0), rtol=1e-4)
    expected = np.var(each, axis=0, ddof=1)
    np.testing.assert_allclose(variances, expected, rtol=1e-3, atol=1e-6)


def test_the_standard_error_of_the_mean_is_known():
    model = quadratic()
    _, stats = run(model, repetitions=400)
    ratio = stats.std_error / (noise_of(model) / np.sqrt(400))
    assert 0.95 < ratio.mean() < 1.05
    assert ratio.std() < 0.1
    size = np.linalg.norm(stats.maps.reshape(6, -1, 2), axis=1)
    error = np.linalg.norm(stats.std_error.reshape(6, -1, 2), axis=1)
    np.testing.assert_allclose(stats.relative_error, error / size, rtol=1e-4)


def test_requesting_stats_does_not_change_maps():
    model, x, units = quadratic(), images(), some_units()
    method = smooth(SIGNED, 7, SIGMA, seed=0)
    alone = [numpy(part) for part in method(model, x, units)]
    *both, stats = method(model, x, units, return_stats=True)
    for found, expected in zip(map(numpy, both), alone, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(stats.maps, alone[1], rtol=1e-5, atol=1e-6)


def test_score_drift_of_a_quadratic_model():
    """f(x + sigma eps) - f(x) has the mean sigma^2 sum w on a quadratic model."""
    model = quadratic()
    _, stats = run(model, repetitions=MANY)
    weights = weights_of(model, some_units())
    expected = SIGMA**2 * weights.sum(axis=(1, 2, 3))
    one = (
        2 * SIGMA * np.sqrt(((weights * images()[..., None]) ** 2).sum(axis=(1, 2, 3)))
    )
    assert (np.abs(stats.score_drift - expected) < 6 * one / np.sqrt(MANY) + 1e-4).all()


@pytest.mark.parametrize("weights", [[1.0, -1.0], [2.0]])
def test_flip_rate(weights):
    """f = (x, -x) or 2 x: the class flips whenever the noise is below -x."""
    inputs = keras.Input((1, 1, 1))
    dense = layers.Dense(len(weights), use_bias=False)
    model = keras.Model(inputs, dense(layers.Flatten()(inputs)))
    dense.set_weights([np.array([weights])])
    x = np.array([0.0001, 0.3, 3.0], "float32").reshape(3, 1, 1, 1)
    method = smooth(SIGNED, MANY, SIGMA, seed=0)
    *_, stats = method(model, x, [0] * 3, rows=300, return_stats=True)
    np.testing.assert_allclose(stats.flip_rate, [0.5, 0.159, 0], atol=0.03)
    *_, of_target = ke.explain(
        method, model, x, ke.targets.units(0), return_stats=True, verbose=0
    )
    assert np.isnan(of_target.flip_rate).all()


def test_custom_methods_have_stats():
    def own(model, inputs, indices=None):
        outputs = model(inputs, training=False)
        return ops.take_along_axis(outputs, indices, axis=-1), inputs[..., :1]

    _, stats = run(quadratic(), own)
    _, expected = run(quadratic())
    assert stats.flip_rate.shape == expected.flip_rate.shape == (6,)
    assert stats.std_error.shape == (*images().shape[:-1], 1)


def test_pairs_cancel_odd_functions_of_the_noise():
    model = quadratic()
    maps, stats = run(model, repetitions=2, antithetic=True)
    expected = quadratic_gradients(model, images(), some_units())
    np.testing.assert_allclose(maps, expected, rtol=1e-3, atol=1e-5)
    assert stats.repetitions.tolist() == [2] * 6
    assert stats.counts.tolist() == [1] * 6


def test_the_error_of_pairs_counts_pairs():
    """Absolute gradients of a quadratic model: the copies of a pair are dependent."""
    model, absolute = quadratic(), partial(gradients, channel_reduction=None)
    options = {"antithetic": True, "repetitions": 40}
    runs = [run(model, absolute, seed=seed, **options) for seed in range(60)]
    spread = np.std([maps for maps, _ in runs], axis=0)
    claimed = np.sqrt(np.mean([stats.std_error**2 for _, stats in runs], axis=0))
    assert 0.9 < (claimed**2).mean() / (spread**2).mean() < 1.1


def test_pairs_do_not_depend_on_the_number_of_rows():
    method = smooth(SIGNED, 6, SIGMA, seed=3, antithetic=True)
    model, x, units = quadratic(), images(), some_units()
    expected = numpy(method(model, x, units)[1])
    for rows in (1, 5, 8):
        maps = numpy(method(model, x, units, rows=rows)[1])
        np.testing.assert_allclose(maps, expected, rtol=1e-4, atol=1e-5)


def test_sigma_for_each_channel():
    model, sigma = quadratic(), np.linspace(0, 0.5, CHANNELS)
    _, stats = run(model, repetitions=300, noise=sigma.tolist())
    one = stats.std_error * np.sqrt(300) / (noise_of(model) / SIGMA)
    np.testing.assert_allclose(one.mean(axis=(0, 1, 2, 4)), sigma, rtol=0.1, atol=1e-6)
    np.testing.assert_allclose(stats.sigma, np.tile(sigma, (6, 1)), rtol=1e-6)


def test_levels_for_each_channel():
    levels = [0.1] * (CHANNELS - 1) + [0.4]
    x = images()
    method = smooth(SIGNED, 2, noise_level=levels, seed=0)
    *_, stats = method(quadratic(), x, some_units(), return_stats=True)
    spans = np.ptp(x.reshape(len(x), -1), axis=1)
    np.testing.assert_allclose(stats.sigma, spans[:, None] * levels, rtol=1e-5)


def test_noise_comes_before_preprocessing():
    """With inputs of 0 to 255 and a network that takes -1 to 1."""
    model, pixels = quadratic(), 127.5 * (images() + 1)
    *options, scale = {"noise": SIGMA * 127.5}, 127.5
    maps, stats = run(model, x=pixels, preprocess=lambda x: x / scale - 1, **options[0])
    expected, _ = run(model)
    np.testing.assert_allclose(maps, expected, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(stats.sigma, SIGMA * scale, rtol=1e-6)


def test_noise_is_clipped_to_the_range():
    seen = []

    def look(x):
        seen.append(numpy(x))
        return x

    run(linear(), x=np.clip(images(), -1, 1), clip=(-1, 1), preprocess=look, noise=3.0)
    noisy = np.concatenate(seen[1:])
    assert noisy.min() == -1
    assert noisy.max() == 1
    assert 0.3 < (np.abs(noisy) == 1).mean() < 0.95


def test_images_stop_when_they_have_converged():
    """In a quadratic model the relative error is sigma / |x| / sqrt(n)."""
    x = images(1) * np.array([0.25, 0.5, 1, 2], "float32")[:, None, None, None]
    _, stats = run(quadratic(), repetitions=1000, x=x, tolerance=0.06, rows=4)
    assert stats.relative_error.max() <= 0.06
    had = stats.repetitions
    assert (np.diff(had) < 0).all()
    assert had[0] < 1000
    np.testing.assert_allclose(had[0] / had[1], 4, rtol=0.5)


def test_repetitions_do_not_exceed_the_maximum():
    total = []
    method = smooth(SIGNED, 300, SIGMA, seed=0, tolerance=0.3)
    method(
        quadratic(),
        images(),
        some_units(),
        rows=12,
        progress=lambda done, of: total.append((done, of)),
    )
    assert total[-1][0] == total[-1][1] < 300 * 6
    assert [of for _, of in total] == sorted((of for _, of in total), reverse=True)


def test_missed_tolerance_warns_once_with_the_repetitions_needed():
    method = smooth(SIGNED, 10, SIGMA, seed=0, tolerance=0.05)
    parts = quadratic(), images(), some_units()
    with pytest.warns(
        UserWarning, match=r"6 of 6 images.*`tolerance` of 0.05"
    ) as caught:
        *_, stats = method(*parts, return_stats=True)
    text = next(
        str(each.message) for each in caught if "tolerance" in str(each.message)
    )
    needed = int(text.split("about ")[1].split()[0].replace(",", ""))
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        method(*parts)  # Once is enough.
    enough = smooth(SIGNED, 2 * needed, SIGMA, seed=0, tolerance=0.05)
    *_, stats = enough(*parts, rows=64, return_stats=True)
    assert needed / 2 < stats.repetitions.max() <= 2 * needed


def test_shortcuts_of_the_other_statistics():
    model, x, units = quadratic(), images(), some_units()
    options = {"repetitions": 20, "noise": SIGMA, "postprocessing": None, "verbose": 0}
    squares, variances = (
        shortcut(model, x, units, **options)[1]
        for shortcut in (ke.smoothgrad_squared, ke.vargrad)
    )
    for maps, statistic in (squares, "square"), (variances, "variance"):
        expected, _ = run(model, repetitions=20, statistic=statistic)
        np.testing.assert_allclose(maps, expected.mean(axis=-2), rtol=1e-3, atol=1e-6)
    *_, stats = ke.smoothgrad(
        model, x, units, tolerance=0.5, return_stats=True, **options
    )
    assert stats.relative_error.max() <= 0.5


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"statistic": "median"}, ValueError, "one of .*'variance'.*'median'"),
        ({"tolerance": -1}, ValueError, "`tolerance` must be"),
        ({"tolerance": "small"}, TypeError, "`tolerance` must be a number"),
        ({"start": -1}, ValueError, "`start` must be at least 0"),
        ({"clip": (1, 0)}, ValueError, r"`clip` must be \(lowest, highest\)"),
        ({"clip": 1}, ValueError, r"`clip` must be \(lowest, highest\)"),
        ({"antithetic": True, "repetitions": 3}, ValueError, "must be even"),
        ({"antithetic": True, "statistic": "variance"}, ValueError, "must be False"),
        ({"noise": [0.1, -1]}, ValueError, "`noise` must be finite"),
        ({"preprocess": 3}, TypeError, "`preprocess` must be callable"),
    ],
)
def test_errors_of_the_factory(options, error, message):
    with pytest.raises(error, match=message):
        smooth(SIGNED, **options)


def test_a_sigma_for_each_channel_needs_as_many_channels():
    method = smooth(SIGNED, 2, [0.1] * (CHANNELS + 1), seed=0)
    with pytest.raises(ValueError, match=f"one for each of the {CHANNELS} channels"):
        method(quadratic(), images(), some_units())


def test_the_class_of_a_single_probability_is_not_known():
    inputs = keras.Input((4,))
    logit = layers.Dense(1)(inputs)
    x = np.random.default_rng(0).normal(size=(5, 4)).astype("float32")
    rates = {}
    for name, end in {
        "logit": logit,
        "sigmoid": layers.Activation("sigmoid")(logit),
        "clipped": ops.clip(ops.sigmoid(logit), 0.01, 0.99),
    }.items():
        given = {"noise": 2.0, "repetitions": 20, "return_stats": True, "verbose": 0}
        model = keras.Model(inputs, end)
        rates[name] = ke.smoothgrad(model, x, **given).stats.flip_rate
    assert rates["logit"].any()
    np.testing.assert_array_equal(rates["sigmoid"], rates["logit"])
    assert np.isnan(rates["clipped"]).all()
