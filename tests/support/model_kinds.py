"""Kinds of models that users have, each with inputs, by name."""

import keras
import numpy as np
from keras import layers, ops

KINDS = {}


def kind(build):
    KINDS[build.__name__] = build
    return build


def values(*shape):
    return np.random.default_rng(0).normal(size=(3, *shape)).astype("float32")


def classified(inputs, x, **options):
    """Return a model that classifies by features (B, C)."""
    return keras.Model(
        inputs, layers.Dense(4, **{"activation": "softmax"} | options)(x)
    )


def convolved(x, **options):
    """Return features (B, C) of images."""
    x = layers.Conv2D(4, 3, activation="tanh", **options)(x)
    return layers.GlobalAveragePooling2D()(x)


@kind
def functional():
    inputs = keras.Input((10, 12, 3))
    return classified(inputs, convolved(inputs)), values(10, 12, 3)


@kind
def any_size():
    inputs = keras.Input((None, None, 3))
    return classified(inputs, convolved(inputs)), values(9, 14, 3)


@kind
def nested_twice():
    inner = keras.Sequential(
        [keras.Input((10, 12, 3)), layers.Conv2D(4, 3), layers.BatchNormalization()]
    )
    inputs = keras.Input((10, 12, 3))
    middle = keras.Model(inputs, layers.Conv2D(4, 3)(inner(inputs)))
    inputs = keras.Input((10, 12, 3))
    x = layers.GlobalAveragePooling2D()(layers.ELU()(middle(inputs)))
    return classified(inputs, layers.Dropout(0.5)(x)), values(10, 12, 3)


@kind
def transfer_learning():
    size = {"input_shape": (32, 32, 3), "alpha": 0.25}
    backbone = keras.applications.MobileNet(
        weights=None, include_top=False, pooling="avg", **size
    )
    backbone.trainable = False
    inputs = keras.Input((32, 32, 3))
    x = layers.Rescaling(1 / 127.5, -1)(layers.RandomFlip("horizontal")(inputs))
    x = layers.Dropout(0.2)(backbone(x, training=False))
    return classified(inputs, x), 40 * values(32, 32, 3) + 120


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.convolution = layers.Conv2D(4, 3, activation="tanh")
        self.top = layers.Dense(4)

    def call(self, inputs, training=False):
        return self.top(ops.mean(self.convolution(inputs), axis=(1, 2)))


@kind
def subclassed():
    model, x = Subclassed(), values(10, 12, 3)
    model(x)
    return model, x


@kind
def transformer():
    inputs = keras.Input((8, 8, 3))
    x = layers.Reshape((4, 8))(layers.Conv2D(8, 4, strides=4)(inputs))
    x = x + layers.Embedding(4, 8)(ops.arange(4))
    normed = layers.LayerNormalization()(x)
    x = x + layers.MultiHeadAttention(2, 4)(normed, normed)
    x = x + layers.Dense(8, activation="gelu")(layers.LayerNormalization()(x))
    return classified(inputs, layers.GlobalAveragePooling1D()(x)), values(8, 8, 3)


@kind
def preprocessing():
    inputs = keras.Input((10, 12, 3))
    x = layers.RandomFlip()(inputs)
    x = layers.Rescaling(1 / 127.5, -1)(layers.RandomRotation(0.2)(x))
    x = layers.Normalization(mean=[0.1, 0.2, 0.3], variance=[1.0, 2.0, 3.0])(x)
    return classified(inputs, convolved(x)), 50 * values(10, 12, 3) + 100


@kind
def shared_layers():
    inputs = keras.Input((10, 12, 3))
    twice = layers.Conv2D(3, 3, padding="same", activation="tanh")
    return classified(inputs, convolved(twice(twice(inputs)))), values(10, 12, 3)


class Nonlinearity(layers.Layer):
    def call(self, x):
        return x * ops.abs(x)


@kind
def custom_layer():
    inputs = keras.Input((10, 12, 3))
    return classified(inputs, convolved(Nonlinearity()(inputs))), values(10, 12, 3)


@kind
def grayscale():
    inputs = keras.Input((10, 12, 1))
    return classified(inputs, convolved(inputs)), values(10, 12, 1)


@kind
def many_channels():
    inputs = keras.Input((10, 12, 13))
    return classified(inputs, convolved(inputs)), values(10, 12, 13)


@kind
def bytes_in():
    inputs = keras.Input((10, 12, 3), dtype="uint8")
    x = convolved(layers.Rescaling(1 / 255)(inputs))
    x = classified(inputs, x), (64 * values(10, 12, 3) + 128).clip(0, 255)
    return x[0], x[1].astype("uint8")


