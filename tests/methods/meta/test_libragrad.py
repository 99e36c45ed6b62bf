"""LibraGrad: balanced gradients, with which full gradients add up."""

from functools import partial

import keras
import numpy as np
import pytest
from keras import layers, ops
from support import transformers as vit

import keras_explainable as ke
from keras_explainable.methods import cams, gradient
from keras_explainable.methods.meta import libragrad, noise_grad, smooth, tta

BOTH = [[0, 1]] * 2
SIGNED = partial(
    gradient.gradients, gradient_filter=None, channel_reduction=None
)  # (B, ..., C, K)


@pytest.fixture(autouse=True)
def seeded():
    keras.utils.set_random_seed(3)


def gated(x):
    """Return a gated layer, as in SwiGLU."""
    gate = layers.Dense(12, "silu", use_bias=False)(x)
    return layers.Multiply()([gate, layers.Dense(vit.WIDTH + 4, use_bias=False)(x)])


def with_constants(attention):
    """Return a network that takes what its layers add as a second input."""
    tokens = keras.Input((6, vit.WIDTH), name="tokens")
    constants = keras.Input((6, vit.WIDTH), name="constants")
    x = layers.Add()([tokens, constants])
    y = layers.LayerNormalization(center=False)(x)
    x = layers.Add()([x, attention(y)])
    y = layers.RMSNormalization()(layers.Add()([x, constants]))
    y = layers.Dense(12, "gelu", use_bias=False)(gated(y))
    x = layers.Add()([x, layers.Dense(vit.WIDTH, use_bias=False)(y), constants])
    units = layers.Dense(2, use_bias=False)(layers.GlobalAveragePooling1D()(x))
    return keras.Model({"tokens": tokens, "constants": constants}, units)


@pytest.mark.parametrize(
    "attention", [vit.attention_by_a_layer, vit.attention_by_operations]
)
def test_inputs_and_constants_add_up_to_the_output(attention, rng):
    model = with_constants(attention)
    shape = (2, 6, vit.WIDTH)
    x = {name: rng.normal(size=shape).astype("f4") for name in ("tokens", "constants")}
    methods = libragrad(gradient.input_x_gradient), gradient.input_x_gradient
    gaps = []
    for method in methods:
        logits, maps = ke.explain(method, model, x, BOTH, verbose=0)
        total = sum(each.sum(1) for each in maps.values())
        gaps.append(np.abs(total - logits).max())
    assert gaps[0] < 1e-4 < gaps[1]


def transformer_block(x, w, fixed=None):
    """Return a block's output, and the factors that are fixed: p, the scale, gates."""
    centred = x - x.mean(-1, keepdims=True)
    found = [1 / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-3)]
    y = centred * (found[0] if fixed is None else fixed[0])
    q, k, v = (y @ w[n] for n in "qkv")
    scores = np.exp(q @ k.T / np.sqrt(vit.WIDTH))
    found.append(scores / scores.sum(-1, keepdims=True))
    x = x + (found[1] if fixed is None else fixed[1]) @ v
    z = x @ w["up"]
    found.append(1 / (1 + np.exp(-z)))  # SiLU: z times this.
    z = z * (found[2] if fixed is None else fixed[2])
    return (z @ w["down"]).mean(0), found


def test_gradients_are_those_of_the_network_with_fixed_factors(rng):
    dense = partial(layers.Dense, use_bias=False)
    inputs = keras.Input((6, vit.WIDTH))
    y = layers.LayerNormalization(center=False, scale=False)(inputs)
    q, k, v = (dense(vit.WIDTH, name=n)(y) for n in "qkv")
    scores = ops.matmul(q, ops.transpose(k, (0, 2, 1))) / np.sqrt(vit.WIDTH)
    x = inputs + ops.matmul(ops.softmax(scores), v)
    y = dense(3, name="down")(dense(12, "silu", name="up")(x))
    model = keras.Model(inputs, layers.GlobalAveragePooling1D()(y))
    w = {n: ops.convert_to_numpy(model.get_layer(n).kernel) for n in (*"qkv", "up")}
    w["down"] = ops.convert_to_numpy(model.get_layer("down").kernel)

    x = rng.normal(size=(1, 6, vit.WIDTH)).astype("f4")
    _, maps = ke.explain(libragrad(SIGNED), model, x, [[0, 1, 2]], verbose=0)
    outputs, fixed = transformer_block(x[0], w)
    np.testing.assert_allclose(outputs, model.predict(x, verbose=0)[0], 1e-4, 1e-5)
    basis = np.eye(6 * vit.WIDTH).reshape(-1, 6, vit.WIDTH)
    slopes = np.stack([transformer_block(one, w, fixed)[0] for one in basis])
    expected = slopes.reshape(6, vit.WIDTH, 3)
    np.testing.assert_allclose(maps[0], expected, 1e-3, 1e-5)


def test_full_gradients_add_up_through_norms_and_gelus(rng):
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, padding="same", bias_initializer="normal")(inputs)
    x = layers.LayerNormalization(beta_initializer="normal")(x)
    x = layers.Conv2D(6, 1, activation="gelu", bias_initializer="normal")(x)
    pooled = layers.GlobalAveragePooling2D()(x)
    model = keras.Model(inputs, layers.Dense(2, use_bias=False)(pooled))
    x = rng.normal(size=(2, 8, 8, 3)).astype("f4")
    full = partial(gradient.full_gradients, psi=None)
    gaps = []
    for method in (libragrad(full), full):
        logits, maps = ke.explain(method, model, x, BOTH, verbose=0)
        gaps.append(np.abs(maps.sum((1, 2)) - logits).max())
    assert gaps[0] < 1e-4 < gaps[1]


