"""AttnLRP: relevance by the paper's formulas, and what it conserves."""

import math

import keras
import numpy as np
import pytest
from keras import layers, ops
from support import transformers as vit

import keras_explainable as ke
from keras_explainable.methods.gradient import attnlrp

UNITS = [[0, 2], [1, 0]]


@pytest.fixture(autouse=True)
def seeded():
    keras.utils.set_random_seed(3)


@pytest.fixture
def x(rng):
    return rng.normal(size=(2, 16, 24, 3)).astype("f4")


def relevance(model, x, y=UNITS, method=attnlrp):
    choices = {"channel_reduction": None, "verbose": 0}
    return ke.explain(method, model, x, y, **choices)


def with_random_biases(model):
    """Return the model, whose constants are those of a trained one."""
    rng = np.random.default_rng(0)
    for weight in model.weights:
        if len(weight.shape) == 1 or "bias" in weight.name:
            weight.assign(weight + rng.normal(size=weight.shape, scale=0.2))
    return model


# Relevance R by the formulas of the paper, in NumPy: each function returns what its
# layer passes on, given what it reads and writes.


def of_sum(relevance, part, total):
    return relevance * part / total


def of_dense(relevance, x, kernel, bias):
    return x * (relevance / (x @ kernel + bias) @ kernel.T)


def of_product(relevance, a, b):
    ratio = relevance / (2 * (a @ b))
    return a * (ratio @ b.swapaxes(-1, -2)), b * (a.swapaxes(-1, -2) @ ratio)


def of_softmax(relevance, scores, probabilities):
    total = relevance.sum(-1, keepdims=True)
    return scores * (relevance - probabilities * total)


def of_layer_norm(relevance, x, gamma, beta):
    """The scale and gamma are passed by the identity; the rest is linear."""
    centred = x - x.mean(-1, keepdims=True)
    scale = gamma / np.sqrt(centred.var(-1, keepdims=True) + 1e-3)
    ratio = relevance * scale / (centred * scale + beta)
    return x * (ratio - ratio.mean(-1, keepdims=True))


def layer_norm(x, gamma, beta):
    centred = x - x.mean(-1, keepdims=True)
    return gamma * centred / np.sqrt(centred.var(-1, keepdims=True) + 1e-3) + beta


def apart(x):
    """Return (T, C) for each head, (heads, T, C / heads)."""
    return x.reshape(len(x), 2, -1).swapaxes(0, 1)


def joined(x):
    return x.swapaxes(0, 1).reshape(x.shape[1], -1)


def attention(x, w):
    q, k, v = (apart(x @ w[n] + w[f"{n}_bias"]) for n in "qkv")
    scores = q @ k.swapaxes(-1, -2) / np.sqrt(q.shape[-1])
    p = np.exp(scores - scores.max(-1, keepdims=True))
    p /= p.sum(-1, keepdims=True)
    return q, k, v, scores, p, joined(p @ v)


def of_attention(relevance, x, w):
    q, k, v, scores, p, mixed = attention(x, w)
    relevance = apart(of_dense(relevance, mixed, w["o"], w["o_bias"]))
    of_p, of_v = of_product(relevance, p, v)
    of_scores = of_softmax(of_p, scores, p)
    of_q, of_k = of_product(of_scores, q, k.swapaxes(-1, -2))
    parts = zip("qkv", (of_q, of_k.swapaxes(-1, -2), of_v), strict=True)
    return sum(of_dense(joined(r), x, w[n], w[f"{n}_bias"]) for n, r in parts)


def block_model(attention):
    """Return a block with norms, attention, GELU and residual connections."""
    inputs = keras.Input((6, vit.WIDTH))
    y = layers.LayerNormalization(name="norm1")(inputs)
    x = layers.Add()([inputs, attention(y)])
    y = layers.LayerNormalization(name="norm2")(x)
    y = layers.Dense(12, activation="gelu", name="wide")(y)
    x = layers.Add()([x, layers.Dense(vit.WIDTH, name="narrow")(y)])
    units = layers.Dense(3, name="units")(layers.GlobalAveragePooling1D()(x))
    return with_random_biases(keras.Model(inputs, units))


def weights_of(model):
    """Return the arrays of each layer; kernels and biases of the projections by letter.

    The projections are those of a MultiHeadAttention, or dense layers.
    """
    found = {layer.name: arrays_of(layer) for layer in model.layers if layer.weights}
    made = sorted(n for n in found if "attention" in n or "dense" in n)
    every = [x for name in sorted(made, key=number) for x in found[name]]
    wide = {}
    for letter, kernel, bias in zip("qkvo", every[::2], every[1::2], strict=True):
        wide |= {letter: kernel.reshape(vit.WIDTH, -1), f"{letter}_bias": bias.ravel()}
    return found, wide


