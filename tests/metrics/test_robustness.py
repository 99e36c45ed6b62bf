"""Robustness of methods whose maps change in a known way."""

import keras
import numpy as np
import pytest
from keras import ops
from support.attributions import UNITS, X
from support.small_models import linear, network, quadratic

from keras_explainable import targets
from keras_explainable.methods.gradient import gradients
from keras_explainable.methods.perturbation import rise
from keras_explainable.metrics import robustness
from keras_explainable.metrics.robustness import (
    avg_sensitivity,
    local_lipschitz_estimate,
    max_sensitivity,
)
from keras_explainable.network import output_units

METRICS = [max_sensitivity, avg_sensitivity, local_lipschitz_estimate]


def brightness(model, inputs, indices=None):
    """Return as a map three times the first channel of the input."""
    logits = output_units.gather_units(output_units.units_of(model, inputs), indices)
    return logits, ops.repeat(3 * inputs[..., :1], logits.shape[-1], axis=-1)


def ten_times(model, inputs, indices=None):
    logits, maps = brightness(model, inputs, indices)
    return logits, 10 * maps


@pytest.mark.parametrize("metric", METRICS)
def test_constant_maps_are_robust(metric):
    scores = metric(gradients, linear(), X, UNITS, draws=3, verbose=0)
    np.testing.assert_allclose(scores, 0, atol=1e-6)
    assert scores.shape == (6, 2)
    assert not metric.higher_is_better


def test_changes_of_a_linear_map_in_closed_form():
    options = {"radius": 0.1, "draws": 20, "verbose": 0}
    copies = robustness.NearCopies(linear(), X, None, 20, 0.1, 0)
    each = next(iter(copies))
    noise = copies.of(each) - X[each.image]
    norm = np.sqrt((noise[..., 0] ** 2).sum(axis=(1, 2)))
    ratio = 3 * norm / np.sqrt((noise**2).sum(axis=(1, 2, 3)))
    relative = norm / np.sqrt((X[each.image, ..., 0] ** 2).sum(axis=(1, 2)))
    first = each.image == 0  # All of its copies are in the first chunk.
    model = linear()
    for metric, wanted in [
        (max_sensitivity, relative[first].max()),
        (avg_sensitivity, relative[first].mean()),
        (local_lipschitz_estimate, ratio[first].max()),
    ]:
        scores = metric(brightness, model, X, UNITS, **options)
        np.testing.assert_allclose(scores[0], wanted, rtol=1e-3)


def test_noise_fills_its_range_and_no_more():
    copies = robustness.NearCopies(linear(), X, None, 10, 0.1, 0)
    for each in copies:
        noise = copies.of(each) - X[each.image]
        most = 0.1 * np.ptp(X.reshape(6, -1), axis=1)[each.image]
        largest = abs(noise).max(axis=(1, 2, 3))
        assert (largest <= most * 1.0001).all()
        assert (largest > most * 0.8).all()


def test_the_scale_of_maps_counts_for_the_lipschitz_estimate_only():
    options = {"draws": 2, "verbose": 0}
    model = linear()
    for metric in METRICS:
        one = metric(brightness, model, X, UNITS, **options)
        ten = metric(ten_times, model, X, UNITS, **options)
        factor = 10 if metric is local_lipschitz_estimate else 1
        np.testing.assert_allclose(ten, factor * one, rtol=1e-4)


def test_chunks_do_not_change_scores(monkeypatch):
    model, options = quadratic(), {"draws": 4, "verbose": 0}
    scores = max_sensitivity(gradients, model, X, UNITS, **options)
    assert (scores > 0).all()
    monkeypatch.setattr(robustness, "COPIES", 5)
    ids = [2, 4, 5]
    some = max_sensitivity(gradients, model, X[ids], UNITS[ids], ids=ids, **options)
    np.testing.assert_allclose(some, scores[ids], rtol=1e-3)
    other = max_sensitivity(gradients, model, X, UNITS, seed=1, **options)
    assert not np.allclose(other, scores)


