"""Models with a fixed batch size give the maps of the same model without one."""

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_explainable as ke

gradient, cams, meta = ke.methods.gradient, ke.methods.cams, ke.methods.meta

FEW = {"repetitions": 4, "noise_level": 0.2, "seed": 0}
METHODS = {
    "gradients": (gradient.gradients, {}),
    "guided": (gradient.guided_gradients, {}),
    "full": (gradient.full_gradients, {}),
    "integrated": (gradient.integrated_gradients, {"n_steps": 3}),
    "expected": (gradient.expected_gradients, {"repetitions": 3, "seed": 0}),
    "smooth": (meta.smooth(gradient.gradients, 3, seed=0), {}),
    "pairs": (meta.smooth(gradient.gradients, 4, seed=0, antithetic=True), {}),
    "noise_grad": (meta.noise_grad(gradient.gradients, 2, seed=0), {}),
    "tta": (meta.tta(gradient.gradients, scales=()), {}),
    "gradcam": (cams.gradcam, {}),
    "scorecam": (cams.scorecam, {}),
    "occlusion": (ke.methods.perturbation.occlusion, {}),
    "rise": (ke.methods.perturbation.rise, {"repetitions": 3, "seed": 0}),
    "sampled": (gradient.smooth_gradients, FEW),
}


def network(rows=None, needed=None):
    """Return a network; with ``needed``, an operation takes so many rows only."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input(batch_shape=(rows, 8, 8, 3))
    x = layers.Conv2D(4, 3, activation="relu")(inputs)
    x = ops.reshape(x, (needed or -1, 6 * 6 * 4))
    return keras.Model(inputs, layers.Dense(3, activation="softmax")(x))


def explained(name, model):
    method, params = METHODS[name]
    x = np.random.default_rng(0).normal(size=(2, 8, 8, 3)).astype("float32")
    params = {**params, "data": x} if name == "expected" else params
    return ke.explain(method, model, x, [0, 2], verbose=0, **params)


@pytest.mark.parametrize(
    ("name", "rows"), [*((name, 3) for name in METHODS), ("pairs", 1), ("gradcam", 1)]
)
def test_maps_are_those_without_a_fixed_batch(name, rows):
    found, expected = explained(name, network(rows, rows)), explained(name, network())
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("name", ["gradients", "gradcam", "sampled", "occlusion"])
def test_a_batch_size_that_only_an_operation_has(name):
    found, expected = explained(name, network(None, 3)), explained(name, network())
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("lower", [True, False])
def test_the_batch_size_asked_for_gives_way(lower, rng):
    x = rng.normal(size=(5, 8, 8, 3)).astype("float32")
    options = {"verbose": 0, "batch_size": 4, "logits": False, "lower": lower}
    found = ke.explain(gradient.gradients, network(2, 2), x, [0] * 5, **options)
    expected = ke.explain(gradient.gradients, network(), x, [0] * 5, **options)
    np.testing.assert_allclose(found[1], expected[1], rtol=1e-4, atol=1e-6)


def test_operations_that_take_any_number_of_rows_run_as_fast_as_ever():
    required = ke.inspection.logits_model(network(2)).required_rows
    assert required is None
    assert ke.inspection.logits_model(network(2, 2)).required_rows == 2


def test_slopes_of_a_fixed_batch_are_sampled(rng):
    x = rng.normal(size=(2, 8, 8, 3)).astype("float32")
    options = {**FEW, "verbose": 0}
    method = gradient.smooth_gradients
    with pytest.warns(UserWarning, match="works with a batch of 2 only"):
        found = ke.explain(
            method, network(2, 2), x, [0, 2], estimator="hybrid", **options
        )
    expected = ke.explain(method, network(), x, [0, 2], **options)
    np.testing.assert_allclose(found[1], expected[1], rtol=1e-3, atol=1e-5)