@kind
def signal():
    inputs = keras.Input((20, 3))
    x = layers.Conv1D(4, 3, activation="tanh")(inputs)
    return classified(inputs, layers.GlobalAveragePooling1D()(x)), values(20, 3)


@kind
def separable_signal():
    inputs = keras.Input((20, 3))
    x = layers.SeparableConv1D(4, 3, activation="tanh")(inputs)
    return classified(inputs, layers.Flatten()(x)), values(20, 3)


@kind
def volume():
    inputs = keras.Input((6, 7, 8, 2))
    x = layers.Conv3D(4, 3, activation="tanh")(inputs)
    return classified(inputs, layers.GlobalAveragePooling3D()(x)), values(6, 7, 8, 2)


@kind
def video():
    inputs = keras.Input((3, 8, 8, 3))
    x = layers.TimeDistributed(layers.Conv2D(3, 3, activation="tanh"))(inputs)
    x = layers.TimeDistributed(layers.GlobalAveragePooling2D())(x)
    return classified(inputs, layers.LSTM(4)(x)), values(3, 8, 8, 3)


@kind
def recurrent():
    inputs = keras.Input((6, 3))
    x = layers.Bidirectional(layers.GRU(4))(layers.Masking()(inputs))
    return classified(inputs, x), values(6, 3)


@kind
def table():
    inputs = keras.Input((9,))
    return classified(inputs, layers.Dense(8, activation="tanh")(inputs)), values(9)


@kind
def tokens():
    inputs = keras.Input((7,), dtype="int32")
    x = layers.Conv1D(4, 3, activation="tanh")(layers.Embedding(10, 4)(inputs))
    x = layers.GlobalAveragePooling1D()(x)
    return classified(inputs, x), np.random.default_rng(0).integers(0, 10, (3, 7))


@kind
def masked_tokens():
    inputs = keras.Input((7,), dtype="int32")
    x = layers.LSTM(4)(layers.Embedding(10, 4, mask_zero=True)(inputs))
    return classified(inputs, x), np.random.default_rng(0).integers(0, 10, (3, 7))


@kind
def regression():
    inputs = keras.Input((10, 12, 3))
    x = layers.Dense(1)(convolved(inputs))
    return keras.Model(inputs, x), values(10, 12, 3)


@kind
def many_labels():
    inputs = keras.Input((10, 12, 3))
    model = classified(inputs, convolved(inputs), activation="sigmoid")
    return model, values(10, 12, 3)


@kind
def two_outputs():
    inputs = keras.Input((10, 12, 3))
    x = convolved(inputs)
    outputs = [layers.Dense(4, activation="softmax")(x), layers.Dense(2)(x)]
    return keras.Model(inputs, outputs), values(10, 12, 3)


@kind
def named_outputs():
    inputs = keras.Input((10, 12, 3))
    x = layers.Conv2D(4, 3, padding="same", activation="tanh")(inputs)
    label = layers.Dense(4, activation="softmax")(layers.GlobalAveragePooling2D()(x))
    outputs = {"label": label, "mask": layers.Conv2D(2, 1)(x)}
    return keras.Model(inputs, outputs), values(10, 12, 3)


@kind
def segmentation():
    inputs = keras.Input((10, 12, 3))
    x = layers.Conv2D(4, 3, padding="same", activation="tanh")(inputs)
    return keras.Model(inputs, layers.Conv2D(2, 1)(x)), values(10, 12, 3)


@kind
def detection():
    inputs = keras.Input((10, 12, 3))
    x = layers.Conv2D(4, 3, strides=3, activation="tanh")(inputs)
    boxes = layers.Reshape((12, 4))(layers.Conv2D(4, 1)(x))
    scores = layers.Reshape((12, 2))(layers.Conv2D(2, 1)(x))
    outputs = {"found": {"boxes": boxes, "scores": scores}}
    return keras.Model(inputs, outputs), values(10, 12, 3)


@kind
def two_inputs():
    image, row = keras.Input((10, 12, 3), name="image"), keras.Input((5,), name="row")
    x = layers.Concatenate()([convolved(image), row])
    return classified([image, row], x), [values(10, 12, 3), values(5)]


@kind
def named_inputs():
    inputs = {
        "words": keras.Input((7,), dtype="int32", name="words"),
        "row": keras.Input((5,), name="row"),
    }
    words = layers.Flatten()(layers.Embedding(10, 4)(inputs["words"]))
    x = layers.Concatenate()([words, layers.Dense(4, "tanh")(inputs["row"])])
    x = layers.Dense(8, activation="tanh")(x)
    numbers = np.random.default_rng(0).integers(0, 10, (3, 7))
    return classified(inputs, x), {"words": numbers, "row": values(5)}


