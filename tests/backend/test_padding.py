"""Padding amounts equal those of Keras."""

import keras
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import ops

from keras_explainable.backend.padding import padding_amounts

GEOMETRY = ((3, 3), (1, 1), (1, 1))  # Window, strides, dilation.


def test_valid_and_given_padding():
    assert padding_amounts("valid", (5, 6), *GEOMETRY) == [(0, 0), (0, 0)]
    assert padding_amounts(((1, 0), [2, 3]), (5, 6), *GEOMETRY) == [(1, 0), (2, 3)]


@pytest.mark.parametrize(
    ("size", "window", "stride", "dilation", "expected"),
    [
        (8, 3, 1, 1, (1, 1)),
        (8, 3, 2, 1, (0, 1)),
        (7, 3, 2, 1, (1, 1)),
        (224, 7, 2, 1, (2, 3)),
        (8, 2, 1, 1, (0, 1)),
        (8, 1, 2, 1, (0, 0)),
        (8, 3, 1, 4, (4, 4)),
        (3, 2, 5, 1, (0, 0)),
    ],
)
def test_same_padding(size, window, stride, dilation, expected):
    assert padding_amounts("same", (size,), (window,), (stride,), (dilation,)) == [
        expected
    ]


@given(st.integers(1, 12), st.integers(1, 5), st.integers(1, 4))
def test_same_padding_gives_the_output_size_of_keras(size, window, stride):
    ((before, after),) = padding_amounts("same", (size,), (window,), (stride,), (1,))
    layer = keras.layers.MaxPooling1D(window, stride, "same")
    outputs = layer.compute_output_shape((1, size, 1))[1]
    assert (size + before + after - window) // stride + 1 == outputs
    assert 0 <= after - before <= 1


def test_same_padding_puts_less_in_front():
    x = ops.convert_to_tensor([[[1.0], [2.0], [3.0], [4.0]]])
    kernel = ops.convert_to_tensor(
        [[[1.0]], [[0.0]], [[0.0]]]
    )  # Takes the first value.
    found = ops.conv(x, kernel, strides=2, padding="same")
    ((before, _),) = padding_amounts("same", (4,), (3,), (2,), (1,))
    assert before == 0
    assert ops.convert_to_numpy(found).ravel().tolist() == [1.0, 3.0]