def number(name):
    """Return the number of a layer's name, in the order in which layers are made."""
    return int(name.rpartition("_")[2]) if name[-1].isdigit() else 0


def arrays_of(layer):
    return [ops.convert_to_numpy(x).astype("f8") for x in layer.weights]


def expected_relevance(model, x, unit):
    """Return the relevance (T, C) of one input."""
    w, wide = weights_of(model)
    y = layer_norm(x, *w["norm1"])
    mixed = attention(y, wide)[-1] @ wide["o"] + wide["o_bias"]
    middle = x + mixed
    z = layer_norm(middle, *w["norm2"])
    before = z @ w["wide"][0] + w["wide"][1]
    after = before * (1 + np.vectorize(math.erf)(before / math.sqrt(2))) / 2
    narrow = after @ w["narrow"][0] + w["narrow"][1]
    last = middle + narrow
    mean, (kernel, bias) = last.mean(0), w["units"]
    found = np.zeros(3)
    found[unit] = mean @ kernel[:, unit] + bias[unit]
    of_mean = of_dense(found, mean, kernel, bias)
    of_last = of_mean * last / (len(x) * mean)
    of_narrow = of_dense(of_sum(of_last, narrow, last), after, *w["narrow"])
    of_middle = of_sum(of_last, middle, last)
    of_middle += of_layer_norm(of_dense(of_narrow, z, *w["wide"]), middle, *w["norm2"])
    of_mixed = of_attention(of_sum(of_middle, mixed, middle), y, wide)
    return of_sum(of_middle, x, middle) + of_layer_norm(of_mixed, x, *w["norm1"])


@pytest.mark.parametrize(
    "attention", [vit.attention_by_a_layer, vit.attention_by_operations]
)
def test_relevance_is_that_of_the_formulas(attention, rng):
    model, x = block_model(attention), rng.normal(size=(2, 6, vit.WIDTH))
    _, found = relevance(model, x.astype("f4"), [[1], [2]])
    for row, unit in enumerate((1, 2)):
        expected = expected_relevance(model, x[row], unit)
        allowed = 1e-4 * np.abs(expected).max()
        np.testing.assert_allclose(found[row, ..., 0], expected, 1e-3, allowed)


def linear_attention(x):
    """Return attention without a softmax."""
    q, k, v = (layers.Dense(vit.WIDTH, use_bias=False)(x) for _ in range(3))
    return ops.matmul(ops.matmul(q, ops.transpose(k, (0, 2, 1))), v)


def gated(x):
    """Return a gated layer, as in SwiGLU."""
    gate = layers.Dense(12, "silu", use_bias=False)(x)
    return layers.Multiply()([gate, layers.Dense(12, use_bias=False)(x)])


def divided(x):
    """Return a normalization made of operations."""
    return x / ops.sqrt(ops.mean(ops.square(x), -1, keepdims=True) + 1e-3)


def rescaled(x):
    return x * ops.rsqrt(ops.var(x, -1, keepdims=True) + 1e-3)


PARTS = {
    "linear attention": linear_attention,
    "gate": gated,
    "gate of its own": lambda x: ops.silu(x) * ops.sigmoid(x),
    "square": lambda x: ops.square(x) + x**3 + x * x,
    "divided": divided,
    "rescaled": rescaled,
    "layer norm": layers.LayerNormalization(center=False),
    "rms norm": layers.RMSNormalization(),
    "group norm": layers.GroupNormalization(2, center=False),
    "unit norm": layers.UnitNormalization(),
    "operations": lambda x: ops.layer_normalization(x) + ops.rms_normalization(x),
    "relu6": lambda x: ops.relu6(9 * x),
    "tanh": lambda x: layers.Dense(5, "tanh", use_bias=False)(x),
    "pooled": layers.MaxPooling1D(2),
}


@pytest.mark.parametrize("name", PARTS)
def test_what_takes_no_constant_conserves_relevance(name, rng):
    """Whatever passes on all of its relevance: maps add up to the output."""
    inputs = keras.Input((6, vit.WIDTH))
    y = PARTS[name](layers.Dense(vit.WIDTH, use_bias=False)(inputs))
    y = layers.Flatten()(layers.Dense(3, use_bias=False)(y))
    model = keras.Model(inputs, layers.Dense(2, use_bias=False)(y))
    x = rng.normal(size=(2, 6, vit.WIDTH)).astype("f4")
    logits, maps = relevance(model, x, [[0, 1]] * 2)
    allowed = 1e-4 * np.abs(maps).sum((1, 2)).max()
    np.testing.assert_allclose(maps.sum((1, 2)), logits, 1e-3, allowed)


