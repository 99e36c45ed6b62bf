"""Operations in a user's own layers have corrected derivatives, too."""

import keras
import numpy as np
import pytest
from keras import layers, ops
from support.small_models import numpy

import keras_explainable as ke

SIGNED = {"postprocessing": None, "gradient_filter": lambda x: x, "verbose": 0}


class Product(layers.Layer):
    """Calls operations whose derivatives are wrong or differ, and variables."""

    def build(self, shape):
        self.scale = self.add_weight(shape=(), initializer="ones")
        self.dense = layers.Dense(shape[-1], kernel_initializer="identity")
        self.dense.build(shape)

    def call(self, x):
        x = ops.cumprod(self.dense(x), axis=1) * ops.softplus(self.scale)
        return ops.reshape(x, (ops.shape(x)[0], -1))

    def compute_output_shape(self, shape):
        return shape


class Threshold(layers.Layer):
    """Compares with a variable of its own."""

    def build(self, shape):
        self.least = self.add_weight(shape=(shape[-1],), initializer="zeros")

    def call(self, x):
        return ops.maximum(self.least, ops.minimum(x1=x, x2=self.least + 1.0))


class Distance(layers.Layer):
    """The length of the difference of two equal inputs."""

    def call(self, inputs, training=None):
        one, other = inputs
        apart = ops.abs(one - other)
        return ops.sqrt(ops.sum(ops.square(apart), axis=-1, keepdims=True)) + apart


class Pooled(layers.Layer):
    def __init__(self):
        super().__init__()
        self.pooling = layers.MaxPooling3D(2)

    def call(self, x):
        return self.pooling(x)


class Nested(layers.Layer):
    def __init__(self):
        super().__init__()
        self.inner, self.outer = Pooled(), Pooled()

    def call(self, x):
        return self.outer(self.inner(x))


def model_of(function, *shapes):
    inputs = [keras.Input(shape) for shape in shapes]
    inputs = inputs[0] if len(inputs) == 1 else inputs
    total = ops.sum(layers.Flatten()(function(inputs)), axis=1, keepdims=True)
    return keras.Model(inputs, total)


def maps_of(model, x, **options):
    logits, maps = ke.gradients(model, x, **SIGNED, **options)
    np.testing.assert_allclose(logits, numpy(model(x)), rtol=1e-5)
    return maps


@pytest.mark.parametrize("lower", [True, False])
def test_operations_and_variables(lower):
    layer = Product()
    model = model_of(layer, (3,))
    x = np.float32([[2, 0, 3], [2, 1, 3]])
    for scale in (1, 2):  # Weights may change later.
        layer.scale.assign(scale)
        found = maps_of(model, x, lower=lower)[..., 0] / np.log1p(np.exp(scale))
        np.testing.assert_allclose(found, [[1, 8, 0], [5, 8, 2]], rtol=1e-5)


def test_a_variable_is_compared_with():
    model = model_of(Threshold(), (3,))
    found = maps_of(model, np.float32([[-1, 0.5, 2], [0, 1, 0.1]]))[..., 0]
    np.testing.assert_array_equal(found, [[0, 1, 0], [0, 1, 1]])


def test_several_inputs():
    model = model_of(Distance(), (3,), (3,))
    x = [np.ones((2, 3), "float32")] * 2
    _, maps = ke.gradients(model, x, **SIGNED)
    for each in maps:
        np.testing.assert_array_equal(each, 0)
    assert ke.check_gradients(model, [x[0], 2 * x[1]]).ok


class Root(layers.Layer):
    def call(self, x, cubic=None, shifted=True):
        return (ops.cbrt if cubic else ops.sqrt)(x + 1 if shifted else x)


@pytest.mark.parametrize("given", [{"cubic": None}, {"cubic": False}, {}])
def test_arguments_that_are_no_tensors(given):
    """The slope at 0 is infinite."""
    model = model_of(lambda x: Root()(x, shifted=False, **given), (2,))
    maps = maps_of(model, np.float32([[0, 1]]))
    np.testing.assert_allclose(maps[0, :, 0], [0, 0.5], rtol=1e-5)


@pytest.mark.parametrize("kind", [Pooled, Nested])
def test_layers_inside(kind):
    """The first of equal voxels has the derivative."""
    layer = kind()
    maps = maps_of(model_of(layer, (4, 4, 4, 1)), np.ones((1, 4, 4, 4, 1)))
    assert maps.sum() == (8 if kind is Pooled else 1)
    assert maps[0, 0, 0, 0] == 1
    for each in layer._flatten_layers(include_self=False):
        assert len(each._inbound_nodes) <= 1  # Keras' own call, when it was built.


