"""Every layer sees ``training=False``, as in ``model(x, training=False)``."""

import inspect

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers
from support.small_models import numpy

import keras_explainable as ke
from keras_explainable.network.places import places_in_input
from keras_explainable.network.trace_model import trace

gradient, cams = ke.methods.gradient, ke.methods.cams

#: Layers that change images in training, and by default.
AUGMENTATIONS = {
    "rotation": lambda: layers.RandomRotation(0.3),
    "contrast": lambda: layers.RandomContrast(0.5),
    "noise": lambda: layers.GaussianNoise(1.0),
    "own": lambda: OnByDefault(),
    "nested": lambda: keras.Sequential([layers.RandomZoom(0.5), layers.Dropout(0.5)]),
    "after": lambda: keras.Sequential([TurnsOn(), layers.RandomInvert(1.0)]),
}

FEW = {"repetitions": 4, "noise_level": 0.2, "seed": 0}
METHODS = {
    "gradients": (gradient.gradients, {}),
    "guided": (gradient.guided_gradients, {}),
    "full": (gradient.full_gradients, {}),
    "gradcam": (cams.gradcam, {}),
    "cam": (cams.cam, {}),
    "scorecam": (cams.scorecam, {}),
    "slopes": (gradient.smooth_gradients, {**FEW, "estimator": "slopes"}),
    "hybrid": (gradient.smooth_gradients, {**FEW, "estimator": "hybrid"}),
    "noise_grad": (ke.methods.meta.noise_grad(gradient.gradients, 2, seed=0), {}),
    "tta": (ke.methods.meta.tta(gradient.gradients, scales=()), {}),
}


class OnByDefault(layers.Layer):
    """Triples its input unless it is told that this is not training."""

    def call(self, inputs, training=True):
        return 3 * inputs if training else inputs


class TurnsOn(layers.Layer):
    """Calls an inner layer in training mode, as Monte Carlo dropout does."""

    def __init__(self):
        super().__init__()
        self.inner = layers.GaussianDropout(1e-12)

    def call(self, inputs):
        return self.inner(inputs, training=True)


