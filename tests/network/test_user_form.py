"""What is given beside the inputs is in their form, whatever the network's is."""

import keras
import numpy as np
import pytest
from keras import layers, ops
from support.small_models import numpy

import keras_explainable as ke
from keras_explainable.methods.gradient import gradients
from keras_explainable.methods.meta import noise_grad, smooth

RAW = {"verbose": 0, "postprocessing": None}


@pytest.fixture(scope="module")
def model():
    """A model of an image (C, H, W) and one (H, W), which has no channels."""
    inputs = [keras.Input((3, 6, 8), name="a"), keras.Input((6, 8), name="b")]
    images = [
        layers.Permute((2, 3, 1))(inputs[0]),
        layers.Reshape((6, 8, 1))(inputs[1]),
    ]
    x = layers.Concatenate()(
        [layers.Conv2D(4, 3, activation="tanh")(image) for image in images]
    )
    return keras.Model(inputs, layers.Dense(1)(layers.Flatten()(x)))


@pytest.fixture(scope="module")
def single():
    inputs = keras.Input((3, 6, 8))
    x = layers.Conv2D(4, 3, activation="tanh")(layers.Permute((2, 3, 1))(inputs))
    return keras.Model(inputs, layers.Dense(1)(layers.Flatten()(x)))


@pytest.fixture
def x(rng):
    shapes = [(2, 3, 6, 8), (2, 6, 8)]
    return [rng.normal(size=shape).astype("float32") for shape in shapes]


def flipped(inputs):
    return [ops.flip(each, 1) for each in inputs]


@pytest.mark.parametrize("meta", [lambda each: each, lambda each: noise_grad(each, 2)])
@pytest.mark.parametrize("y", [None, "predicted"])
def test_preprocessing(model, x, meta, y):
    method = meta(smooth(gradients, 2, preprocess=flipped))
    logits = ke.explain(method, model, x, y, verbose=0)[0]
    expected = numpy(model(flipped(map(ops.convert_to_tensor, x))))
    np.testing.assert_allclose(logits, expected, atol=1e-5)


def test_integrated_gradients_add_up_from_the_baseline(model, x):
    baselines = [each[1] for each in x]
    named = dict(zip("ab", baselines, strict=True))
    maps = ke.integrated_gradients(model, x, baseline=named, **RAW)[1]
    total = sum(part.sum((1, 2)) for part in maps)
    expected = numpy(model(x)) - numpy(model([each[None] for each in baselines]))
    np.testing.assert_allclose(total, expected, atol=1e-4)


def test_fill_and_data(single, x):
    x = x[0]
    difference = numpy(single(x)) - numpy(single(x[1:]))
    maps = ke.occlusion(single, x, fill=x[1], size=8, **RAW)[1]
    np.testing.assert_allclose(maps[:, 0, 0], difference, atol=1e-5)
    options = {"data": x[1:], "repetitions": 600, "seed": 0} | RAW
    maps = ke.expected_gradients(single, x, **options)[1]
    tolerance = 0.1 * np.abs(difference).max()
    np.testing.assert_allclose(maps.sum((1, 2)), difference, atol=tolerance)


@pytest.mark.parametrize(
    ("method", "name"),
    [
        (ke.integrated_gradients, "baseline"),
        (ke.occlusion, "fill"),
        (ke.expected_gradients, "data"),
    ],
)
def test_another_form_is_refused(single, x, method, name):
    moved = np.moveaxis(x[0], 1, -1)[slice(None) if name == "data" else 0]
    with pytest.raises(ValueError, match=rf"`{name}` must have the shape \(3, 6, 8\)"):
        method(single, x[0], verbose=0, **{name: moved})


def test_vectors_of_tokens_cannot_be_preprocessed():
    tokens = keras.Input((5,), dtype="int32")
    vectors = layers.Embedding(9, 3)(tokens)
    model = keras.Model(tokens, layers.Dense(2)(layers.Flatten()(vectors)))
    with pytest.raises(ValueError, match="`preprocess` must be None for a model of t"):
        ke.smoothgrad(model, np.ones((1, 5), int), preprocess=flipped, verbose=0)


def test_preprocessing_that_gives_another_shape_is_refused():
    model = keras.Sequential(
        [keras.Input((4, 4, 1)), layers.Flatten(), layers.Dense(2)]
    )
    x = np.ones((2, 4, 4, 1), "float32")
    expected = (
        r"`preprocess` must return .* \(any, 4, 4, 1\); received \(any, 2, 4, 1\)"
    )
    with pytest.raises(ValueError, match=expected):
        ke.explain(
            smooth(gradients, 2, preprocess=lambda x: x[:, ::2]), model, x, verbose=0
        )
