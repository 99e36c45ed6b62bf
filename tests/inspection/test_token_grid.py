"""The grid of the tokens of transformers."""

import keras
import numpy as np
import pytest
from keras import layers, ops
from support import transformers as vit
from support.transformers import WIDTH, transformer

import keras_explainable as ke
from keras_explainable.inspection.token_grid import TokenGrid

token_grid = ke.inspection.token_grid


def registers(x):
    x = layers.Reshape((-1, WIDTH))(layers.Conv2D(WIDTH, 4, 4)(x))
    return vit.MoreTokens(2, 3)(x)


def channels_first(x):
    """Tokens of an image (C, H, W)."""
    return vit.embedded_by_convolution(layers.Permute((2, 3, 1))(x))


def nested(x):
    inputs = keras.Input(x.shape[1:])
    return keras.Model(inputs, vit.embedded_by_convolution(inputs))(x)


def by_operations(x):
    """Patches cut by reshaping and transposing, and a class token of zeros."""
    x = ops.reshape(x, (-1, 4, 4, 6, 4, 3))
    x = ops.reshape(ops.transpose(x, (0, 1, 3, 2, 4, 5)), (-1, 24, 48))
    x = layers.Dense(WIDTH)(x)
    return ops.concatenate([ops.zeros_like(x[:, :1]), x], axis=1)


def after_pooling(x):
    x = layers.Conv2D(WIDTH, 3, padding="same")(x)
    return layers.Reshape((-1, WIDTH))(layers.MaxPooling2D(4)(x))


def in_windows_and_back(x):
    """Attention in windows of 2 x 2 patches, moved by one row, as in a Swin network."""
    x = layers.Conv2D(WIDTH, 4, 4)(x)
    shape = (-1, 2, 2, 3, 2, WIDTH)
    y = ops.transpose(ops.reshape(ops.roll(x, 1, axis=1), shape), (0, 1, 3, 2, 4, 5))
    y = vit.attention_by_a_layer(ops.reshape(y, (-1, 4, WIDTH)))
    y = ops.transpose(ops.reshape(y, (-1, 2, 3, 2, 2, WIDTH)), (0, 1, 3, 2, 4, 5))
    y = ops.roll(ops.reshape(y, (-1, 4, 6, WIDTH)), -1, axis=1)
    return layers.Reshape((-1, WIDTH))(y)


def class_token_last(x):
    """A function of the user's moves tokens."""

    def moved(tokens):
        return ops.concatenate([tokens[:, 1:], tokens[:, :1]], axis=1)

    return layers.Lambda(moved, output_shape=(25, WIDTH))(
        vit.embedded_by_convolution(x)
    )


EMBEDDINGS = {
    vit.embedded_by_convolution: (1, 0),
    vit.embedded_as_in_the_examples: (0, 0),
    registers: (2, 3),
    nested: (1, 0),
    by_operations: (1, 0),
    after_pooling: (0, 0),
    in_windows_and_back: (0, 0),
    (lambda x: vit.Embedded()(x)): (1, 0),
    class_token_last: (0, 1),
}


@pytest.mark.parametrize(("embed", "more"), EMBEDDINGS.items())
def test_grid_of_patches(embed, more):
    """The grid is 4 x 6 in every layer up to the last block."""
    model = transformer(embed)
    for layer in ("tokens", "first_norm1", "last_end", "norm"):
        assert token_grid(model, layer) == TokenGrid(1, (4, 6), *more)


@pytest.mark.parametrize(
    "embed", [vit.embedded_as_in_the_examples, registers, by_operations]
)
def test_each_token_depends_on_its_patch_alone(embed):
    model = transformer(embed)
    found = token_grid(model, "tokens")
    tokens = keras.Model(model.input, model.get_layer("tokens").output)
    x = np.random.default_rng(0).normal(size=(1, 16, 24, 3)).astype("f4")
    changed = np.repeat(x, 24, axis=0)
    for k, (row, column) in enumerate(np.ndindex(4, 6)):
        changed[k, 4 * row : 4 * row + 4, 4 * column : 4 * column + 4] += 1
    outputs = [ops.convert_to_numpy(tokens(each)) for each in (changed, x)]
    moved = np.abs(outputs[0] - outputs[1]).max(axis=-1) > 1e-5
    expected = np.eye(24, dtype=bool)
    sides = (0, 0), (found.before, found.after)
    np.testing.assert_array_equal(moved, np.pad(expected, sides))


def test_channels_first():
    model = transformer(channels_first, shape=(3, 16, 24))
    assert token_grid(model, "last_end") == TokenGrid(1, (4, 6), 1)