def network(augmentations):
    """Return a network with the named layers before and after a convolution."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8, 8, 3))
    x, convolution = inputs, layers.Conv2D(4, 3, padding="same", activation="relu")
    for name in augmentations[::2]:
        x = AUGMENTATIONS[name]()(x)
    x = convolution(x)
    for name in augmentations[1::2]:
        x = AUGMENTATIONS[name]()(x)
    x = layers.Conv2D(5, 3, activation="relu")(x)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(3, activation="softmax")(x))


def without(model):
    """Return the network with the same weights and nothing in between."""
    plain = network([])
    seeds = {id(v) for v in model.non_trainable_variables}
    plain.set_weights([numpy(v) for v in model.weights if id(v) not in seeds])
    return plain


@pytest.mark.parametrize("name", METHODS)
def test_maps_are_those_of_the_network_without_augmentation(name, rng):
    method, params = METHODS[name]
    x = rng.normal(size=(2, 8, 8, 3)).astype("float32")
    model = network(["rotation", "own", "after", "nested"])
    logits, maps = ke.explain(method, model, x, [0, 2], verbose=0, **params)
    expected = ke.explain(method, without(model), x, [0, 2], verbose=0, **params)
    np.testing.assert_allclose(logits, expected[0], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(maps, expected[1], rtol=1e-3, atol=1e-5)


@settings(max_examples=10, deadline=None)
@given(st.lists(st.sampled_from([*AUGMENTATIONS]), min_size=1, max_size=4))
def test_any_graph_computes_what_the_model_does(names):
    x = np.random.default_rng(0).normal(size=(2, 8, 8, 3)).astype("float32")
    model = network(names)
    expected = numpy(model(x, training=False))
    np.testing.assert_allclose(numpy(without(model)(x)), expected, atol=1e-6)
    np.testing.assert_allclose(numpy(trace(model).run((x,))), expected, atol=1e-6)
    lowered = ke.lowering.lower(model)
    np.testing.assert_allclose(numpy(lowered(x)), expected, atol=1e-6)


#: Arguments of layers that cannot be made without.
ARGUMENTS = {
    "Bidirectional": lambda: {"layer": layers.LSTM(2, dropout=0.5)},
    "EinsumDense": lambda: {"equation": "bhwc,cd->bhwd", "output_shape": (8, 8, 2)},
    "GroupQueryAttention": lambda: {
        "head_dim": 2,
        "num_query_heads": 2,
        "num_key_value_heads": 1,
    },
    "Lambda": lambda: {"function": lambda x, training=True: x * (2 if training else 1)},
    "Pipeline": lambda: {"layers": [layers.RandomInvert(1.0)]},
    "RandomPosterization": lambda: {"factor": 4},
    "RNN": lambda: {"cell": layers.LSTMCell(2, dropout=0.5)},
    "SpectralNormalization": lambda: {"layer": layers.Dense(2)},
    "TimeDistributed": lambda: {"layer": layers.Dropout(0.5)},
}
VALUES = {
    "rate": 0.5, "stddev": 1.0, "units": 2, "filters": 2, "kernel_size": 3,
    "factor": 0.5, "height": 4, "width": 4, "height_factor": 0.5, "width_factor": 0.5,
    "num_heads": 2, "key_dim": 2,
}  # fmt: skip
SHAPES = {
    **dict.fromkeys(["SpatialDropout1D", "LSTM", "GRU", "SimpleRNN", "RNN"], (6, 4)),
    **dict.fromkeys(["Bidirectional", "TimeDistributed", "ConvLSTM0D"], (6, 4)),
    **dict.fromkeys(["GroupQueryAttention", "MultiHeadAttention"], (6, 4)),
    **dict.fromkeys(["AdditiveAttention", "Attention"], (6, 4)),
    **{f"ConvLSTM{n}D": (2, *(5,) * n, 3) for n in (1, 2, 3)},
    "SpatialDropout3D": (4, 4, 4, 3),
}

#: What the layers read that read more than one tensor.
READS = {
    **dict.fromkeys(["AdditiveAttention", "Attention"], lambda x: [[x, x]]),
    **dict.fromkeys(["GroupQueryAttention", "MultiHeadAttention"], lambda x: [x, x]),
}

#: No layers of a graph of their own: cells, boxes, layers of other frameworks, and
#: Equalization, whose symbolic output is its input, which Keras calls a cycle.
OTHERS = {
    "Equalization", "FlaxLayer", "GRUCell", "JaxLayer", "LSTMCell",
    "MaxNumBoundingBoxes", "SimpleRNNCell", "StackedRNNCells", "TFSMLayer",
    "TorchModuleWrapper",
}  # fmt: skip


def aware_layers():
    """Return the names of all layers of Keras whose ``call`` takes ``training``."""
    kinds = {n: k for n, k in vars(layers).items() if inspect.isclass(k)}
    calls = {n: k.call for n, k in kinds.items() if issubclass(k, layers.Layer)}
    aware = [
        n for n, c in calls.items() if "training" in inspect.signature(c).parameters
    ]
    return sorted({*aware} - OTHERS)


def made(name):
    kind = getattr(layers, name)
    needed = [
        parameter.name
        for parameter in inspect.signature(kind).parameters.values()
        if parameter.default is parameter.empty and parameter.name in VALUES
    ]
    return kind(**ARGUMENTS.get(name, lambda: {n: VALUES[n] for n in needed})())


@pytest.mark.filterwarnings("ignore:[\\s\\S]*dtype int64")  # Of MixUp on JAX.
@pytest.mark.parametrize("name", aware_layers())
def test_each_layer_of_keras(name):
    symbol = keras.Input(SHAPES.get(name, (8, 8, 3)))
    attends, pairs = (
        name.endswith("Attention"),
        name in ("Attention", "AdditiveAttention"),
    )
    layer = made(name)
    outputs = layer([symbol, symbol]) if pairs else None
    outputs = layer(symbol, symbol) if attends and not pairs else outputs
    model = keras.Model(symbol, layer(symbol) if outputs is None else outputs)
    x = np.random.default_rng(0).uniform(size=(3, *symbol.shape[1:])).astype("float32")
    expected = numpy(model(x, training=False))
    graph = trace(model)
    np.testing.assert_allclose(numpy(graph.run((x,))), expected, atol=1e-6)
    assert places_in_input(graph, 0, [x.shape[1:]])  # As for maps of what it outputs.