def test_the_network_computes_the_same_and_is_not_changed(x):
    model = vit.transformer(attention=vit.attention_by_operations)
    before, expected = model.get_weights(), model.predict(x, verbose=0)
    logits, maps = ke.attnlrp(model, x, UNITS, verbose=0)
    assert maps.shape == (2, 16, 24, 2)
    assert -1 <= maps.min() < 0 < maps.max() <= 1
    np.testing.assert_allclose(
        logits, np.take_along_axis(expected, np.array(UNITS), 1), 1e-4, 1e-5
    )
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


class OwnBlock(layers.Layer):
    """A block in one layer, of operations and layers that Keras knows."""

    def build(self, shape):
        self.norm, self.attention = layers.LayerNormalization(), vit.Encoder()
        self.wide, self.narrow = layers.Dense(12), layers.Dense(shape[-1])
        for layer in (self.norm, self.attention, self.wide):
            layer.build(shape)
        self.narrow.build((*shape[:-1], 12))

    def call(self, x):
        return x + self.narrow(ops.gelu(self.wide(self.norm(self.attention(x)))))


def test_layers_of_the_user_are_opened(rng):
    """In one layer, the same as in a model inside the model, whose steps are known."""
    block = OwnBlock()
    inputs = keras.Input((6, vit.WIDTH))
    own = keras.Model(inputs, layers.Dense(2)(block(inputs)[:, 0]))
    y = block.attention.attention(inputs, inputs) + inputs
    y = block.narrow(ops.gelu(block.wide(block.norm(y))))
    steps = keras.Model(inputs, own.layers[-1]((inputs + y)[:, 0]))
    x = rng.normal(size=(2, 6, vit.WIDTH)).astype("f4")
    found, expected = (relevance(m, x, [[0, 1]] * 2)[1] for m in (own, steps))
    np.testing.assert_allclose(found, expected, 1e-3, 1e-5)


@keras.saving.register_keras_serializable("tests")
class OwnSquare(layers.Layer):
    """A layer whose operations Keras does not know."""

    def call(self, x):
        return ops.convert_to_tensor(ops.convert_to_numpy(x) ** 2)

    def compute_output_shape(self, shape):
        return shape


def test_layers_that_cannot_be_opened_are_named(x):
    inputs = keras.Input((4,))
    y = OwnSquare(name="square")(layers.Dense(4)(inputs))
    with pytest.raises(ValueError, match=r"What the layers \['square'\] compute"):
        ke.attnlrp(keras.Model(inputs, y), x[:, 0, :4, 0], [[0]] * 2, verbose=0)


def test_subclassed_models_are_refused(x):
    class Own(keras.Model):
        def call(self, x):
            return x

    with pytest.raises(
        ValueError, match=r"must be Functional or Sequential .*'attnlrp'"
    ):
        ke.attnlrp(Own(), np.ones((1, 4), "f4"), [[0]], verbose=0)


def masked(h):
    mask = ops.cast(ops.any(h > 0, axis=-1, keepdims=True), "float32")
    return ops.sum(h * mask, axis=1) / (1 + ops.sum(mask, axis=1))


def routed(h):
    chosen = ops.one_hot(ops.argmax(h, axis=-1), h.shape[-1])
    return ops.sum(ops.stop_gradient(ops.sigmoid(h)) * chosen * h, axis=1)


@pytest.mark.parametrize("join", [masked, routed])
def test_choices_take_no_relevance(join, rng):
    inputs = keras.Input((6, 4))
    model = keras.Model(inputs, layers.Dense(3, use_bias=False)(join(inputs)))
    x = rng.normal(size=(2, 6, 4)).astype("float32")
    found = ke.explain(attnlrp, model, x, [[0], [1]], verbose=0)
    np.testing.assert_allclose(found.maps.sum(1), found.logits, rtol=1e-4)


def test_rules_hold_on_frames(rng):
    """A network on each frame is that on rows, put together."""
    block = [keras.Input((6, 4)), layers.Dense(4, activation="gelu", use_bias=False)]
    block += [layers.LayerNormalization(center=False), layers.Flatten()]
    frame = keras.Sequential(block)
    inputs, last = keras.Input((3, 6, 4)), layers.Dense(2, use_bias=False)
    on_frames = layers.Flatten()(layers.TimeDistributed(frame)(inputs))
    parts = [frame(inputs[:, n]) for n in range(3)]
    apart = keras.Model(inputs, last(layers.Concatenate()(parts)))
    together = keras.Model(inputs, last(on_frames))
    x = rng.normal(size=(2, 3, 6, 4)).astype("float32")
    found, expected = (
        ke.explain(attnlrp, model, x, [[0], [1]], verbose=0).maps
        for model in (together, apart)
    )
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-6)
