"""Zero maps of tokens that nothing reads: the warning names a layer before them."""

import keras
import numpy as np
import pytest
from keras import layers
from support import transformers as vit

import keras_explainable as ke


@pytest.fixture(scope="module")
def x():
    return np.random.default_rng(0).normal(size=(2, 16, 24, 3)).astype("float32")


@pytest.mark.parametrize("lower", [True, False])
@pytest.mark.parametrize("layer", ["last_end", "last_middle"])
@pytest.mark.parametrize("method", [ke.gradcam, ke.hirescam])
def test_only_the_class_token_is_read_after_the_last_attention(method, layer, x, lower):
    model = vit.transformer()
    reason = f"tokens of '{layer}' .* class token.* `layer=None` shows 'first_end'"
    with pytest.warns(UserWarning, match=f"2 of 2 maps are zero .*{reason}"):
        method(model, x, [0, 1], layer=layer, lower=lower, verbose=0)


def test_without_another_layer_none_is_named(x):
    inputs = keras.Input((16, 24, 3))
    tokens = layers.Identity(name="all")(vit.embedded_by_convolution(inputs))
    model = keras.Model(inputs, layers.Dense(3)(tokens[:, 0] + 0 * tokens[:, 1]))
    with pytest.warns(UserWarning, match="maps are zero everywhere"):
        ke.gradcam(model, x, [0, 1], layer="all", verbose=0)


def test_tokens_that_are_read_have_another_reason(x):
    """All derivatives may be 0, as those of a dead ReLU after the tokens."""
    model = vit.transformer(head=vit.mean_token)
    kernel, bias = model.get_layer("units").get_weights()
    model.get_layer("units").set_weights([0 * kernel, bias])
    with pytest.warns(UserWarning, match="no gradient gets through 'units'"):
        ke.gradcam(model, x, [0, 1], layer="last_end", verbose=0)
