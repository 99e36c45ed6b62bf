"""MinMax-CAM and its variants, against their formulas in NumPy."""

import keras
import numpy as np
import pytest
from keras import layers
from support.small_models import numpy, randomize

import keras_explainable as ke
from keras_explainable.methods.cams import (
    cam,
    d_minmaxcam,
    d_minmaxgradcam,
    gradcam,
    minmaxcam,
    minmaxgradcam,
)

UNITS = 4
PLAIN = {"postprocessing": None, "resizing": False, "verbose": 0}


def network(flat=False, end=None):
    inputs = keras.Input((6, 6, 3))
    x = layers.Conv2D(5, 3, activation="relu", name="last")(inputs)
    x = layers.Flatten()(x) if flat else layers.GlobalAveragePooling2D()(x)
    model = keras.Model(inputs, layers.Dense(UNITS, activation=end, name="units")(x))
    randomize(model)
    return model


def centred(model, x):
    """Return the model with a bias that detects every unit in some images only."""
    bias = model.get_layer("units").bias
    bias.assign(numpy(bias) - numpy(model(x)).mean(axis=0))
    return model


@pytest.fixture
def x(rng):
    return rng.normal(size=(6, 6, 6, 3)).astype("float32")


def activations(model, x):
    return numpy(keras.Model(model.input, model.get_layer("last").output)(x))


def gradients_by_unit(model, shape):
    """Return df_u/dA for every unit, (units, h, w, C), where no layer is between."""
    kernel = numpy(model.get_layer("units").kernel)
    size = int(np.prod(shape[:2]))
    if kernel.shape[0] == shape[-1]:
        return np.broadcast_to(kernel.T[:, None, None] / size, (UNITS, *shape))
    return kernel.T.reshape(UNITS, *shape)


def contrasted(own, others, every, by_sign):
    if not by_sign:
        return own - others
    return np.maximum(own, 0) - np.maximum(others, 0) + np.minimum(every, 0)


def expected(model, x, logits, threshold, by_sign):
    """Return maps (B, h, w, units), with loops over images and units."""
    values = activations(model, x)
    gradients = gradients_by_unit(model, values.shape[1:])
    maps = np.zeros((*values.shape[:3], UNITS))
    for image, row in enumerate(logits):
        found = [u for u in range(UNITS) if 1 / (1 + np.exp(-row[u])) > threshold]
        zero = np.zeros_like(gradients[0])
        every = np.mean([gradients[v] for v in found] or [zero], axis=0)
        for unit in range(UNITS):
            rest = [gradients[v] for v in found if v != unit]
            others = np.mean(rest or [zero], axis=0)
            weights = contrasted(gradients[unit], others, every, by_sign)
            summed = (values[image] * weights.mean(axis=(0, 1))).sum(axis=-1)
            maps[image, ..., unit] = summed
    return maps


GRADIENTS = {minmaxgradcam: False, d_minmaxgradcam: True}
HEADS = {minmaxcam: False, d_minmaxcam: True}


@pytest.mark.parametrize("method", [*GRADIENTS, *HEADS])
@pytest.mark.parametrize("threshold", [0.5, 0.51])
def test_the_formula(method, threshold, x):
    model = centred(network(), x)
    logits = numpy(model(x))
    counts = (1 / (1 + np.exp(-logits)) > threshold).sum(axis=-1)
    assert len({*counts}) > 1  # Images with different numbers of detected units.
    found, maps = ke.explain(method, model, x, threshold=threshold, **PLAIN)
    by_sign = (GRADIENTS | HEADS)[method]
    scale = 16 if method in HEADS else 1  # Of weights, which are no derivatives.
    true = scale * expected(model, x, logits, threshold, by_sign)
    np.testing.assert_allclose(maps, true, rtol=1e-4, atol=1e-5 * np.abs(true).max())
    np.testing.assert_allclose(found, logits, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("method", GRADIENTS)
def test_signs_are_taken_position_by_position(method, x):
    model = centred(network(flat=True), x)
    logits = numpy(model(x))
    _, maps = ke.explain(method, model, x, layer="last", **PLAIN)
    true = expected(model, x, logits, 0.5, GRADIENTS[method])
    np.testing.assert_allclose(maps, true, rtol=1e-4, atol=1e-5 * np.abs(true).max())


@pytest.mark.parametrize(
    ("method", "alone"), [(minmaxcam, cam), (minmaxgradcam, gradcam)]
)
def test_without_other_detected_units_nothing_is_subtracted(method, alone, x):
    model = network()
    maps = ke.explain(method, model, x, threshold=1.0, **PLAIN)[1]
    np.testing.assert_allclose(
        maps, ke.explain(alone, model, x, **PLAIN)[1], 1e-4, 1e-6
    )


@pytest.mark.parametrize("method", [*GRADIENTS, *HEADS])
def test_chosen_units_have_the_maps_that_they_have_among_all(method, x):
    """Also of probabilities, whose logits decide which units are detected."""
    model = network(end="sigmoid")
    every = ke.explain(method, model, x, **PLAIN)[1]
    some = ke.explain(method, model, x, [[3, 0]] * 6, **PLAIN)[1]
    np.testing.assert_allclose(some, every[..., [3, 0]], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("method", GRADIENTS)
def test_probabilities_are_compared_with_the_threshold(method, x):
    """Each is sigmoid(logit), whose derivatives are those of logits times p (1 - p)."""
    model = centred(network(end="sigmoid"), x)
    logits = numpy(ke.inspection.logits_model(model)(x))
    maps = ke.explain(method, model, x, layer="last", logits=False, **PLAIN)[1]
    p = 1 / (1 + np.exp(-logits))
    kernel = numpy(model.get_layer("units").kernel)
    values = activations(model, x)
    true = np.zeros_like(maps)
    for image, row in enumerate(p):
        own = (row * (1 - row))[:, None] * kernel.T / values[0, ..., 0].size
        found = [u for u in range(UNITS) if row[u] > 0.5]
        for unit in range(UNITS):
            rest = [own[u] for u in found if u != unit] or [0 * own[0]]
            every = [own[u] for u in found] or [0 * own[0]]
            weights = contrasted(
                own[unit], np.mean(rest, 0), np.mean(every, 0), GRADIENTS[method]
            )
            true[image, ..., unit] = values[image] @ weights
    np.testing.assert_allclose(maps, true, rtol=1e-3, atol=1e-5 * np.abs(true).max())


def test_targets_have_no_other_units(x):
    with pytest.raises(ValueError, match="`y` must be units for a method that contr"):
        ke.minmaxgradcam(network(), x, ke.targets.units(1), verbose=0)


def test_heads_that_are_not_linear_are_refused(x):
    with pytest.raises(ValueError, match="linear function of the layer's global"):
        ke.minmaxcam(network(flat=True), x, layer="last", verbose=0)


@pytest.mark.parametrize("threshold", [-0.1, float("nan")])
def test_the_threshold_is_a_probability(threshold, x):
    with pytest.raises(ValueError, match="`threshold` must be finite and at least 0"):
        ke.minmaxcam(network(), x, threshold=threshold, verbose=0)
