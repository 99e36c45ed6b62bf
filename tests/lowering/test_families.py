"""The model families of `keras.applications`, with random weights."""

import keras
import numpy as np
import pytest
from keras import ops
from support.model_equality import SIGNED, count, distances
from support.small_models import numpy

import keras_explainable as ke
from keras_explainable.execution.compilation import call_method
from keras_explainable.lowering import lower
from keras_explainable.network import output_units

#: The smallest side of the input and the backends that test the family. Most are tested
#: on torch only, which compiles nothing.
EVERYWHERE, TORCH = ("tensorflow", "torch", "jax"), ("torch",)
BOTH, TENSORFLOW = ("tensorflow", "torch"), ("tensorflow",)
FAMILIES = {
    "MobileNet": (32, EVERYWHERE),
    "MobileNetV2": (32, EVERYWHERE),
    "MobileNetV3Small": (32, TORCH),
    "ResNet50": (32, TORCH),
    "ResNet50V2": (32, BOTH),
    "Xception": (71, TORCH),
    "EfficientNetB0": (32, BOTH),
    "EfficientNetV2B0": (32, TORCH),
    "VGG16": (32, TORCH),
    "ConvNeXtTiny": (32, BOTH),
    "DenseNet121": (32, TORCH),
    "InceptionV3": (75, TORCH),
    "InceptionResNetV2": (75, TORCH),
    "NASNetMobile": (32, TENSORFLOW),
}
EXPLAINED = ["MobileNet", "MobileNetV2"]


def randomize_all(model):
    """Set weights for which every layer affects the outputs, so that errors show."""
    rng = np.random.default_rng(0)
    for variable in model.variables:
        spread = 1.4 / np.sqrt(np.prod(variable.shape[:-1]) or 1)
        if "int" in variable.dtype:
            continue
        noise = rng.normal(scale=min(spread, 0.2), size=variable.shape)
        is_scale = "variance" in variable.path or "gamma" in variable.path
        variable.assign(abs(1 + noise) if is_scale else noise)


def case(name):
    side, backends = FAMILIES[name]
    if keras.backend.backend() not in backends:
        pytest.skip("tested on other backends")
    family = getattr(keras.applications, name)
    model = family(
        weights=None, include_top=False, pooling="avg", input_shape=(side, side, 3)
    )
    x = np.random.default_rng(0).uniform(0, 255, (2, side, side, 3)).astype("float32")
    x = x if any("escaling" in layer.name for layer in model.layers) else x / 127.5 - 1
    randomize_all(model)
    return model, ops.convert_to_tensor(x)


def assert_explained(model, x):
    """Explain with a gradient method and with a class activation map."""
    for explain in (ke.gradients, ke.gradcam):
        logits, maps = explain(model, x, "predicted", verbose=0)
        assert logits.shape == (2, 1)
        assert maps.shape == (*x.shape[:3], 1)
        assert np.isfinite(maps).all()
        if explain is ke.gradients:  # No map is constant.
            np.testing.assert_allclose(np.ptp(maps, axis=(1, 2)), 1, rtol=1e-5)


@pytest.mark.parametrize("name", FAMILIES)
def test_outputs(name):
    model, x = case(name)
    lowered = lower(model)
    assert not count(lowered, keras.layers.Dropout, keras.Sequential)
    found, expected = (
        numpy(output_units.forward(each, x, 2)) for each in (lowered, model)
    )
    assert expected.std() > 1e-6
    error = np.linalg.norm(found - expected) / np.linalg.norm(expected)
    assert error < 1e-4
    if keras.backend.backend() == "torch":
        assert_explained(model, x)
    if name not in EXPLAINED:
        return
    chosen = ops.convert_to_tensor([[0], [1]])
    maps = [numpy(call_method(SIGNED, m, x, chosen, {})[1]) for m in (lowered, model)]
    assert distances(*maps).max() < 1e-3
