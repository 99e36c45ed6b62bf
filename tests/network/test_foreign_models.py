"""Models of Keras 2 and PyTorch are refused by name; functions are explained."""

from functools import partial

import keras
import numpy as np
import pytest
from keras import layers
from support.small_models import images, linear

import keras_explainable as ke
from keras_explainable.methods import cams, gradient, meta, perturbation

X, Y = images(2), [0, 1]


def defined_in(module):
    """Return an object whose class derives from one defined in a module."""

    def call(self, inputs, training=False):
        raise AssertionError("it must not run")

    base = type("Model", (), {"__module__": module, "__call__": call})
    return type("Mine", (base,), {})()


#: Where the classes of Keras 2 are defined, by its releases.
KERAS_2 = {
    "tf_keras.src.engine.training": "tf_keras",
    "tensorflow.python.keras.engine.training": "tensorflow.python.keras",
    "keras.engine.training": "keras.engine",
    "keras.src.engine.base_layer": "keras.src.engine",
}

WAYS = {
    "explain": partial(ke.gradients, verbose=0),
    "smoothgrad": partial(ke.smoothgrad, verbose=0),
    "gradients": gradient.gradients,
    "full_gradients": gradient.full_gradients,
    "guided_gradients": gradient.guided_gradients,
    "smooth": meta.smooth(gradient.gradients),
    "noise_grad": meta.noise_grad(gradient.gradients),
    "tta": meta.tta(gradient.gradients),
    "cam": cams.cam,
    "gradcam": cams.gradcam,
    "rise": perturbation.rise,
    "logits_model": lambda model, *_: ke.inspection.logits_model(model),
    "expose": lambda model, *_: ke.inspection.expose(model),
    "token_grid": lambda model, *_: ke.inspection.token_grid(model),
    "lower": lambda model, *_: ke.lowering.lower(model),
}


@pytest.mark.parametrize("module", KERAS_2)
@pytest.mark.parametrize("way", WAYS)
def test_models_of_keras_2_are_refused_by_the_name_of_the_package(module, way):
    message = rf"`model` must be a Keras 3 .* a Mine of {KERAS_2[module]}, .*load_model"
    with pytest.raises(TypeError, match=message):
        WAYS[way](defined_in(module), X, Y)


@pytest.mark.parametrize("way", WAYS)
def test_modules_of_pytorch_are_to_be_wrapped(way):
    torch = pytest.importorskip("torch")
    with pytest.raises(TypeError, match=r"a Linear of PyTorch.*TorchModuleWrapper"):
        WAYS[way](torch.nn.Linear(3, 5), X, Y)


@pytest.mark.skipif(keras.backend.backend() != "torch", reason="wraps a torch module")
@pytest.mark.parametrize("shape", [(None, 5), None])
def test_a_wrapped_module_is_explained(shape):
    """Without its shape, Keras knows a Sequential model's inputs no more."""
    torch = pytest.importorskip("torch")
    module = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(48, 5))
    wrapper = layers.TorchModuleWrapper(module, output_shape=shape)
    model = keras.Sequential(
        [keras.Input((4, 4, 3)), layers.Permute((3, 1, 2)), wrapper]
    )
    logits, maps = ke.explain(gradient.gradients, model, X, Y, verbose=0)
    weights = np.abs(module[1].weight.detach().numpy()[Y]).reshape(2, 3, 4, 4)
    np.testing.assert_allclose(maps[..., 0], weights.mean(axis=1), rtol=1e-4)
    assert logits.shape == (2, 1)


def test_functions_are_explained():
    model = linear()

    class Callable:
        def __call__(self, inputs, training=False):
            return model(inputs)

    expected = ke.gradients(model, X, Y, verbose=0)
    for function in (Callable(), lambda inputs, training=False: model(inputs)):
        found = ke.gradients(function, X, Y, verbose=0)
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
