"""Folded layers: each type computes the same outputs, with each of its options."""

import keras
import numpy as np
import pytest
from keras import layers
from support.model_equality import (
    assert_lowered_equal,
    batch,
    count,
    finished,
    operations,
)

from keras_explainable.lowering.lowered_layers import Affine
from keras_explainable.network.operation_kinds import LINEAR, relu_limit

LINE, PICTURE, VOLUME = (9, 4), (8, 7, 4), (5, 4, 6, 2)

SAME, HALVED = {"padding": "same"}, {"strides": 2}

#: Type of layer, its options, and the shape of the input.
CASES = [
    (layers.Dense, {"units": 3}, (6,)),
    (layers.Dense, {"units": 3}, (4, 6)),
    (layers.Dense, {"units": 3}, PICTURE),
    (layers.Conv1D, {"filters": 4, "kernel_size": 3}, LINE),
    (layers.Conv1D, {"filters": 4, "kernel_size": 3, "padding": "causal"}, LINE),
    (layers.Conv1D, {"filters": 4, "kernel_size": 2, **HALVED, **SAME}, LINE),
    (layers.Conv1D, {"filters": 6, "kernel_size": 3, "groups": 2}, LINE),
    (layers.Conv1D, {"filters": 3, "kernel_size": 3, "dilation_rate": 2}, LINE),
    (layers.Conv2D, {"filters": 5, "kernel_size": 3}, PICTURE),
    (layers.Conv2D, {"filters": 5, "kernel_size": 1, **HALVED}, PICTURE),
    (layers.Conv2D, {"filters": 5, "kernel_size": (2, 3), **SAME}, PICTURE),
    (layers.Conv2D, {"filters": 5, "kernel_size": 3, **HALVED, **SAME}, PICTURE),
    (layers.Conv2D, {"filters": 3, "kernel_size": 3, "strides": (2, 1)}, (14, 20, 2)),
    (layers.Conv2D, {"filters": 6, "kernel_size": 3, "groups": 2}, PICTURE),
    (layers.Conv2D, {"filters": 8, "kernel_size": 3, "groups": 4}, PICTURE),
    (layers.Conv2D, {"filters": 3, "kernel_size": 2, "dilation_rate": (2, 3)}, PICTURE),
    (layers.Conv2D, {"filters": 3, "kernel_size": 3, "dilation_rate": 2}, (11, 12, 2)),
    (layers.Conv3D, {"filters": 3, "kernel_size": 2, **SAME}, VOLUME),
    (layers.Conv3D, {"filters": 3, "kernel_size": (1, 2, 3), **HALVED}, VOLUME),
    (layers.DepthwiseConv1D, {"kernel_size": 3}, LINE),
    (layers.DepthwiseConv1D, {"kernel_size": 3, "depth_multiplier": 2}, LINE),
    (layers.DepthwiseConv2D, {"kernel_size": 3}, PICTURE),
    (layers.DepthwiseConv2D, {"kernel_size": 3, **HALVED, **SAME}, PICTURE),
    (layers.DepthwiseConv2D, {"kernel_size": 3, "depth_multiplier": 2}, PICTURE),
    (layers.DepthwiseConv2D, {"kernel_size": 5, **SAME}, PICTURE),
    (layers.DepthwiseConv2D, {"kernel_size": 2, "dilation_rate": 2}, PICTURE),
    (layers.DepthwiseConv2D, {"kernel_size": (3, 2), **SAME}, (6, 6, 1)),
    (layers.SeparableConv1D, {"filters": 3, "kernel_size": 3}, LINE),
    (layers.SeparableConv2D, {"filters": 3, "kernel_size": 3}, PICTURE),
    (
        layers.SeparableConv2D,
        {"filters": 3, "kernel_size": 3, "depth_multiplier": 2},
        PICTURE,
    ),
    (layers.SeparableConv2D, {"filters": 3, "kernel_size": 3, **HALVED}, PICTURE),
    (layers.SeparableConv2D, {"filters": 3, "kernel_size": 3, **SAME}, PICTURE),
    (layers.Conv1DTranspose, {"filters": 3, "kernel_size": 3, **HALVED}, LINE),
    (layers.Conv2DTranspose, {"filters": 3, "kernel_size": 3}, PICTURE),
    (layers.Conv2DTranspose, {"filters": 3, "kernel_size": 4, **HALVED}, PICTURE),
    (layers.Conv3DTranspose, {"filters": 3, "kernel_size": 2}, VOLUME),
]
#: The layer before the first one has a bias, the layer before the second has none.
NORMS = [{"center": False, "epsilon": 0.1}, {}]


def title(case):
    kind, options, shape = case
    texts = [f"{key}={value}" for key, value in options.items()]
    return f"{kind.__name__}({', '.join(texts)}) of {shape}"


def test_the_cases_include_every_linear_layer():
    assert {kind for kind, *_ in CASES} == set(LINEAR)


