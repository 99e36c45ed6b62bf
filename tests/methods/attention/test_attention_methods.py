"""Attention rollout and its relatives, against the attention of all layers."""

from functools import reduce

import keras
import numpy as np
import pytest
from keras import layers, ops
from support import transformers as vit
from support.attention_methods import NAMES, UNITS, raw_maps
from support.transformers import WIDTH, transformer

import keras_explainable as ke
from keras_explainable.methods import attention

OF_UNITS = [name for name in NAMES if name != "attention_rollout"]


@pytest.fixture
def x(rng):
    return rng.normal(size=(2, 16, 24, 3)).astype("f4")


def rolled(layers, residual=0.5):
    """Return the product of layers (B, T, T) with their residual connections."""
    identity = np.eye(layers[0].shape[-1])
    mixed = [(1 - residual) * x + residual * identity for x in layers]
    mixed = [x / x.sum(axis=-1, keepdims=True) for x in mixed]
    return reduce(lambda before, x: x @ before, mixed)


HEADS = {"class token": vit.class_token, "mean": vit.mean_token}
FORMS = {"layer": vit.attention_by_a_layer, "ops": vit.attention_by_operations}


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("form", FORMS)
def test_rollout_is_the_product_of_the_attention_maps(x, head, form):
    model = transformer(attention=FORMS[form], head=HEADS[head])
    maps = ke.attention_maps(model, x).values()
    rows = rolled([each.mean(axis=1) for each in maps])
    read = rows[:, 0] if head == "class token" else rows.mean(axis=1)
    found = raw_maps("attention_rollout", model, x)
    assert found.shape == (2, 4, 6, 2)
    for unit in range(2):
        np.testing.assert_allclose(
            found[..., unit], read[:, 1:].reshape(2, 4, 6), rtol=1e-4
        )


@pytest.mark.parametrize("fusion", ["mean", "max", "min"])
def test_options_of_rollout(x, fusion):
    model = transformer()
    kept = []
    for each in ke.attention_maps(model, x).values():
        joined = getattr(each, fusion)(axis=1)
        lowest = np.sort(joined.reshape(2, -1), axis=1)[:, int(0.4 * 25 * 25)]
        kept.append(np.where(joined < lowest[:, None, None], 0, joined))
    expected = rolled(kept, residual=0.2)[:, 0, 1:].reshape(2, 4, 6)
    options = {"head_fusion": fusion, "discard_ratio": 0.4, "residual": 0.2}
    found = raw_maps("attention_rollout", model, x, [0, 0], **options)[..., 0]
    np.testing.assert_allclose(found, expected, rtol=1e-4)


@pytest.fixture
def single():
    """A single layer of attention between patches, and its weights.

    The units are linear functions of the class token.
    """
    inputs = keras.Input((T, WIDTH))
    layer = layers.MultiHeadAttention(2, 4, name="only")
    tokens = layers.Add()([inputs, layer(inputs, inputs)])
    return keras.Model(inputs, layers.Dense(3, name="units")(tokens[:, 0]))


T = 6


def derivatives(model, x, probabilities, unit):
    """Return the derivatives of a unit by the probabilities of the class token."""
    *_, wv, bv, wo, _ = model.get_layer("only").get_weights()
    values = np.einsum("btc,chd->bhtd", x, wv) + bv[:, None]
    head = np.einsum(
        "hdc,c->hd", wo, model.get_layer("units").get_weights()[0][:, unit]
    )
    found = np.zeros_like(probabilities)
    found[:, :, 0] = np.einsum("bhtd,hd->bht", values, head)
    return found