@pytest.mark.parametrize(
    "attention", [vit.attention_by_operations, lambda x: vit.Encoder()(x)]
)
def test_attention_keeps_the_grid(attention):
    assert token_grid(transformer(attention=attention), "norm").before == 1


def test_tokens_without_the_class_token_and_in_another_axis():
    inputs = keras.Input((16, 24, 3))
    x = vit.embedded_by_convolution(inputs)
    x = layers.Identity(name="all")(x)[:, 1:]
    x = layers.Identity(name="transposed")(ops.transpose(x, (0, 2, 1)))
    y = layers.Dense(24)(layers.Dense(7, "gelu")(x))  # Mixes tokens.
    x = layers.Add(name="mixed")([x, y])
    x = layers.Permute((2, 1), name="back")(x)
    x = layers.Conv2D(4, 3, name="image")(layers.Reshape((4, 6, WIDTH))(x))
    x = layers.Reshape((-1, 4), name="again")(x)
    model = keras.Model(inputs, layers.Dense(2)(layers.Flatten()(x)))
    assert token_grid(model, "all") == TokenGrid(1, (4, 6), 1)
    assert token_grid(model, "transposed") == TokenGrid(2, (4, 6))
    assert token_grid(model, "mixed") == TokenGrid(2, (4, 6))
    assert token_grid(model, "back") == TokenGrid(1, (4, 6))
    assert token_grid(model, "again") == TokenGrid(1, (2, 4))


class Stage(layers.Layer):
    """A block, after which squares of four tokens are joined, as in a Swin network."""

    def build(self, shape):
        self.encoder, self.dense = vit.Encoder(), layers.Dense(WIDTH)
        self.encoder.build(shape)
        self.dense.build((shape[0], 6, 4 * WIDTH))

    def call(self, x):
        x = ops.reshape(self.encoder(x), (-1, 2, 2, 3, 2, WIDTH))
        x = ops.transpose(x, (0, 1, 3, 2, 4, 5))
        return self.dense(ops.reshape(x, (-1, 6, 4 * WIDTH)))

    def compute_output_shape(self, shape):
        return (shape[0], 6, WIDTH)


def test_stages_with_fewer_tokens():
    model = transformer(lambda x: Stage()(vit.embedded_as_in_the_examples(x)))
    assert token_grid(model, "last_end") == TokenGrid(1, (2, 3))


def shuffled(x):
    order = np.random.default_rng(0).permutation(24)
    return ops.take(vit.embedded_as_in_the_examples(x), order, axis=1)


def test_what_is_not_known_is_asked_for():
    model = transformer(shuffled)
    with pytest.raises(ValueError, match=r"'tokens' .*`grid=` .*`skip_tokens="):
        token_grid(model, "tokens")
    assert token_grid(model, "tokens", grid=(3, 8)) == TokenGrid(1, (3, 8))
    given = token_grid(model, "tokens", grid=(3, 7), skip_tokens=(1, 2))
    assert given == TokenGrid(1, (3, 7), 1, 2)


def test_what_is_given_replaces_what_is_found():
    """5 x 5 are as many as 4 x 6 and a class token."""
    assert token_grid(transformer(), "tokens", grid=(5, 5)) == TokenGrid(1, (5, 5))
    assert token_grid(transformer(), "tokens", grid=(6, 4)) == TokenGrid(1, (6, 4), 1)


@pytest.mark.parametrize(
    ("layer", "params", "error", "message"),
    [
        ("patches", {}, ValueError, "tokens .*'patches' with"),
        ("units", {}, ValueError, "tokens .*'units' with"),
        ("tokens", {"grid": (4, 4)}, ValueError, "must have 25 tokens .*have 16"),
        ("tokens", {"skip_tokens": 2}, ValueError, "must have 25 tokens .*have 26"),
        ("tokens", {"grid": 4}, TypeError, "`grid` must be a tuple"),
        ("tokens", {"grid": (4, 6.0)}, TypeError, "`grid` must be an integer"),
        ("tokens", {"grid": (0, 6)}, ValueError, "`grid` must be at least 1"),
        ("tokens", {"skip_tokens": (1, 0, 0)}, ValueError, "or a pair"),
    ],
)
def test_wrong_layers_and_grids(layer, params, error, message):
    with pytest.raises(error, match=message):
        token_grid(transformer(), layer, **params)


def test_a_model_whose_layers_are_not_known():
    class Subclassed(keras.Model):
        def call(self, x):
            return x

    with pytest.raises(ValueError, match="Functional or Sequential"):
        token_grid(Subclassed(), "tokens")
