"""The same relevance as LXT, by the authors of AttnLRP, on a block of a transformer."""

import keras
import numpy as np
import pytest
import torch
from keras import layers, ops
from lxt.explicit import functional as lrp
from lxt.explicit.rules import IdentityRule

import keras_explainable as ke

T, WIDTH, HEADS = 6, 8, 2
SMALL = 1e-9  # their epsilon


@pytest.fixture(scope="module")
def block():
    """A block with biases, and a linear classifier of the mean token."""
    keras.utils.set_random_seed(3)
    inputs = keras.Input((T, WIDTH))
    y = layers.LayerNormalization(name="norm_1")(inputs)
    mha = layers.MultiHeadAttention(HEADS, WIDTH // HEADS, name="attention")
    x = layers.Add()([inputs, mha(y, y)])
    y = layers.LayerNormalization(name="norm_2")(x)
    y = layers.Dense(WIDTH, name="narrow")(layers.Dense(12, "gelu", name="wide")(y))
    pooled = layers.GlobalAveragePooling1D()(layers.Add()([x, y]))
    model = keras.Model(inputs, layers.Dense(3, name="units")(pooled))
    rng = np.random.default_rng(0)
    for weight in model.weights:
        if "kernel" not in weight.name:
            weight.assign(weight + rng.normal(size=weight.shape, scale=0.2))
    return model


def test_lxt(block):
    x = np.random.default_rng(1).normal(size=(1, T, WIDTH)).astype("float32")
    options = {"channel_reduction": None, "verbose": 0}
    _, maps = ke.explain(ke.methods.gradient.attnlrp, block, x, [[1]], **options)
    tokens = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    units = their_block(block, tokens)
    start = torch.zeros_like(units)
    start[0, 1] = units[0, 1].detach()
    (expected,) = torch.autograd.grad(units, tokens, start)
    allowed = 1e-4 * expected.abs().max().item()
    np.testing.assert_allclose(maps[..., 0], expected.numpy(), 1e-3, allowed)


def their_block(model, x):
    def arrays(name):
        weights = model.get_layer(name).weights
        return [torch.tensor(ops.convert_to_numpy(w), dtype=x.dtype) for w in weights]

    def dense(x, kernel, bias):
        kernel = kernel.reshape(x.shape[-1], -1)
        return lrp.linear_epsilon(x, kernel.T, bias.reshape(-1), SMALL)

    def heads(x):
        return x.reshape(1, T, HEADS, -1).transpose(1, 2)

    q, k, v, out = zip(*[iter(arrays("attention"))] * 2, strict=True)
    y = lrp.layer_norm(x, *arrays("norm_1"), 1e-3)
    q, k, v = (heads(dense(y, *each)) for each in (q, k, v))
    scale = torch.tensor((WIDTH // HEADS) ** -0.5, dtype=x.dtype)
    scores = lrp.mul2(lrp.matmul(q, k.transpose(-1, -2)), scale)
    mixed = lrp.matmul(lrp.softmax(scores, -1), v)
    mixed = mixed.transpose(1, 2).reshape(1, T, WIDTH)
    x = lrp.add2(x, dense(mixed, *out))
    y = lrp.layer_norm(x, *arrays("norm_2"), 1e-3)
    y = IdentityRule(torch.nn.GELU())(dense(y, *arrays("wide")))
    x = lrp.add2(x, dense(y, *arrays("narrow")))
    return dense(lrp.mean(x, 1, False, SMALL), *arrays("units"))
