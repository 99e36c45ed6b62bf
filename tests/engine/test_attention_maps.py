"""The probabilities of attention, in whatever way a model computes it."""

import keras
import numpy as np
import pytest
from keras import layers, ops
from support import transformers as vit
from support.transformers import WIDTH

import keras_explainable as ke
from keras_explainable.inspection.exposed_attention import expose_attention

T = 5


@pytest.fixture
def x(rng):
    return rng.normal(size=(3, T, WIDTH)).astype("f4")


def softmax(scores):
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def by_weights(weights, x, shown=True):
    """Return the probabilities of a MultiHeadAttention, from its weights."""
    q, k = (np.einsum("btc,chd->bhtd", x, w) + b[:, None] for w, b in weights)
    scores = q @ k.swapaxes(-1, -2) / np.sqrt(q.shape[-1])
    return softmax(np.where(shown, scores, -1e9))


def with_bias(layer):
    rng = np.random.default_rng(0)
    layer.set_weights([rng.normal(size=w.shape) for w in layer.get_weights()])
    return layer.get_weights()


def model_of(layer, *args, **options):
    inputs = keras.Input((T, WIDTH))
    tokens = layer(inputs, inputs, *args, **options)
    return keras.Model(inputs, layers.GlobalAveragePooling1D()(tokens))


LAYERS = {
    "plain": {},
    "with dropout": {"dropout": 0.1},
}


@pytest.mark.parametrize("options", LAYERS.values(), ids=LAYERS.keys())
@pytest.mark.parametrize("causal", [False, True])
def test_maps_are_those_of_the_weights(x, options, causal):
    layer = layers.MultiHeadAttention(2, 4, name="mixed", **options)
    model = model_of(layer, use_causal_mask=causal)
    wq, bq, wk, bk, *_ = with_bias(layer)
    shown = np.tril(np.ones((T, T), bool)) if causal else True
    found = ke.attention_maps(model, x)
    assert [*found] == ["mixed"]
    expected = by_weights([(wq, bq), (wk, bk)], x, shown)
    np.testing.assert_allclose(found["mixed"], expected, rtol=1e-4, atol=1e-5)


def test_groups_share_their_keys(x):
    layer = layers.GroupQueryAttention(4, 4, 2, name="grouped")
    model = model_of(layer)
    wq, bq, wk, bk, *_ = with_bias(layer)
    both = (wq, bq), (np.repeat(wk, 2, axis=1), np.repeat(bk, 2, axis=0))
    found = ke.attention_maps(model, x)["grouped"]
    np.testing.assert_allclose(found, by_weights(both, x), rtol=1e-4, atol=1e-5)


def test_the_layers_attention_and_additive_attention(x):
    inputs = keras.Input((T, WIDTH))
    dot = layers.Attention(use_scale=True, name="dot")([inputs, inputs])
    added = layers.AdditiveAttention(name="added")([inputs, dot])
    model = keras.Model(inputs, layers.GlobalAveragePooling1D()(added))
    scale = np.random.default_rng(0).normal(size=WIDTH)
    model.get_layer("dot").set_weights([np.array(0.7)])
    model.get_layer("added").set_weights([scale])
    found = ke.attention_maps(model, x)
    dots = softmax(0.7 * x @ x.swapaxes(1, 2))
    np.testing.assert_allclose(found["dot"][:, 0], dots, rtol=1e-4, atol=1e-5)
    sums = np.tanh(x[:, :, None] + (dots @ x)[:, None]) @ scale
    np.testing.assert_allclose(found["added"][:, 0], softmax(sums), 1e-4, 1e-5)


def test_attention_by_operations_is_found(x):
    inputs = keras.Input((T, WIDTH))
    model = keras.Model(inputs, vit.mean_token(vit.attention_by_operations(inputs)))
    dense = [each for each in model.layers if isinstance(each, layers.Dense)]
    dense.sort(key=lambda each: (len(each.name), each.name))
    q, k = (x @ each.get_weights()[0] for each in dense[:2])
    q, k = (each.reshape(3, T, 2, 4).swapaxes(1, 2) for each in (q, k))
    [found] = ke.attention_maps(model, x).values()
    expected = softmax(q @ k.swapaxes(-1, -2) / 2)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found.sum(axis=-1), 1, rtol=1e-5)