def test_maps_of_one_layer_are_those_of_its_weights(rng, single):
    x = rng.normal(size=(2, T, WIDTH)).astype("f4")
    [p] = ke.attention_maps(single, x).values()
    weighted = [(p * derivatives(single, x, p, k)).clip(0).mean(axis=1) for k in (0, 2)]
    found = raw_maps("transformer_attribution", single, x, [[0, 2]] * 2)
    expected = [(np.eye(T) + each)[:, 0] for each in weighted]
    np.testing.assert_allclose(found, np.stack(expected, axis=-1), 1e-4, 1e-6)
    found = raw_maps("gradient_attention_rollout", single, x, [[0, 2]] * 2)
    expected = [rolled([each])[:, 0] for each in weighted]
    np.testing.assert_allclose(found, np.stack(expected, axis=-1), 1e-4, 1e-6)


def test_layers_of_transformer_attribution_are_composed(x):
    """R = (I + B)(I + A): the last layer alone says a part of it, B."""
    model = transformer()
    both = raw_maps("transformer_attribution", model, x, [0, 1])
    *_, last = ke.attention_maps(model, x)
    one = raw_maps("transformer_attribution", model, x, [0, 1], layers=last)
    assert np.all(both >= one - 1e-6)
    assert np.abs(both - one).max() > 1e-6


def test_the_rollout_of_uniform_attention_is_uniform(x):
    model = transformer(head=vit.mean_token)
    for layer in model.layers:
        if isinstance(layer, layers.MultiHeadAttention):
            layer.query_dense.kernel.assign(0 * layer.query_dense.kernel)
    found = raw_maps("attention_rollout", model, x)
    np.testing.assert_allclose(found, 1 / 25, rtol=1e-5)


def without_positions(x):
    x = layers.Conv2D(WIDTH, 4, 4)(x)
    return vit.MoreTokens()(layers.Reshape((-1, WIDTH))(x))


@pytest.mark.parametrize("name", NAMES)
def test_moved_patches_move_the_maps(x, name):
    model = transformer(without_positions)
    rolled_x = np.roll(x, (4, 8), axis=(1, 2))
    found, moved = (raw_maps(name, model, each) for each in (x, rolled_x))
    expected = np.roll(found, (1, 2), axis=(1, 2))
    np.testing.assert_allclose(moved, expected, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_shortcuts_and_meta_methods(x, name):
    model = transformer()
    weights = model.get_weights()
    assert getattr(ke, name)(model, x, UNITS, verbose=0)[1].shape == (2, 16, 24, 2)
    _, maps = getattr(ke, name)(model, x, UNITS, verbose=0, resizing=None)
    assert maps.min() == pytest.approx(0, abs=1e-6)
    assert maps.max() == pytest.approx(1, abs=1e-3)
    noisy = ke.methods.meta.smooth(getattr(attention, name), 2, 0.0)
    _, found = ke.explain(noisy, model, x, UNITS, verbose=0, resizing=None)
    np.testing.assert_allclose(found, raw_maps(name, model, x), 1e-3, 1e-6)
    for old, new in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize("name", NAMES)
def test_a_mask_hides_keys(name):
    inputs = keras.Input((T,))
    tokens = layers.Embedding(9, WIDTH, mask_zero=True)(inputs)
    tokens = layers.MultiHeadAttention(2, 4)(tokens, tokens)
    model = keras.Model(
        inputs, layers.Dense(3)(layers.GlobalAveragePooling1D()(tokens))
    )
    found = raw_maps(name, model, np.array([[1, 2, 3, 4, 0, 0]]), [[0, 1]])
    assert found.shape == (1, T, 2)
    assert np.all(found[:, 4:] == 0)
    assert np.all(found[:, :4] > 0)


def test_units_that_read_other_tokens_have_other_maps(x):
    """As those of a decoder, which has a unit for each patch."""

    def decoded(tokens):
        return ops.reshape(layers.Dense(1)(tokens[:, 1:]), (-1, 24))

    inputs = keras.Input((16, 24, 3))
    tokens = vit.block(vit.embedded_by_convolution(inputs), "only")
    model = keras.Model(inputs, decoded(tokens))
    found = raw_maps("attention_rollout", model, x, [[3, 7]] * 2)
    [p] = ke.attention_maps(model, x).values()
    rows = rolled([p.mean(axis=1)])[:, 1:, 1:]
    for k, unit in enumerate((3, 7)):
        expected = rows[:, unit].reshape(2, 4, 6)
        np.testing.assert_allclose(found[..., k], expected, rtol=1e-4)


def pooled_by_attention(x):
    query = layers.Dense(WIDTH)(x[:, :1])
    return layers.MultiHeadAttention(2, 4, name="pool")(query, x)[:, 0]


def test_pooling_by_attention_has_no_residual_connection(x):
    model = transformer(head=pooled_by_attention)
    *square, last = (p.mean(axis=1) for p in ke.attention_maps(model, x).values())
    expected = (last @ rolled(square))[:, 0, 1:].reshape(2, 4, 6)
    found = raw_maps("attention_rollout", model, x, [0, 1])[..., 0]
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    assert np.isfinite(raw_maps("transformer_attribution", model, x, [0, 1])).all()


@pytest.mark.parametrize("name", NAMES)
def test_grids_that_are_not_known(x, name):
    def shuffled(image):
        tokens = vit.embedded_as_in_the_examples(image)
        return ops.take(tokens, np.random.default_rng(0).permutation(24), axis=1)

    model = transformer(shuffled, head=vit.mean_token)
    with pytest.raises(ValueError, match=r"24 tokens .* is not known.*`grid=`"):
        raw_maps(name, model, x)
    assert raw_maps(name, model, x, grid=(3, 8)).shape == (2, 3, 8, 2)
    with pytest.raises(ValueError, match="must have 24 tokens together"):
        raw_maps(name, model, x, grid=(3, 7))
    assert raw_maps(name, model, x, grid=(2, 11), skip_tokens=2).shape == (2, 2, 11, 2)


def convolutional():
    inputs = keras.Input((16, 24, 3))
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(inputs))
    return keras.Model(inputs, layers.Dense(3)(x))


