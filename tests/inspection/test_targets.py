"""What to explain: units, the top units, and functions of the outputs."""

import keras
import numpy as np
import pytest
from keras import layers, ops
from support.model_kinds import KINDS
from support.small_models import CHANNELS, UNITS, network, numpy

import keras_explainable as ke
from keras_explainable.methods.gradient import gradients
from keras_explainable.methods.gradient.input_gradients import SIGNED_GRADIENTS


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    return network("softmax")


@pytest.fixture
def x(rng):
    return rng.normal(size=(5, 12, 12, CHANNELS)).astype("float32")


def explained(model, x, y, method=SIGNED_GRADIENTS, **options):
    return ke.explain(method, model, x, y, verbose=0, **options)


def assert_same(found, expected):
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "count"), [("predicted", 1), ("top1", 1), ("top3", 3)]
)
def test_the_top_units(model, x, name, count):
    logits = numpy(ke.inspection.logits_model(model)(x))
    best = np.argsort(-logits, axis=1)[:, :count]
    assert_same(explained(model, x, name, batch_size=2), explained(model, x, best))


def test_the_top_units_of_a_data_set(model, x):
    batches = [x[:3], x[3:]]
    assert_same(explained(model, iter(batches), "top2"), explained(model, x, "top2"))


@pytest.mark.parametrize("name", ["", "best", "top0", "top", "top-1"])
def test_invalid_names_are_rejected(model, x, name):
    with pytest.raises(ValueError, match="`y` must be units, a function, 'predicted'"):
        explained(model, x, name)


@pytest.mark.parametrize("lower", [True, False])
def test_a_contrast_of_two_units(model, x, lower):
    logits, maps = explained(model, x, [[1, 0]] * 5)
    contrast = lambda out: out[:, 1] - out[:, 0]  # noqa: E731
    found = explained(model, x, contrast, lower=lower, logits=True)
    expected = np.diff(logits[:, ::-1]), -np.diff(maps)
    assert_same(found, (expected[0], expected[1]))


def test_a_function_may_return_several_units(model, x):
    found = explained(model, x, lambda out: ops.stack([out[:, 3], out[:, 1]], axis=-1))
    assert_same(found, explained(model, x, [[3, 1]] * 5, logits=False))


def test_a_region_of_a_segmentation():
    model, x = KINDS["segmentation"]()
    logits, maps = explained(
        model, x, lambda out: ops.mean(out[:, 2:5, 3:6, 1], axis=(1, 2))
    )
    expected = numpy(model(x))[:, 2:5, 3:6, 1].mean(axis=(1, 2))
    np.testing.assert_allclose(logits[:, 0], expected, rtol=1e-4, atol=1e-5)
    seen = np.abs(maps[..., 0]).sum(axis=(0, -1)) > 0
    assert seen[1:6, 2:7].all()
    assert seen.sum() == 25  # The region and what a 3 x 3 kernel adds to it.


def test_one_of_several_outputs_by_its_name():
    model, x = KINDS["named_outputs"]()
    logits, _ = explained(model, x, lambda out: ops.mean(out["mask"], axis=(1, 2)))
    expected = numpy(model(x)["mask"]).mean(axis=(1, 2))
    np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-5)


def test_one_of_several_outputs_by_its_position():
    model, x = KINDS["two_outputs"]()
    logits, _ = explained(model, x, lambda out: out[1])
    np.testing.assert_allclose(logits, numpy(model(x)[1]), rtol=1e-4, atol=1e-5)


def test_a_function_of_a_subclassed_model():
    model, x = KINDS["subclassed"]()
    expected = explained(model, x, [[2]] * 3)
    assert_same(explained(model, x, lambda out: out[:, 2]), expected)


def test_functions_within_other_methods(model, x):
    def contrast(out):
        return out[:, 1] - out[:, 0]

    _, maps = ke.smoothgrad(model, x, contrast, repetitions=3, verbose=0)
    assert maps.shape == (5, 12, 12, 1)
    _, maps = ke.gradcam(model, x, contrast, verbose=0)
    assert maps.shape == (5, 12, 12, 1)


@pytest.mark.parametrize("logits", [True, False])
@pytest.mark.parametrize("key", ["label", 0])
def test_a_function_of_a_nested_only_output(model, x, key, logits):
    """The function receives the structure that the model returns, also for logits."""
    output = model.outputs[0]
    wrapped = keras.Model(model.inputs, [output] if key == 0 else {key: output})
    found = explained(wrapped, x, lambda out: out[key][:, 1], logits=logits)
    assert_same(found, explained(model, x, [[1]] * 5, logits=logits))


def test_a_function_of_a_sequential_model_that_was_never_called(x):
    model = keras.Sequential([keras.Input((12, 12, CHANNELS)), layers.Flatten()])
    model.add(layers.Dense(3))
    found = explained(model, x, lambda out: out[:, 1])
    assert_same(found, explained(model, x, [[1]] * 5))


def test_a_function_does_not_change_the_model(model, x):
    before = [layer.__dict__.copy() for layer in model.layers]
    expected = numpy(model(x))
    explained(model, x, lambda out: out[:, :UNITS])
    assert [layer.__dict__ for layer in model.layers] == before
    np.testing.assert_array_equal(numpy(model(x)), expected)


def test_zero_maps_are_reported(x):
    inputs = keras.Input((12, 12, CHANNELS))
    shut = layers.ReLU()(layers.Conv2D(2, 3, bias_initializer="zeros")(inputs) - 1e6)
    model = keras.Model(inputs, layers.Dense(2)(layers.Flatten()(shut)))
    with pytest.warns(UserWarning, match=r"5 of 5 maps are zero everywhere.*dead ReLU"):
        explained(model, x, [0] * 5, gradients)
