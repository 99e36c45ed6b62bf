"""Properties of all methods, called directly and through `ke.explain`."""

import inspect
from functools import partial

import keras
import numpy as np
import pytest
from support.small_models import CHANNELS, UNITS, network, numpy

import keras_explainable as ke
from keras_explainable.methods import cams, gradient, perturbation
from keras_explainable.methods.meta import noise_grad, smooth, tta

SIDE, K = 12, 2


def data(count=3, seed=0):
    shape = (count, SIDE, SIDE, CHANNELS)
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def units(count=3):
    return np.random.default_rng(1).integers(0, UNITS, (count, K))


OPTIONS = {
    "expected_gradients": {"data": data(4, seed=2), "repetitions": 6, "seed": 0},
    "integrated_gradients": {"n_steps": 64},
    "occlusion": {"size": 4},
    "rise": {"repetitions": 10, "seed": 0},
}
FEWER = {"integrated_gradients": {"n_steps": 4}, "rise": {"repetitions": 4}}
SHORTCUTS = (
    *("gradients", "input_x_gradient", "integrated_gradients", "expected_gradients"),
    *("guided_gradients", "full_gradients", "cam", "gradcam", "gradcampp", "hirescam"),
    *("layercam", "scorecam", "occlusion", "rise", "smoothgrad"),
    *("minmaxcam", "d_minmaxcam", "minmaxgradcam", "d_minmaxgradcam", "attnlrp"),
)
SIGNED = (*SHORTCUTS[1:4], "attnlrp", "occlusion")
METHODS = {
    name: getattr(module, name)
    for module in (gradient, cams, perturbation)
    for name in module.__all__
    if name != "completeness_gap"
}
META = {
    "smooth": partial(smooth, repetitions=2, seed=0),
    "tta": partial(tta, scales=(0.75,)),
    "noise_grad": partial(noise_grad, repetitions=2, seed=0),
}
NESTED = {
    "smooth(gradcam)": smooth(cams.gradcam, 3, seed=0),
    "smooth(guided_gradients)": smooth(gradient.guided_gradients, 3, seed=0),
    "tta(smooth(gradients))": tta(smooth(gradient.gradients, 3, seed=0), scales=()),
    "smooth(tta(gradients))": smooth(tta(gradient.gradients, scales=()), 3, seed=0),
    "noise_grad(gradcam)": noise_grad(cams.gradcam, 3, seed=0),
    "FusionGrad": noise_grad(smooth(gradient.gradients, 3, seed=0), 3, seed=0),
    "smooth(noise_grad(gradients))": smooth(
        noise_grad(gradient.gradients, 2, seed=0), 3, seed=0
    ),
}


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    return network("softmax")


def state(model):
    return [numpy(weight).copy() for weight in model.variables]


@pytest.mark.parametrize("name", SHORTCUTS)
def test_shortcuts_explain_an_ordinary_model(model, name):
    before = state(model)
    options = OPTIONS.get(name, {})
    if name == "smoothgrad":
        options = {"repetitions": 3}
    x, y = data(), units()
    logits, maps = getattr(ke, name)(model, x, y, verbose=0, batch_size=2, **options)
    clean = numpy(ke.inspection.logits_model(model)(x))
    np.testing.assert_allclose(
        logits, np.take_along_axis(clean, y, 1), rtol=1e-3, atol=1e-4
    )
    assert maps.shape == (3, SIDE, SIDE, K)
    assert (maps.min() < 0) == (name in SIGNED)
    assert np.abs(maps).max() == pytest.approx(1, abs=1e-3)
    for found, expected in zip(state(model), before, strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("name", METHODS)
def test_methods_and_explain_share_no_parameters(name):
    """`ke.explain` would not pass them on."""
    own = inspect.signature(METHODS[name]).parameters.keys()
    shared = {*own} & {*inspect.signature(ke.explain).parameters}
    assert shared <= {"model", "ids", "return_stats"}


@pytest.mark.parametrize("name", [*METHODS, *NESTED])
def test_methods_called_directly_agree_with_explain(model, name):
    method = METHODS.get(name) or NESTED[name]
    options, x, y = OPTIONS.get(name, {}), data(), units()
    logits, maps = ke.explain(method, model, x, y, resizing=None, verbose=0, **options)
    alone = ke.inspection.logits_model(model)
    expected = [numpy(part) for part in method(alone, x, y, **options)]
    np.testing.assert_allclose(logits, expected[0], rtol=1e-3, atol=1e-4)
    size = np.abs(expected[1]).max()
    assert size > 0
    # Rounding may open a ReLU at a point on a path.
    allowed = 0.03 if "integrated" in name else 2e-3
    np.testing.assert_allclose(maps, expected[1], rtol=1e-3, atol=allowed * size)


@pytest.mark.parametrize("name", [*METHODS, *NESTED])
def test_maps_do_not_depend_on_batches(model, name):
    method = METHODS.get(name) or NESTED[name]
    options, x, y = OPTIONS.get(name, {}), data(), units()
    _, together = ke.explain(method, model, x, y, verbose=0, **options)
    _, apart = ke.explain(method, model, x, y, verbose=0, batch_size=2, **options)
    size = np.abs(together).max()
    np.testing.assert_allclose(apart, together, rtol=1e-3, atol=2e-3 * size)


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("meta", META)
def test_every_method_in_every_meta_method(model, meta, name):
    options = OPTIONS.get(name, {}) | FEWER.get(name, {})
    wrap = META[meta]
    if (meta, name) == ("tta", "expected_gradients"):  # Its data have one size.
        wrap = partial(tta, scales=())
    method = wrap(partial(METHODS[name], **options))
    x, y, before = data(), units(), state(model)
    layers = [layer.__dict__.copy() for layer in model.layers]
    logits, maps = ke.explain(method, model, x, y, verbose=0)
    assert logits.shape == (3, K)
    assert (maps.shape[0], maps.shape[-1]) == (3, K)
    assert maps.dtype == logits.dtype == "float32"
    assert np.isfinite(maps).all()
    size = np.abs(maps).max()
    assert size > 0
    _, apart = ke.explain(method, model, x, y, verbose=0, batch_size=2)
    np.testing.assert_allclose(apart, maps, rtol=1e-3, atol=2e-3 * size)
    for found, expected in zip(state(model), before, strict=True):
        np.testing.assert_array_equal(found, expected)
    assert [layer.__dict__ for layer in model.layers] == layers


@pytest.mark.parametrize("name", ["expected_gradients", "rise"])
def test_sampling_methods_estimate_their_error(model, name):
    options = OPTIONS[name] | {"repetitions": 40}
    runs = [
        ke.explain(
            METHODS[name],
            model,
            data(),
            units(),
            verbose=0,
            return_stats=True,
            **(options | {"seed": seed}),
        )
        for seed in range(12)
    ]
    spread = np.var([maps for _, maps, _ in runs], axis=0, ddof=1).mean()
    claimed = np.mean([stats.std_error**2 for *_, stats in runs])
    assert 0.6 < claimed / spread < 1.6  # The runs are few, and pixels are correlated.
    assert (runs[0][2].repetitions == 40).all()


@pytest.mark.parametrize("name", ["integrated_gradients", "occlusion", "scorecam"])
def test_methods_that_do_not_sample_have_no_stats(model, name):
    with pytest.raises(ValueError, match="must be one that samples"):
        ke.explain(METHODS[name], model, data(), units(), return_stats=True)