def two_towers():
    inputs = keras.Input((16, 24, 3))
    tokens = vit.embedded_by_convolution(inputs)
    both = [layers.MultiHeadAttention(2, 4, name=k)(tokens, tokens) for k in "ab"]
    return keras.Model(inputs, layers.Dense(3)(layers.Add()(both)[:, 0]))


def windowed():
    inputs = keras.Input((8, 4))
    windows = ops.reshape(inputs, (-1, 2, 4))
    tokens = layers.MultiHeadAttention(2, 2, name="windows")(windows, windows)
    pooled = layers.GlobalAveragePooling1D()(ops.reshape(tokens, (-1, 8, 4)))
    return keras.Model(inputs, layers.Dense(3)(pooled))


def test_models_without_such_attention(x):
    with pytest.raises(ValueError, match="`model` must have attention"):
        raw_maps("attention_rollout", convolutional(), x)
    with pytest.raises(ValueError, match="'b' does not take those of 'a'"):
        raw_maps("attention_rollout", two_towers(), x)
    assert raw_maps("attention_rollout", two_towers(), x, layers="b").shape[1:3] == (
        4,
        6,
    )
    with pytest.raises(ValueError, match=r"`layers` must name attention of.*'windows'"):
        raw_maps("attention_rollout", windowed(), x[:, :8, :4, 0])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"head_fusion": "sum"}, "`head_fusion` must be one of"),
        ({"discard_ratio": 1.0}, "`discard_ratio` must be below 1"),
        ({"discard_ratio": -0.1}, "`discard_ratio` must be .* at least 0"),
        ({"residual": 1.5}, "`residual` must be at most 1"),
        ({"layers": "none"}, "`layers` must be names"),
    ],
)
def test_wrong_parameters(x, options, message):
    with pytest.raises(ValueError, match=message):
        raw_maps("attention_rollout", transformer(), x, **options)