@kind
def augmentation_inside():
    inputs = keras.Input((10, 12, 3))
    random = [layers.RandomRotation(0.2), layers.RandomContrast(0.5)]
    x = convolved(keras.Sequential(random)(inputs))
    return classified(inputs, x), values(10, 12, 3)


@kind
def masked_steps():
    inputs = keras.Input((12, 3))
    x = layers.LSTM(4, return_sequences=True)(layers.Masking()(inputs))
    x, steps = layers.GlobalAveragePooling1D()(x), values(12, 3)
    steps[:, 9:] = 0
    return classified(inputs, x), steps


@kind
def mask_input():
    steps = keras.Input((12, 3), name="steps")
    mask = keras.Input((12,), dtype="bool", name="mask")
    x = layers.LSTM(4)(layers.Conv1D(4, 3, padding="same")(steps), mask=mask)
    return classified([steps, mask], x), [values(12, 3), values(12) > -1]


@kind
def siamese():
    tower = keras.Sequential(
        [keras.Input((10, 12, 3)), layers.Conv2D(4, 3), layers.GlobalMaxPooling2D()]
    )
    one, other = (keras.Input((10, 12, 3), name=name) for name in ("one", "other"))
    x = layers.Subtract()([tower(one), tower(other)])
    return classified([one, other], x), [values(10, 12, 3), values(10, 12, 3) + 1]


@kind
def stateful():
    inputs = keras.Input(batch_shape=(3, 12, 3))
    x = layers.LSTM(4, stateful=True, return_sequences=True)(inputs)
    return classified(inputs, layers.GlobalAveragePooling1D()(x)), values(12, 3)


class MonteCarloDropout(layers.Dropout):
    """Dropout that stays on, to see how sure the model is."""

    def call(self, inputs, training=False):
        return super().call(inputs, training=True)


@kind
def monte_carlo_dropout():
    inputs = keras.Input((10, 12, 3))
    x = MonteCarloDropout(0.2, seed=0)(convolved(inputs))
    return classified(inputs, x), values(10, 12, 3)


@kind
def fixed_batch():
    inputs = keras.Input(batch_shape=(2, 10, 12, 3))
    x = ops.reshape(layers.Conv2D(4, 3, activation="tanh")(inputs), (2, 8 * 10 * 4))
    return classified(inputs, x), values(10, 12, 3)


@kind
def permuted_in_front():
    inputs = keras.Input((3, 10, 12))
    x = layers.Rescaling(2.0)(layers.Permute((2, 3, 1))(inputs))
    return classified(inputs, convolved(x)), values(3, 10, 12)


@kind
def wrapped():
    frame = keras.Sequential(
        [keras.Input((8, 8, 3)), layers.Conv2D(4, 3), layers.GlobalAveragePooling2D()]
    )
    inputs = keras.Input((4, 8, 8, 3))
    x = layers.Bidirectional(layers.LSTM(3))(layers.TimeDistributed(frame)(inputs))
    return classified(inputs, x), values(4, 8, 8, 3)


@kind
def channels_first():
    inputs = keras.Input((3, 10, 12))
    x = layers.Conv2D(4, 3, data_format="channels_first")(inputs)
    x = layers.GlobalAveragePooling2D(data_format="channels_first")(x)
    return classified(inputs, x), values(3, 10, 12)


@kind
def quantized():
    inputs = keras.Input((9,))
    model = classified(inputs, layers.Dense(8, activation="tanh")(inputs))
    model.quantize("int8")
    return model, values(9)


@kind
def legacy():
    """A stand-in for a model of Keras 2, which is known by where its class is from."""
    base = type("Model", (), {"__module__": "tf_keras.src.engine.training"})
    return type("Legacy", (base,), {"__call__": lambda self, x: x})(), values(9)


def _in_policy(name):
    def build():
        before = keras.config.dtype_policy()
        keras.config.set_dtype_policy(name)
        try:
            return functional()
        finally:
            keras.config.set_dtype_policy(before)

    return build


for name in ("mixed_float16", "mixed_bfloat16", "float64"):
    if (name, keras.backend.backend()) != ("float64", "jax"):  # Off by JAX's default.
        KINDS[name] = _in_policy(name)


if keras.backend.backend() == "tensorflow":

    @kind
    def distributed():
        import tensorflow as tf

        with tf.distribute.MirroredStrategy(["CPU:0"]).scope():
            return functional()
