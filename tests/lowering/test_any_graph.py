"""Random graphs of layers that are folded and of some that are not."""

import keras
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers
from support.model_equality import assert_lowered_equal, finished

BACKEND = keras.backend.backend()


def conv(**options):
    return layers.Conv2D(**{"filters": 4, "kernel_size": 3, **options})


#: Layers that keep the shape (8, 8, 4), in sequence or in parallel.
LAYERS = {
    "conv": lambda: conv(padding="same"),
    "conv relu": lambda: conv(padding="same", activation="relu"),
    "grouped": lambda: conv(padding="same", groups=2, use_bias=False),
    "depthwise": lambda: layers.DepthwiseConv2D(3, padding="same", use_bias=False),
    "separable": lambda: layers.SeparableConv2D(4, 2, padding="same"),
    "dense": lambda: layers.Dense(4),
    "norm": layers.BatchNormalization,
    "other norm": lambda: layers.BatchNormalization(axis=1),
    "relu": layers.ReLU,
    "relu6": lambda: layers.ReLU(6),
    "leaky": lambda: layers.ReLU(negative_slope=0.3),
    "dropout": lambda: layers.Dropout(0.5),
    "pad": lambda: layers.ZeroPadding2D(((1, 0), (0, 1))),
    "crop": lambda: layers.Cropping2D(((1, 0), (1, 0))),
    "pad conv": lambda: keras.Sequential(
        [keras.Input((None, None, 4)), layers.ZeroPadding2D(1), conv()]
    ),
    "pool": lambda: layers.MaxPooling2D(2, 1, padding="same"),
}


@settings(max_examples=4 if BACKEND == "jax" else 12, deadline=None, derandomize=True)
@given(
    st.lists(
        st.tuples(st.sampled_from(sorted(LAYERS)), st.integers(0, 30), st.booleans()),
        min_size=3,
        max_size=9,
    )
)
def test_any_graph_of_such_layers(choices):
    """Each layer reads any earlier tensor and may be added to the last one."""
    inputs = keras.Input((8, 8, 4))
    tensors = [inputs]
    for kind, number, adds in choices:
        tensor = tensors[-1 - (number // 10) % len(tensors)]
        outputs = LAYERS[kind]()(tensor)
        same = outputs.shape == tensors[-1].shape
        tensors.append(
            layers.Add()([outputs, tensors[-1]]) if adds and same else outputs
        )
    model = finished(inputs, *tensors[-2:])
    assert_lowered_equal(model, tolerance=1e-3)