@pytest.mark.parametrize("case", CASES, ids=title)
def test_a_norm_after_a_linear_layer_is_folded_into_it(case):
    kind, options, shape = case
    inputs, ends = keras.Input(shape), []
    for number, norm in enumerate(NORMS):
        outputs = kind(**options, use_bias=number % 2 == 0)(inputs)
        outputs = layers.BatchNormalization(**norm)(outputs)
        ends.append(layers.Activation("relu" if number else "softplus")(outputs))
    model = finished(inputs, *ends)
    lowered = assert_lowered_equal(model)
    assert not count(lowered, layers.BatchNormalization, Affine)
    folded = [op.source.norm for op in operations(lowered) if hasattr(op, "source")]
    assert sum(norm is not None for norm in folded) == len(NORMS)


@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize("scale", [True, False])
def test_norms_with_and_without_gamma_and_beta(scale, center):
    inputs, options = keras.Input(PICTURE), {"scale": scale, "center": center}
    folded = layers.BatchNormalization(**options)(layers.Conv2D(2, 3)(inputs))
    alone = layers.BatchNormalization(**options, epsilon=0.01)(inputs)
    before_relu = layers.BatchNormalization(**options)(inputs)
    model = finished(inputs, folded, alone, layers.ReLU()(before_relu))
    lowered = assert_lowered_equal(model)
    assert count(lowered, Affine) == 2
    assert not count(lowered, layers.BatchNormalization, layers.ReLU)


@pytest.mark.parametrize("kind", [layers.Conv2D, layers.SeparableConv2D, layers.Dense])
def test_a_layers_own_activation_is_kept(kind):
    inputs = keras.Input(PICTURE)
    options = {} if kind is layers.Dense else {"kernel_size": 3}
    kept = ["relu", "relu6", "tanh", "leaky_relu"]
    ends = [kind(2, **options, activation=name)(inputs * 5) for name in kept]
    assert_lowered_equal(finished(inputs, *ends))


@pytest.mark.parametrize(
    "relu",
    [
        layers.ReLU(),
        layers.ReLU(6),
        layers.ReLU(3),
        layers.ReLU(negative_slope=0.2),
        layers.ReLU(threshold=0.5),
        layers.ReLU(max_value=2, negative_slope=0.1, threshold=0.3),
        layers.ReLU(max_value=0.0),
        layers.LeakyReLU(0.3),
        layers.ELU(),
        layers.Activation("relu"),
        layers.Activation("relu6"),
        layers.Activation("hard_swish"),
        layers.Activation(lambda x: 2 * keras.ops.relu(x)),
        keras.ops.relu,
        keras.ops.relu6,
    ],
)
def test_every_relu_is_preserved(relu):
    """Also at its kinks, where the derivative is a convention."""
    inputs = keras.Input((6, 6, 3))
    after_conv = relu(layers.Conv2D(4, 3, use_bias=False)(inputs))
    normed = layers.BatchNormalization()(layers.Conv2D(4, 3)(inputs))
    after_norm = relu(layers.BatchNormalization()(inputs))
    model = finished(inputs, after_conv, relu(normed), after_norm, relu(inputs))
    x = 6 * batch(model)
    if not isinstance(
        relu, layers.LeakyReLU
    ):  # JAX has another one, which is corrected.
        x[0] = 0
    assert_lowered_equal(model, x)


@pytest.mark.parametrize("shape", [(8, 8, 3), (7, 9, 3)])
def test_max_pooling(shape):
    inputs = keras.Input(shape)
    outputs = layers.Conv2D(3, 2)(inputs)  # Some are negative, unlike zero padding.
    windows = [(2, None), (3, 2), (2, 3), ((3, 1), 1)]
    ends = [
        layers.MaxPooling2D(size, strides, padding)(outputs)
        for size, strides in windows
        for padding in ("valid", "same")
    ]
    assert_lowered_equal(finished(inputs, *ends))


def test_inputs_of_any_size():
    inputs = keras.Input((None, None, 3))
    outputs = layers.Conv2D(4, 3, strides=2, padding="same")(inputs)
    outputs = layers.ReLU()(layers.BatchNormalization()(outputs))
    outputs = layers.DepthwiseConv2D(3, padding="same", activation="relu")(outputs)
    outputs = layers.MaxPooling2D(3, 2, "same")(outputs)
    model = finished(inputs, layers.GlobalMaxPooling2D()(outputs))
    rng = np.random.default_rng(0)
    for size in [(8, 9), (5, 6)]:
        x = rng.normal(size=(2, *size, 3)).astype("float32")
        assert_lowered_equal(model, x)


def test_relu_limits():
    limits = [layers.ReLU(), layers.ReLU(6), keras.activations.relu]
    assert list(map(relu_limit, limits)) == [np.inf, 6, np.inf]
    others = [layers.ReLU(3), layers.ReLU(negative_slope=0.1), layers.ReLU(threshold=1)]
    others += [None, keras.activations.tanh, layers.LeakyReLU(0.1), layers.Dense(2)]
    assert [relu_limit(other) for other in others] == [None] * len(others)
