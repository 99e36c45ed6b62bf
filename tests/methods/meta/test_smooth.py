"""`smooth`: closed forms, properties of its noise, wrapped methods, and errors."""

import math
import warnings
from functools import partial

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops
from support.small_models import (
    images,
    linear,
    numpy,
    quadratic,
    quadratic_gradients,
    some_units,
    weights_of,
)

from keras_explainable.methods.gradient import gradients
from keras_explainable.methods.meta import smooth

SIGNED = partial(gradients, gradient_filter=None, channel_reduction=None)
SIGMA = 0.3


def maps_of(method, model, x, units, **params):
    return numpy(method(model, x, units, **params)[1])


def test_linear_model_gives_its_weights():
    model, x, units = linear(), images(), some_units()
    maps = maps_of(smooth(gradients, seed=0), model, x, units)
    expected = np.abs(weights_of(model, units)).mean(axis=-2)
    np.testing.assert_allclose(maps, expected, rtol=1e-5)


@pytest.mark.parametrize("repetitions", [10, 100, 1000])
def test_error_falls_with_the_root_of_repetitions(repetitions):
    """In a quadratic model, the error of each repetition is exactly 2 w sigma eps."""
    model, x, units = quadratic(), images(24), some_units(24)
    method = smooth(SIGNED, repetitions, SIGMA, seed=1)
    error = maps_of(method, model, x, units, rows=240)
    error -= quadratic_gradients(model, x, units)
    one = 2 * weights_of(model, units) * SIGMA
    relative = math.sqrt((error**2).sum() / (one**2).sum()) * math.sqrt(repetitions)
    assert 0.9 < relative < 1.1


def test_absolute_form_has_its_folded_normal_mean():
    model, x, units = quadratic(), images(), some_units()
    count = 2000
    maps = maps_of(
        smooth(partial(gradients, channel_reduction=None), count, SIGMA, seed=0),
        *(model, x, units),
        rows=600,
    )
    # The mean and the variance of |x + sigma eps|.
    erf = np.vectorize(math.erf)(x / (SIGMA * math.sqrt(2)))
    mean = SIGMA * math.sqrt(2 / math.pi) * np.exp(-(x**2) / (2 * SIGMA**2)) + x * erf
    deviation = np.sqrt(x**2 + SIGMA**2 - mean**2)
    scale = 2 * np.abs(weights_of(model, units))
    allowed = 5 * scale * deviation[..., None] / math.sqrt(count)
    assert (np.abs(maps - scale * mean[..., None]) < allowed + 1e-6).all()


def test_no_noise_equals_the_inner_method():
    model, x, units = quadratic(), images(), some_units()
    expected = maps_of(gradients, model, x, units)
    for method in (smooth(gradients, 3, 0), smooth(gradients, 3, noise_level=0.0)):
        np.testing.assert_allclose(
            maps_of(method, model, x, units), expected, rtol=1e-5
        )


def test_every_repetition_is_noisy():
    model, x, units = quadratic(), images(), some_units()
    one = maps_of(smooth(SIGNED, 1, SIGMA, seed=0), model, x, units)
    noise = (one - quadratic_gradients(model, x, units)) / 2 / weights_of(model, units)
    assert 0.8 * SIGMA < noise.std() < 1.2 * SIGMA


def test_logits_are_those_of_the_clean_input():
    model, x, units = quadratic(), images(), some_units()
    logits, _ = smooth(gradients, 5, 3.0, seed=0)(model, x, units)
    clean, _ = gradients(model, x, units)
    np.testing.assert_allclose(numpy(logits), numpy(clean), rtol=1e-5)