def root(x):
    return ops.sqrt(x)


FUNCTIONS = {
    "lambda": layers.Lambda(root),
    "activation": layers.Activation(root),
    "of dense": layers.Dense(1, root, kernel_initializer="ones"),
    "on frames": layers.TimeDistributed(layers.Lambda(root)),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_of_the_user_s(name):
    """The slope at 0 is infinite."""
    maps = maps_of(model_of(FUNCTIONS[name], (2, 1)), np.float32([[[0], [4]]]))
    np.testing.assert_allclose(maps[0, :, 0], [0, 0.25], rtol=1e-5)


class ScaledRoot(layers.Layer):
    def build(self, shape):
        self.scale = self.add_weight(shape=shape[1:], initializer="ones")

    def call(self, x):
        return ops.sqrt(x * self.scale)


@pytest.mark.parametrize("policy", ["mixed_float16", "float16"])
def test_half_precision(policy):
    maps = maps_of(model_of(ScaledRoot(dtype=policy), (2,)), np.float32([[0, 4]]))
    np.testing.assert_allclose(maps[0, :, 0], [0, 0.25], rtol=1e-2)


@pytest.mark.parametrize("masked", [False, True])
def test_layers_on_frames(masked):
    """Of vectors of zeros, the derivative of a layer of Keras' is infinite.

    The mask, which has no such step, passes on.
    """
    x = inputs = keras.Input((2, 3))
    if masked:
        x = layers.Masking(9)(x)
    for layer in (layers.UnitNormalization(), Product()):
        x = layers.TimeDistributed(layer)(x)
    x = layers.GlobalAveragePooling1D()(x)
    model = keras.Model(inputs, ops.sum(x, axis=1, keepdims=True))
    maps = maps_of(model, np.float32([[[0, 0, 0], [2, 0, 1]]]))[0, :, 0]
    assert maps[0] == 0
    assert maps[1] > 0
    if masked:
        logits, _ = ke.gradients(model, np.float32([[[9] * 3, [2, 0, 1]]]), verbose=0)
        alone, _ = ke.gradients(model, np.float32([[[2, 0, 1]] * 2]), verbose=0)
        np.testing.assert_allclose(logits, alone, rtol=1e-5)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="right elsewhere")
def test_the_framework_s_own_derivatives_can_be_asked_for():
    maps = maps_of(
        model_of(Product(), (3,)), np.float32([[2, 0, 3]]), derivatives="framework"
    )
    assert maps[0, 1] == 0


class OwnDerivative(layers.Layer):
    """Twice the true derivative, beside an operation that is corrected."""

    def call(self, x):
        @ops.custom_gradient
        def doubled(x):
            def gradient(*args, upstream=None):
                return 2 * (args[0] if upstream is None else upstream)

            return ops.multiply(x, 1), gradient

        return ops.sqrt(ops.clip(doubled(x), 0, 9)) + ops.celu(ops.cumprod(x, axis=1))


class OwnTest(layers.Layer):
    """Computes something else for symbolic tensors."""

    def call(self, x):
        if isinstance(x, keras.KerasTensor):
            return ops.sqrt(x)
        return 2 * ops.sqrt(x)


@pytest.mark.parametrize("kind", [OwnDerivative, OwnTest])
def test_derivatives_of_the_user_s_own_are_kept(kind):
    layer = kind()
    model = model_of(layer, (3,))
    x = np.float32([[1, 4, 1]])
    np.testing.assert_array_equal(
        maps_of(model, x), maps_of(model, x, derivatives="framework")
    )


def test_masks_pass():
    inputs = keras.Input((5, 3))

    class Root(layers.Layer):
        def __init__(self):
            super().__init__()
            self.supports_masking = True

        def call(self, x):
            return ops.sqrt(ops.abs(x))

    model = keras.Model(inputs, layers.LSTM(2)(Root()(layers.Masking()(inputs))))
    x = np.random.default_rng(0).normal(size=(2, 5, 3)).astype("float32")
    x[:, 3:] = 0
    maps = maps_of(model, x)
    assert np.isfinite(maps).all()
    assert not maps[:, 3:].any()