def test_units_are_those_of_the_inputs():
    model, options = quadratic(), {"draws": 2, "verbose": 0, "radius": 1.0}
    best = np.argmax(ops.convert_to_numpy(model(X)), axis=1)
    top = max_sensitivity(gradients, model, X, "predicted", **options)
    known = max_sensitivity(gradients, model, X, best, **options)
    np.testing.assert_allclose(top, known)
    every = max_sensitivity(gradients, model, X, **options)
    target = targets.units(*range(5))
    same = max_sensitivity(gradients, model, X, target, **options)
    np.testing.assert_allclose(same, every, rtol=1e-4)
    np.testing.assert_allclose(every[range(6), best], known[:, 0], rtol=1e-4)


def test_a_method_that_draws_is_given_the_seed():
    options = {"draws": 2, "verbose": 0, "repetitions": 3, "radius": 0.0}
    scores = max_sensitivity(rise, linear(), X, UNITS, **options)
    np.testing.assert_allclose(scores, 0, atol=1e-5)
    assert np.isnan(local_lipschitz_estimate(rise, linear(), X, UNITS, **options)).all()


def test_parameters_of_explain_and_the_method_are_passed_on():
    options = {"draws": 2, "verbose": 0}
    x = np.random.default_rng(0).normal(size=(2, 12, 12, 3))
    one = max_sensitivity(gradients, network(), x, [0, 1], **options)
    signed = max_sensitivity(
        gradients, network(), x, [0, 1], gradient_filter=None, **options
    )
    assert not np.allclose(one, signed)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"x": iter([X])}, ValueError, r"`x` must be an array \(N, ...\)"),
        ({"x": {"a": X}}, ValueError, r"`x` must be an array \(N, ...\)"),
        ({"x": X[0, 0, 0]}, ValueError, r"`x` must be inputs \(N, ...\)"),
        ({"y": targets.reconstruction()}, ValueError, "a target without data"),
        ({"radius": -1}, ValueError, "`radius` must be"),
        ({"draws": 0}, ValueError, "`draws` must be at least 1"),
        ({"method": 3}, TypeError, "`method` must be"),
        ({"stepz": 3}, TypeError, "stepz"),
    ],
)
def test_errors(change, error, message):
    data = {"method": gradients, "model": linear(), "x": X, "y": UNITS}
    with pytest.raises(error, match=message):
        max_sensitivity(**{**data, **change}, verbose=0)


def test_progress_counts_copies(capsys):
    max_sensitivity(gradients, linear(), X, UNITS, draws=3)
    assert "/image - 18 copies" in capsys.readouterr().out


def test_hidden_steps_and_categories_stay(rng):
    """A padded sequence is as robust as the same one without its padding."""
    keras.utils.set_random_seed(0)
    layers = keras.layers
    first = [keras.Input((None, 3)), layers.Masking(-99.0)]
    model = keras.Sequential([*first, layers.LSTM(4), layers.Dense(2)])
    x = rng.normal(size=(1, 5, 3)).astype("float32")
    padded = np.concatenate([x, np.full((1, 3, 3), -99, "float32")], axis=1)
    copies = robustness.NearCopies(model, padded, None, 4, 0.1, 0)
    noise = copies.of(next(iter(copies))) - padded
    assert not noise[:, 5:].any()
    assert (abs(noise[:, :5]) <= 0.1001 * np.ptp(x)).all()
    assert noise[:, :5].all()
    inputs = keras.Input((3,))
    category = layers.Flatten()(ops.one_hot(ops.cast(inputs[:, :1], "int32"), 4))
    known = layers.Concatenate()([category, inputs[:, 1:]])
    table = keras.Model(inputs, layers.Dense(2)(known))
    rows = np.array([[2, 0.5, -0.5], [1, 3, 2]], "float32")
    noise = robustness.NearCopies(table, rows, None, 3, 0.1, 0)
    changes = noise.of(next(iter(noise)))[:, 0]
    np.testing.assert_array_equal(changes, np.repeat([2, 1], 3))


def test_tokens_are_refused():
    layers = keras.layers
    first = [keras.Input((6,), dtype="int32"), layers.Embedding(9, 4)]
    model = keras.Sequential([*first, layers.LSTM(4), layers.Dense(2)])
    with pytest.raises(ValueError, match="must have an input of real numbers"):
        max_sensitivity(gradients, model, np.ones((2, 6), "int32"), [0, 0])
