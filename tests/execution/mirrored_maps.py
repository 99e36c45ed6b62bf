"""Maps of models with two replicas on the CPU; started by ``test_several_devices``."""

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

import keras_explainable as ke
from keras_explainable.methods.gradient import gradients
from keras_explainable.methods.meta import noise_grad, smooth

SIDE = 8
COLORS = (SIDE, SIDE, 3)
#: Rows and devices of runs of `Seen`.
seen = set()


@keras.saving.register_keras_serializable("tests")
class Seen(layers.Layer):
    def call(self, x):
        x = ops.tanh(x)
        seen.add((x.shape[0], getattr(x, "device", "")[-5:]))
        return x


def convolutional():
    x = inputs = keras.Input(COLORS)
    x = layers.Conv2D(4, 3, name="conv")(x)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.Dropout(0.5)(layers.GlobalAveragePooling2D()(Seen()(x)))
    return keras.Model(inputs, layers.Dense(5)(x))


def of_two_inputs():
    inputs = {
        "image": keras.Input(COLORS, name="image"),
        "facts": keras.Input((4,), name="facts"),
    }
    x = layers.Flatten()(layers.Conv2D(2, 3)(inputs["image"]))
    x = layers.Concatenate()([x, layers.Dense(3)(inputs["facts"])])
    return keras.Model(inputs, layers.Dense(5)(Seen()(x)))


def with_state():
    inputs = keras.Input((SIDE, 3), batch_size=4)
    x = layers.GRU(4, stateful=True)(inputs)
    return keras.Model(inputs, layers.Dense(5)(Seen()(x)))


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.conv, self.norm = layers.Conv2D(4, 3), layers.BatchNormalization()
        self.pool, self.dense = layers.GlobalAveragePooling2D(), layers.Dense(5)
        self.see = Seen()

    def call(self, x):
        return self.dense(self.pool(self.see(self.norm(self.conv(x)))))


def subclassed():
    model = Subclassed()
    model(np.zeros((1, *COLORS), "float32"))
    return model


def images(*shape):
    """Five: the last batch is padded."""
    return np.random.default_rng(0).normal(size=(5, *shape)).astype("float32")


#: Replicas pad their rows, too.
GIVEN = {"batch_size": 3, "verbose": 0}
SAMPLED = {"repetitions": 8, "estimator": "sampled"}
X = images(*COLORS)
CASES = {
    "gradients": lambda m: ke.gradients(m(convolutional), X, **GIVEN),
    "sampled": lambda m: ke.smoothgrad(m(convolutional), X, **SAMPLED, **GIVEN),
    "slopes": lambda m: ke.smoothgrad(m(convolutional), X[:2], "top3", verbose=0),
    "cam": lambda m: ke.gradcam(m(convolutional), X, "predicted", **GIVEN),
    "scorecam": lambda m: ke.scorecam(m(convolutional), X, "predicted", **GIVEN),
    "fullgradients": lambda m: ke.full_gradients(
        m(convolutional), X, "predicted", **GIVEN
    ),
    "weights": lambda m: ke.explain(
        noise_grad(smooth(gradients, 4, seed=0), 3, seed=0),
        m(convolutional),
        X,
        "predicted",
        **GIVEN,
    ),
    "target": lambda m: ke.gradients(
        m(convolutional), X, lambda outputs: ops.max(outputs, axis=1), **GIVEN
    ),
    "inputs": lambda m: ke.smoothgrad(
        m(of_two_inputs), {"image": X, "facts": images(4)}, **SAMPLED, **GIVEN
    ),
    "state": lambda m: ke.gradients(m(with_state), images(SIDE, 3), **GIVEN),
    "subclass": lambda m: ke.smoothgrad(m(subclassed), X, **SAMPLED, **GIVEN),
}


def built(build):
    keras.utils.set_random_seed(0)
    return build()


def mirrored(build):
    with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
        return built(build)


def assert_equal(found, expected):
    np.testing.assert_allclose(found, expected, 1e-4, 1e-5)


def main():
    (cpu,) = tf.config.list_physical_devices("CPU")
    two = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(cpu, two)
    for name, maps_of in CASES.items():
        expected = maps_of(built)
        seen.clear()
        found = maps_of(mirrored)
        keras.tree.map_structure(assert_equal, found.maps, expected.maps)
        assert_equal(found.logits, expected.logits)
        devices = {device for _, device in seen}
        assert devices >= {"CPU:0", "CPU:1"}, f"{name}: {seen}"


if __name__ == "__main__":
    main()
