"""Small transformers with windows, merged patches, and convolutions; untrained."""

import keras
from keras import layers, ops

WIDTH = 8


def windows(x, side, window):
    """Return an image (B, side, side, C) as the tokens of windows (n B, T, C)."""
    count, channels = side // window, x.shape[-1]
    x = ops.reshape(x, (-1, count, window, count, window, channels))
    x = ops.transpose(x, (0, 1, 3, 2, 4, 5))
    return ops.reshape(x, (-1, window * window, channels))


def image_of(x, side, window):
    """Return the tokens of windows as an image again."""
    count, channels = side // window, x.shape[-1]
    x = ops.reshape(x, (-1, count, count, window, window, channels))
    x = ops.transpose(x, (0, 1, 3, 2, 4, 5))
    return ops.reshape(x, (-1, side, side, channels))


def swin_block(x, name, side, shift):
    """Return tokens (B, side ** 2, C) after attention within shifted windows."""
    channels, window = x.shape[-1], side // 2
    y = layers.LayerNormalization(name=f"{name}_norm")(x)
    y = ops.reshape(y, (-1, side, side, channels))
    y = windows(ops.roll(y, (-shift, -shift), (1, 2)), side, window)
    attention = layers.MultiHeadAttention(2, channels // 2, name=f"{name}_attention")
    y = ops.roll(image_of(attention(y, y), side, window), (shift, shift), (1, 2))
    y = layers.Reshape((side * side, channels))(y)
    return layers.Add(name=f"{name}_end")([x, y])


def merged(x, side):
    """Return tokens of which each stands for 2 x 2 of those before."""
    x = ops.reshape(x, (-1, side, side, x.shape[-1]))
    parts = [x[:, i::2, j::2] for j in (0, 1) for i in (0, 1)]
    x = ops.reshape(ops.concatenate(parts, -1), (-1, side * side // 4, 4 * WIDTH))
    return layers.Dense(2 * WIDTH, use_bias=False, name="merged")(x)


def swin():
    """Return a Swin transformer of two stages, 8 x 8 and 4 x 4 tokens."""
    inputs = keras.Input((32, 32, 3))
    x = layers.Conv2D(WIDTH, 4, 4)(inputs)
    x = layers.Reshape((64, WIDTH), name="tokens")(x)
    x = swin_block(swin_block(x, "first", 8, 0), "shifted", 8, 2)
    x = swin_block(swin_block(merged(x, 8), "third", 4, 0), "last", 4, 1)
    x = layers.LayerNormalization(name="norm")(x)
    units = layers.Dense(3, name="units")(layers.GlobalAveragePooling1D()(x))
    return keras.Model(inputs, units)


def mobile_vit():
    """Return convolutions with attention among every second position between them."""
    inputs = keras.Input((32, 32, 3))
    x = layers.Conv2D(WIDTH, 3, 4, "same", activation="relu", name="before")(inputs)
    y = ops.reshape(x, (-1, 4, 2, 4, 2, WIDTH))
    y = ops.reshape(ops.transpose(y, (0, 2, 4, 1, 3, 5)), (-1, 16, WIDTH))
    y = layers.LayerNormalization(name="unfolded")(y)
    y = layers.Add()([y, layers.MultiHeadAttention(2, 4, name="attention")(y, y)])
    y = ops.reshape(y, (-1, 2, 2, 4, 4, WIDTH))
    y = ops.reshape(ops.transpose(y, (0, 3, 1, 4, 2, 5)), (-1, 8, 8, WIDTH))
    x = layers.Concatenate(name="both")([x, y])
    x = layers.Conv2D(WIDTH, 3, padding="same", name="fused")(x)
    return keras.Model(inputs, layers.Dense(3)(layers.GlobalAveragePooling2D()(x)))