@pytest.mark.parametrize(
    "wrap",
    [
        lambda method: smooth(libragrad(method), 2, 0.0),
        lambda method: libragrad(smooth(method, 2, 0.0)),
        lambda method: tta(libragrad(method), scales=(), hflip=False),
        lambda method: noise_grad(libragrad(method), 2, 0.0),
    ],
    ids=["smooth", "of smooth", "tta", "noise_grad"],
)
def test_meta_methods_around_and_inside(wrap, rng):
    x, model = rng.normal(size=(2, 16, 24, 3)).astype("f4"), vit.transformer()
    options = {"resizing": None, "verbose": 0}
    for method in (gradient.gradients, cams.gradcam):
        _, expected = ke.explain(libragrad(method), model, x, BOTH, **options)
        _, found = ke.explain(wrap(method), model, x, BOTH, **options)
        allowed = 1e-4 * np.abs(expected).max()
        np.testing.assert_allclose(found, expected, 1e-3, allowed)


def test_estimators_that_approximate_derivatives_are_refused(rng):
    x = rng.normal(size=(1, 16, 24, 3)).astype("f4")
    method = libragrad(partial(gradient.smooth_gradients, estimator="slopes"))
    with pytest.raises(ValueError, match="`estimator` must be 'sampled'"):
        ke.explain(method, vit.transformer(), x, [[0]], noise_level=0.1, verbose=0)


@pytest.mark.parametrize("layer", ["bent", "nested", "inside"])
def test_layers_of_class_activation_maps_are_named_as_in_the_model(layer, rng):
    """What comes behind the layer is linear, and has no rules."""
    keras.utils.set_random_seed(0)
    inside = layers.Conv2D(4, 3, activation="gelu", name="inside")
    nested = keras.Sequential([keras.Input((10, 10, 4)), inside], name="nested")
    inputs = keras.Input((12, 12, 3))
    h = nested(layers.Conv2D(4, 3, activation="gelu", name="first")(inputs))
    h = h if layer != "bent" else layers.Conv2D(4, 1, activation="gelu", name="bent")(h)
    pooled = layers.GlobalAveragePooling2D()(h)
    model = keras.Model(inputs, layers.Dense(2)(pooled))
    x = rng.uniform(size=(2, 12, 12, 3)).astype("float32")
    plain = ke.methods.cams.hirescam
    found, expected = (
        ke.explain(method, model, x, [0, 1], layer=layer, verbose=0).maps
        for method in (ke.methods.meta.libragrad(plain), plain)
    )
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize(
    "between",
    [
        layers.GaussianDropout(0.3),
        layers.AlphaDropout(0.3),
        layers.Activation("linear"),
    ],
    ids=lambda layer: layer.name,
)
def test_layers_between_softmax_and_product_change_nothing(between, rng):
    def build(between):
        keras.utils.set_random_seed(0)
        inputs = keras.Input((6, 4))
        q, k, v = (layers.Dense(4)(inputs) for _ in range(3))
        scores = ops.softmax(ops.matmul(q, ops.transpose(k, (0, 2, 1))))
        mixed = ops.matmul(between(scores), v)
        return keras.Model(inputs, layers.Dense(3)(layers.Flatten()(mixed)))

    x = rng.normal(size=(2, 6, 4)).astype("f4")
    model, plain = build(between), build(lambda scores: scores)
    for one, other in zip(
        model.trainable_variables, plain.trainable_variables, strict=True
    ):
        one.assign(other)
    _, expected = ke.explain(libragrad(SIGNED), plain, x, BOTH, verbose=0)
    _, found = ke.explain(libragrad(SIGNED), model, x, BOTH, verbose=0)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def with_dropout(rate):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((6, 4))
    attended = layers.MultiHeadAttention(2, 3, dropout=rate)(inputs, inputs)
    pooled = layers.GlobalAveragePooling1D()(layers.Add()([inputs, attended]))
    return keras.Model(inputs, layers.Dense(3)(pooled))


@pytest.mark.parametrize("lower", [True, False])
def test_dropout_of_attention_changes_nothing(lower, rng):
    x = rng.normal(size=(2, 6, 4)).astype("f4")
    plain, model = with_dropout(0.0), with_dropout(0.3)
    for one, other in zip(
        model.trainable_variables, plain.trainable_variables, strict=True
    ):
        one.assign(other)
    method, options = libragrad(SIGNED), {"verbose": 0, "lower": lower}
    _, expected = ke.explain(method, plain, x, BOTH, **options)
    _, found = ke.explain(method, model, x, BOTH, **options)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
    _, ordinary = ke.explain(SIGNED, model, x, BOTH, **options)
    assert np.abs(ordinary - expected).max() > 1e-3


@pytest.mark.parametrize(
    "join",
    [
        lambda x: ops.maximum(x[..., :3], x[..., 3:]),
        lambda x: layers.Minimum()([x[..., :3], x[..., 3:]]),
        lambda x: ops.maximum(x, 0.1 * x),
    ],
    ids=["maxout", "minimum", "leaky"],
)
def test_choices_between_two_tensors_keep_their_derivatives(join, rng):
    """They pass on all that they are given, as ReLUs do."""
    inputs = keras.Input((6, 4))
    x = join(layers.Dense(6, use_bias=False)(inputs))
    units = layers.Dense(2, use_bias=False)(layers.Flatten()(x))
    model, x = keras.Model(inputs, units), rng.normal(size=(2, 6, 4)).astype("f4")
    method = libragrad(gradient.input_x_gradient)
    logits, maps = ke.explain(method, model, x, BOTH, verbose=0)
    np.testing.assert_allclose(maps.sum(1), logits, rtol=1e-3, atol=1e-5)