def test_noise_level_is_a_fraction_of_each_images_own_range():
    """A single repetition shows sigma; image 1 has ten times the range of image 0."""
    model, x = quadratic(), images(1).repeat(2, axis=0)
    x[1] *= 10
    units = np.zeros((2, 1), int)
    level = 0.2
    method = smooth(SIGNED, 1, noise_level=level, seed=0)
    maps = maps_of(method, model, x, units, ids=[0, 0])
    eps = (maps - quadratic_gradients(model, x, units)) / 2 / weights_of(model, units)
    sigma = level * np.array([np.ptp(x[0]), np.ptp(x[1])])
    eps /= sigma[:, None, None, None, None]
    np.testing.assert_allclose(eps[0], eps[1], atol=1e-3)
    assert 0.7 < eps.std() < 1.3


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 40), st.integers(1, 12), st.integers(0, 2**80))
def test_maps_do_not_depend_on_the_number_of_rows(rows, repetitions, seed):
    model, x, units = quadratic(), images(3), some_units(3)
    method = smooth(SIGNED, repetitions, SIGMA, seed=seed)
    expected = maps_of(method, model, x, units, rows=16)
    maps = maps_of(method, model, x, units, rows=rows)
    np.testing.assert_allclose(maps, expected, rtol=1e-5, atol=1e-6)


def test_maps_do_not_depend_on_other_images():
    model, x, units = quadratic(), images(), some_units()
    method = smooth(SIGNED, 7, SIGMA, seed=5)
    together = maps_of(method, model, x, units)
    for i in (0, 4):
        alone = maps_of(method, model, x[i : i + 1], units[i : i + 1], ids=[i])
        np.testing.assert_allclose(alone[0], together[i], rtol=1e-5, atol=1e-6)
    order = np.array([3, 1, 0, 5, 2, 4])
    shuffled = maps_of(method, model, x[order], units[order], ids=order)
    np.testing.assert_allclose(shuffled, together[order], rtol=1e-5, atol=1e-6)


def test_more_repetitions_continue_the_same_noise():
    model, x, units = quadratic(), images(24), some_units(24)
    ten, twenty = (
        maps_of(smooth(SIGNED, n, SIGMA, seed=0), model, x, units) for n in (10, 20)
    )
    later = 2 * twenty - ten  # The mean of repetitions 10 to 19.
    clean = quadratic_gradients(model, x, units)
    correlation = np.corrcoef((ten - clean).ravel(), (later - clean).ravel())[0, 1]
    assert abs(correlation) < 0.2


def test_seeds_images_and_repetitions_have_independent_noise():
    model, units = quadratic(), np.zeros((2, 1), int)
    x = images(1).repeat(2, axis=0)
    clean = quadratic_gradients(model, x, units)
    draws = [
        maps_of(smooth(SIGNED, 1, SIGMA, seed=seed), model, x, units) - clean
        for seed in (0, 1)
    ]
    flat = np.concatenate(draws).reshape(4, -1)
    off_diagonal = np.corrcoef(flat)[~np.eye(4, dtype=bool)]
    assert np.abs(off_diagonal).max() < 0.6  # 48 values: about 4 standard errors.


def test_without_a_seed_the_noise_is_fresh():
    model, x, units = quadratic(), images(), some_units()
    method = smooth(SIGNED, 2, SIGMA)
    first, second = (maps_of(method, model, x, units) for _ in range(2))
    assert not np.allclose(first, second)


def test_global_random_state_is_not_touched():
    np.random.seed(3)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    smooth(gradients, 2)(linear(), images(), some_units())
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_nested_smoothing_draws_independent_noise():
    """Variances add up, even though both levels have the same seed."""
    model, x, units = quadratic(), images(24), some_units(24)
    nested = smooth(smooth(SIGNED, 1, SIGMA, seed=0), 1, SIGMA, seed=0)
    error = maps_of(nested, model, x, units) - quadratic_gradients(model, x, units)
    noise = error / 2 / weights_of(model, units)
    assert noise.std() == pytest.approx(math.sqrt(2) * SIGMA, rel=0.1)
    assert nested.__name__ == "smooth(smooth(gradients))"


def test_any_method_is_averaged_as_it_is():
    def curious(model, inputs, indices=None, *, factor=1.0):
        """Return maps of another shape, which are not gradients."""
        maps = factor * ops.mean(inputs, axis=(1, 2))
        return ops.zeros_like(indices), maps

    model, x = linear(), images()
    logits, maps = smooth(curious, 500, 0.1, seed=0)(model, x, some_units(), factor=3.0)
    np.testing.assert_allclose(numpy(maps), 3 * x.mean(axis=(1, 2)), atol=0.02)
    assert logits.shape == (6, 2)


