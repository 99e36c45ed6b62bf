"""Small vision transformers, untrained."""

import keras
from keras import layers, ops

WIDTH = 8


class Patches(layers.Layer):
    """Patches of 4 x 4 pixels, as vectors (B, T, 48)."""

    def call(self, images):
        patches = ops.image.extract_patches(images, 4)
        return ops.reshape(patches, (ops.shape(images)[0], -1, patches.shape[-1]))

    def compute_output_shape(self, shape):
        return (shape[0], shape[1] // 4 * (shape[2] // 4), 16 * shape[3])


class WithPositions(layers.Layer):
    """Vectors of patches in the network's width, with those of their positions."""

    def build(self, shape):
        self.project, self.embed = (
            layers.Dense(WIDTH),
            layers.Embedding(shape[1], WIDTH),
        )
        self.project.build(shape)
        self.embed.build(shape[:2])

    def call(self, patches):
        numbers = ops.arange(patches.shape[1])
        return self.project(patches) + self.embed(numbers)

    def compute_output_shape(self, shape):
        return (*shape[:-1], WIDTH)


class MoreTokens(layers.Layer):
    """Learned tokens before and after the others."""

    def __init__(self, before=1, after=0, **options):
        super().__init__(**options)
        self.counts = before, after

    def build(self, shape):
        self.own = [
            self.add_weight((1, n, shape[-1]), "random_normal") for n in self.counts
        ]

    def call(self, x):
        rows = [ops.repeat(own, ops.shape(x)[0], axis=0) for own in self.own]
        return ops.concatenate([rows[0], x, rows[1]], axis=1)

    def compute_output_shape(self, shape):
        return (shape[0], shape[1] + sum(self.counts), shape[2])


class Embedded(layers.Layer):
    """Patches and a class token in a single layer that cannot be looked into."""

    def build(self, shape):
        self.patches, self.positions, self.more = (
            Patches(),
            WithPositions(),
            MoreTokens(),
        )
        inner = self.patches.compute_output_shape(shape)
        self.positions.build(inner)
        self.more.build((*inner[:-1], WIDTH))

    def call(self, images):
        return self.more(self.positions(self.patches(images)))

    def compute_output_shape(self, shape):
        inner = self.patches.compute_output_shape(shape)
        return (shape[0], inner[1] + 1, WIDTH)


class Encoder(layers.Layer):
    """A block in a single layer that cannot be looked into."""

    def build(self, shape):
        self.attention = layers.MultiHeadAttention(2, 4)
        self.attention.build(shape, shape)

    def call(self, x):
        return x + self.attention(x, x)

    def compute_output_shape(self, shape):
        return shape


def attention_by_operations(x):
    """Return attention of two heads, without a layer for it."""
    parts = (layers.Reshape((-1, 2, 4))(layers.Dense(WIDTH)(x)) for _ in range(3))
    q, k, v = (ops.transpose(part, (0, 2, 1, 3)) for part in parts)
    scores = ops.matmul(q, ops.transpose(k, (0, 1, 3, 2))) / 2
    mixed = ops.transpose(ops.matmul(ops.softmax(scores), v), (0, 2, 1, 3))
    return layers.Dense(WIDTH)(layers.Reshape((-1, WIDTH))(mixed))


def _heads(x):
    return (layers.Reshape((-1, 2, 4))(layers.Dense(WIDTH)(x)) for _ in range(3))


def attention_by_einsum(x):
    """Return attention whose heads stay behind the tokens."""
    q, k, v = _heads(x)
    scores = ops.softmax(ops.einsum("bqhd,bkhd->bhqk", q, k) / 2)
    mixed = ops.einsum("bhqk,bkhd->bqhd", scores, v)
    return layers.Dense(WIDTH)(layers.Reshape((-1, WIDTH))(mixed))


def attention_by_one_projection(x):
    """Return attention whose queries, keys and values are split, as in timm."""
    parts = layers.Reshape((-1, 3, 2, 4))(layers.Dense(3 * WIDTH)(x))
    q, k, v = ops.unstack(ops.transpose(parts, (2, 0, 3, 1, 4)), 3)
    scores = ops.softmax(ops.matmul(q, ops.transpose(k, (0, 1, 3, 2))) / 2)
    mixed = ops.transpose(ops.matmul(scores, v), (0, 2, 1, 3))
    return layers.Dense(WIDTH)(layers.Reshape((-1, WIDTH))(mixed))


def attention_by_a_function(x):
    """Return attention by a function of Keras, without its scores."""
    mixed = ops.dot_product_attention(*_heads(x))
    return layers.Dense(WIDTH)(layers.Reshape((-1, WIDTH))(mixed))


def attention_by_a_layer(x):
    """Return attention of two heads."""
    return layers.MultiHeadAttention(2, 4)(x, x)


def block(x, name, attention=attention_by_a_layer):
    """Return the tokens after a block, whose layers have names that begin alike."""
    y = layers.LayerNormalization(name=f"{name}_norm1")(x)
    x = layers.Add(name=f"{name}_middle")([x, attention(y)])
    y = layers.LayerNormalization(name=f"{name}_norm2")(x)
    y = layers.Dense(WIDTH, activation="gelu")(y)
    return layers.Add(name=f"{name}_end")([x, y])


def class_token(x):
    """Return the first token."""
    return x[:, 0]


def mean_token(x):
    """Return the mean of all tokens."""
    return layers.GlobalAveragePooling1D()(x)


def transformer(
    embed=None, attention=attention_by_a_layer, head=class_token, shape=(16, 24, 3)
):
    """Return a transformer of two blocks whose tokens are those of "tokens"."""
    inputs = keras.Input(shape)
    x = (embed or embedded_by_convolution)(inputs)
    x = layers.Identity(name="tokens")(x)
    for name in ("first", "last"):
        x = block(x, name, attention)
    x = layers.LayerNormalization(name="norm")(x)
    return keras.Model(inputs, layers.Dense(3, name="units")(head(x)))


def embedded_by_convolution(x):
    """Return a class token, and the patches (4, 6) that a convolution embeds."""
    x = layers.Conv2D(WIDTH, 4, 4, name="patches")(x)
    return MoreTokens()(layers.Reshape((-1, WIDTH))(x))


def embedded_as_in_the_examples(x):
    """Return the patches (4, 6), as two layers of Keras' examples embed them."""
    return WithPositions()(Patches()(x))