class OwnAttention(layers.Layer):
    """Attention by operations in a layer, which asks for the number of rows."""

    def build(self, shape):
        self.all = layers.Dense(3 * WIDTH)
        self.all.build(shape)

    def call(self, x):
        rows, tokens, width = ops.shape(x)
        parts = ops.reshape(self.all(x), (rows, tokens, 3, 2, width // 2))
        q, k, v = ops.unstack(ops.transpose(parts, (2, 0, 3, 1, 4)))
        scores = ops.matmul(q, ops.swapaxes(k, -1, -2)) / 2
        mixed = ops.einsum("bhqk,bhkd->bqhd", ops.softmax(scores), v)
        return ops.reshape(mixed, (rows, tokens, width))

    def compute_output_shape(self, shape):
        return shape


def test_attention_within_layers_of_the_user(x, capsys):
    inputs = keras.Input((T, WIDTH))
    own = OwnAttention(name="own")
    tokens = vit.Encoder(name="block")(own(own(inputs)))
    inner = keras.Model(inputs, tokens, name="inner")
    model = keras.Sequential([inputs, inner, layers.GlobalAveragePooling1D()])
    found = ke.attention_maps(model, x, batch_size=2, verbose=2)
    assert f"{len(x)}/{len(x)} - " in capsys.readouterr().out
    block = model.layers[0].get_layer("block")
    assert [*found] == ["own", "own:1", f"block/{block.attention.name}"]
    assert [*ke.attention_maps(model, x, "block", verbose=0)] == [*found][2:]
    assert capsys.readouterr().out == ""
    assert [*ke.attention_maps(model, x, ["own"])] == ["own", "own:1"]
    w, b = own.get_weights()
    q, k, _ = np.split((x @ w + b).reshape(3, T, 6, 4).swapaxes(1, 2), 3, axis=1)
    expected = softmax(q @ k.swapaxes(-1, -2) / 2)
    np.testing.assert_allclose(found["own"], expected, rtol=1e-4, atol=1e-5)


def test_attention_within_windows(rng):
    """As in Swin transformers, whose windows are rows of their own."""
    inputs = keras.Input((8, 4))
    windows = ops.reshape(inputs, (-1, 2, 4))
    tokens = layers.MultiHeadAttention(3, 2, name="windows")(windows, windows)
    model = keras.Model(inputs, ops.mean(ops.reshape(tokens, (-1, 8, 4)), axis=1))
    x = rng.normal(size=(2, 8, 4)).astype("f4")
    found = ke.attention_maps(model, x)["windows"]
    assert found.shape == (2, 4, 3, 2, 2)
    alone = ke.attention_maps(model, x[1:])["windows"]
    np.testing.assert_allclose(found[1:], alone, rtol=1e-4, atol=1e-6)


def masked(first, attention):
    """Return two blocks of attention behind a layer that makes a mask."""
    inputs = keras.Input((T,) if isinstance(first, layers.Embedding) else (T, WIDTH))
    tokens = first(inputs)
    for _ in range(2):
        mixed = attention(tokens)
        tokens = layers.LayerNormalization()(layers.Add()([tokens, mixed]))
    return keras.Model(inputs, layers.GlobalAveragePooling1D()(tokens))


MASKED = {
    "multi-head": lambda x: layers.MultiHeadAttention(2, 4)(x, x),
    "grouped": lambda x: layers.GroupQueryAttention(4, 4, 2)(x, x),
    "attention": lambda x: layers.Attention()([x, x]),
    "additive": lambda x: layers.AdditiveAttention()([x, x]),
}


@pytest.mark.parametrize("attention", MASKED.values(), ids=MASKED.keys())
def test_hidden_keys_have_no_probability(attention):
    model = masked(layers.Embedding(9, WIDTH, mask_zero=True), attention)
    tokens = np.array([[1, 2, 3, 0, 0], [4, 5, 1, 2, 3]])
    first = next(iter(ke.attention_maps(model, tokens).values()))
    assert np.all(first[0, :, :3, 3:] == 0)
    np.testing.assert_allclose(first[0, :, :3].sum(axis=-1), 1, rtol=1e-5)
    assert np.all(first[1] > 0)


@pytest.mark.filterwarnings("ignore:.*destroy the mask")  # By layers of Keras'.
@pytest.mark.parametrize("attention", MASKED.values(), ids=MASKED.keys())
def test_the_opened_copy_computes_the_same(attention, x):
    """Also where Keras loses a mask between blocks, as it does today."""
    x[0, 3:] = 0
    model = masked(layers.Masking(), attention)
    opened, *_ = expose_attention(model)(x)
    np.testing.assert_allclose(
        ops.convert_to_numpy(opened), ops.convert_to_numpy(model(x)), 1e-4, 1e-5
    )


def test_the_model_is_not_changed(x):
    layer = layers.MultiHeadAttention(2, 4)
    model = model_of(layer)
    parts = layer, layer.query_dense, layer.output_dense
    before = [(len(p._inbound_nodes), len(p._outbound_nodes)) for p in parts]
    weights = model.get_weights()
    ke.attention_maps(model, x)
    assert [(len(p._inbound_nodes), len(p._outbound_nodes)) for p in parts] == before
    for old, new in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


class Unknown(layers.Layer):
    """A layer that takes no symbolic tensors."""

    def call(self, x):
        return x + ops.convert_to_tensor(np.zeros(ops.convert_to_numpy(x).shape[-1]))

    def compute_output_shape(self, shape):
        return shape


def no_attention():
    inputs = keras.Input((T, WIDTH))
    gates = layers.Dense(WIDTH, activation="softmax")(inputs)
    tokens = Unknown(name="unknown")(layers.Multiply()([inputs, gates]))
    return keras.Model(inputs, layers.GlobalAveragePooling1D()(tokens))


class Subclassed(keras.Model):
    def call(self, x):
        return x[:, 0]


def test_wrong_calls(x):
    with pytest.raises(ValueError, match=r"must have attention.*unknown.*keras\.ops"):
        ke.attention_maps(no_attention(), x)
    model = model_of(layers.MultiHeadAttention(2, 4, name="mixed"))
    with pytest.raises(ValueError, match=r"`layers` must be .*'mixed'.*'mixes'"):
        ke.attention_maps(model, x, "mixes")
    with pytest.raises(ValueError, match="`model` must be a Functional"):
        ke.attention_maps(Subclassed(), x)
    with pytest.raises(ValueError, match="`batch_size` must be at least 1"):
        ke.attention_maps(model, x, batch_size=0)


def test_scores_that_do_not_depend_on_the_input_are_none(x):
    inputs = keras.Input((T, WIDTH))
    constant = np.random.default_rng(0).normal(size=(1, T, T)).astype("f4")
    mixed = ops.matmul(ops.softmax(ops.convert_to_tensor(constant)), inputs)
    model = keras.Model(inputs, layers.GlobalAveragePooling1D()(mixed))
    with pytest.raises(ValueError, match="must have attention"):
        ke.attention_maps(model, x)