def test_progress_counts_rows():
    seen = []
    smooth(gradients, 5, seed=0)(
        linear(),
        images(3),
        some_units(3),
        rows=4,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert seen == [(4, 15), (8, 15), (12, 15), (15, 15)]


def test_no_more_rows_than_requested():
    sizes = set()

    def recorded(model, inputs, indices=None):
        sizes.add(inputs.shape[0])
        return gradients(model, inputs, indices)

    smooth(recorded, 9, seed=0)(linear(), images(), some_units(), rows=5)
    assert sizes == {5}
    sizes.clear()
    smooth(recorded, 2, seed=0)(linear(), images(), some_units(), rows=50)
    assert sizes == {12}


def test_negligible_noise_warns_once_with_the_reason():
    model, x, units = linear(), np.abs(images()) * 255, some_units()
    method = smooth(gradients, 2, noise=0.1)
    with pytest.warns(UserWarning, match=r"sigma is 0\.1, less than 0\.2%") as caught:
        method(model, x, units)
    ours = [warning for warning in caught if warning.category is UserWarning]
    assert len(ours) == 1
    assert "test_smooth" in ours[0].filename  # Points at the user's line.
    method(model, x, units)  # Warnings are errors here.


@pytest.mark.parametrize("params", [{"noise": 0.0}, {"noise_level": 0.01}])
def test_intended_noise_does_not_warn(params):
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        smooth(gradients, 2, **params)(linear(), images(), some_units())


def test_constant_image_has_no_range():
    model, x = quadratic(), np.ones((1, 4, 4, 3))
    with pytest.warns(UserWarning, match="equal in 1 of 1 samples"):
        maps = maps_of(smooth(SIGNED, 2, noise_level=0.1), model, x, [0])
    expected = quadratic_gradients(model, x, np.zeros((1, 1), int))
    np.testing.assert_allclose(maps, expected, rtol=1e-4)


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        (
            {"repetitions": 0},
            ValueError,
            "`repetitions` must be at least 1; received 0",
        ),
        ({"repetitions": 2.5}, TypeError, "`repetitions` must be an integer"),
        ({"repetitions": True}, TypeError, "`repetitions` must be an integer"),
        ({"noise": -0.1}, ValueError, "`noise` must be finite and at least 0"),
        ({"noise": float("nan")}, ValueError, "`noise` must be finite"),
        ({"noise": "big"}, TypeError, "`noise` must be a number"),
        ({"noise_level": -1}, ValueError, "`noise_level` must be"),
        ({"noise": 0.1, "noise_level": 0.1}, ValueError, "must not both be given"),
        ({"seed": -1}, ValueError, "`seed` must be at least 0"),
        ({"seed": 0.5}, TypeError, "`seed` must be an integer"),
        ({"method": "gradients"}, TypeError, "`method` must be a function such"),
    ],
)
def test_bad_parameters(params, error, message):
    with pytest.raises(error, match=message):
        smooth(**{"method": gradients, **params})


@pytest.mark.parametrize("ids", [[0], [0.5] * 6, [-2] * 6, "abcdef"])
def test_bad_ids(ids):
    with pytest.raises(ValueError, match="`ids` must be one integer >= 0 for each"):
        smooth(gradients)(linear(), images(), some_units(), ids=ids)


def test_unit_out_of_range():
    with pytest.raises(ValueError, match="received 7"):
        smooth(gradients)(linear(), images(), [7] * 6)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="tf.function")
@pytest.mark.parametrize("options", [{}, {"jit_compile": True}])
def test_wraps_a_tf_function(options):
    import tensorflow as tf

    model, x, units = quadratic(), images(), some_units()
    compiled = tf.function(gradients, reduce_retracing=True, **options)
    maps = maps_of(smooth(compiled, 4, SIGMA, seed=0), model, x, units)
    expected = maps_of(smooth(gradients, 4, SIGMA, seed=0), model, x, units)
    np.testing.assert_allclose(maps, expected, rtol=1e-4, atol=1e-6)
