"""Small models with known gradients, for all tests."""

import keras
import numpy as np
from keras import layers, ops

SIDE, CHANNELS, UNITS = 4, 3, 5
SHAPE = (SIDE, SIDE, CHANNELS)


def numpy(x):
    return ops.convert_to_numpy(x)


def linear(power=1):
    """f_k(x) = sum_i w_ik x_i ** power + b_k."""
    inputs = keras.Input(SHAPE)
    powers = inputs * inputs if power == 2 else inputs
    dense = layers.Dense(UNITS, bias_initializer="normal", name="logits")
    return keras.Model(inputs, dense(layers.Flatten()(powers)))


def quadratic():
    return linear(power=2)


def weights_of(model, units):
    """Return w of the selected units (B, K), as (B, H, W, C, K)."""
    kernel = numpy(model.get_layer("logits").kernel)
    return (
        np.moveaxis(kernel[:, units], 0, 2)
        .swapaxes(1, 2)
        .reshape(len(units), *SHAPE, -1)
    )


def quadratic_gradients(model, x, units):
    return 2 * x[..., None] * weights_of(model, units)


def images(count=6, seed=0):
    return np.random.default_rng(seed).normal(size=(count, *SHAPE)).astype("float32")


def some_units(count=6, k=2, seed=0):
    return np.random.default_rng(seed).integers(0, UNITS, (count, k))


def network(end=None, side=12):
    """Return a small convolutional network; ``end`` is how it ends in probabilities."""
    inputs = keras.Input((side, side, CHANNELS))
    x = layers.Conv2D(6, 3, padding="same", use_bias=False)(inputs)
    x = layers.BatchNormalization()(x)
    x = layers.ReLU()(x)
    x = layers.Dropout(0.5)(x)
    x = layers.Conv2D(8, 3, strides=2, activation="relu")(x)
    x = layers.GlobalAveragePooling2D()(x)
    activation = end if end in ("softmax", "sigmoid") else None
    x = layers.Dense(UNITS, activation=activation, name="logits")(x)
    if end == "softmax layer":
        x = layers.Softmax()(x)
    if end == "activation layer":
        x = layers.Activation("softmax")(x)
    if end == "softmax op":
        x = ops.softmax(x)
    model = keras.Model(inputs, x)
    randomize(model)
    return model


def randomize(model, seed=0):
    """Give every variable, including batch-norm statistics, random values."""
    rng = np.random.default_rng(seed)
    for variable in model.variables:
        spread = 0.5 / np.sqrt(np.prod(variable.shape[:-1]) or 1)
        if "int" in variable.dtype:  # The state of a random generator.
            continue
        noise = rng.normal(scale=max(spread, 0.1), size=variable.shape)
        is_scale = "variance" in variable.path or "gamma" in variable.path
        variable.assign(abs(1 + noise) if is_scale else noise)
