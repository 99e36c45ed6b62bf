"""No call changes a variable of the model: states, seeds and statistics are kept."""

import keras
import numpy as np
import pytest
from keras import layers, ops
from support.small_models import numpy

import keras_explainable as ke

gradient, cams, meta = ke.methods.gradient, ke.methods.cams, ke.methods.meta


class MonteCarloDropout(layers.Dropout):
    """Dropout that stays on."""

    def call(self, inputs, training=False):
        return super().call(inputs, training=True)


class Counter(layers.Layer):
    """Counts its calls, and adds a loss."""

    def build(self, shape):
        self.calls = self.add_weight(shape=(), initializer="zeros", trainable=False)

    def call(self, inputs):
        self.calls.assign_add(1.0)
        self.add_loss(ops.sum(inputs))
        return inputs * (1 + self.calls)


def stateful():
    """A recurrent layer that goes on where the last call ended."""
    body = layers.LSTM(4, stateful=True, return_sequences=True, name="last")
    pooling = layers.GlobalAveragePooling1D()
    start = keras.Input(batch_shape=(2, 5, 3))
    return keras.Sequential([start, body, pooling, layers.Dense(2)])


def convolutional(layer):
    x = start = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, activation="relu", name="last")(layer(x))
    return keras.Model(start, layers.Dense(2)(layers.GlobalAveragePooling2D()(x)))


class Subclassed(keras.Model):
    """A model whose layers are not known, with dropout that stays on."""

    def __init__(self):
        super().__init__()
        self.drop, self.head = MonteCarloDropout(0.5), layers.Dense(2)

    def call(self, inputs):
        return self.head(ops.mean(self.drop(inputs), axis=(1, 2)))


KINDS = {
    "stateful": stateful,
    "dropout": lambda: convolutional(MonteCarloDropout(0.5)),
    "counter": lambda: convolutional(Counter()),
    "subclassed": Subclassed,
}
FEW = {"repetitions": 4, "noise_level": 0.2, "seed": 0}
METHODS = {
    "gradients": (gradient.gradients, {}),
    "smooth": (meta.smooth(gradient.gradients, 3, seed=0), {}),
    "integrated": (gradient.integrated_gradients, {"n_steps": 4}),
    "gradcam": (cams.gradcam, {"layer": "last"}),
    "hybrid": (gradient.smooth_gradients, {**FEW, "estimator": "hybrid"}),
    "noise_grad": (meta.noise_grad(gradient.gradients, 2, seed=0), {}),
}


def made(kind, rng):
    """Return a model that was called once, and inputs."""
    model = KINDS[kind]()
    shape = (5, 3) if kind == "stateful" else (8, 8, 3)
    x = rng.normal(size=(2, *shape)).astype("float32")
    model(x)
    return model, x


def values(model):
    return [numpy(variable).copy() for variable in model.variables]


def explained(name, model, x, **options):
    method, params = METHODS[name]
    options = {"verbose": 0, "batch_size": 2, **options}
    return ke.explain(method, model, x, [0, 1], **params, **options)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", METHODS)
def test_variables_are_the_same_afterwards(kind, name, rng):
    if kind == "subclassed" and name in ("gradcam", "noise_grad"):
        pytest.skip("needs the layers")
    model, x = made(kind, rng)
    before = values(model)
    with np.testing.suppress_warnings() as unheard:
        unheard.filter(UserWarning)
        logits, maps = explained(name, model, x)
        again = explained(name, model, x, lower=False)
    for old, new in zip(before, values(model), strict=True):
        np.testing.assert_array_equal(old, new)
    assert all(np.isfinite(numpy(loss)) for loss in model.losses)  # None is symbolic.
    np.testing.assert_allclose(again[0], logits, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(again[1], maps, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_methods_called_directly_keep_them_too(kind, rng):
    model, x = made(kind, rng)
    before = values(model)
    gradient.gradients(model, x, [0, 1])
    meta.smooth(gradient.gradients, 2)(model, x, [0, 1], rows=2)
    if kind != "subclassed":
        cams.gradcam(model, x, [0, 1], layer="last")
    for old, new in zip(before, values(model), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize("kind", KINDS)
def test_an_exception_keeps_them_too(kind, rng):
    model, x = made(kind, rng)
    before = values(model)

    class Interrupting(keras.callbacks.Callback):
        def on_explain_progress(self, done, total):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        explained("smooth", model, x, callbacks=[Interrupting()])
    for old, new in zip(before, values(model), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize("kind", KINDS)
def test_the_logits_are_those_of_the_next_call(kind, rng):
    model, x = made(kind, rng)
    logits, _ = explained("gradients", model, x)
    expected = numpy(model(x, training=False))[[0, 1], [0, 1]]
    np.testing.assert_allclose(logits[:, 0], expected, rtol=1e-4, atol=1e-6)


def test_a_model_that_was_never_called_is_built(rng):
    x = rng.normal(size=(2, 8, 8, 3)).astype("float32")
    for explain in (explained, lambda name, *args: METHODS[name][0](*args, [0, 1])):
        model = Subclassed()
        first, _ = explain("gradients", model, x)
        expected = numpy(model(x, training=False))[[0, 1], [0, 1]]
        np.testing.assert_allclose(numpy(first)[:, 0], expected, rtol=1e-5)


@pytest.mark.skipif(keras.backend.backend() != "torch", reason="PyTorch's modules")
def test_modules_stay_in_training_mode(rng):
    torch = pytest.importorskip("torch")
    module = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Dropout())
    wrapper = layers.TorchModuleWrapper(module, output_shape=(None, 3))
    inputs = keras.Input((4,))
    model = keras.Model(inputs, wrapper(inputs))
    module.train()
    module[1].eval()
    ke.gradients(model, rng.uniform(size=(2, 4)).astype("float32"), verbose=0)
    assert [each.training for each in module.modules()] == [True, True, False]
