"""`explain` behaves like `Model.predict`, over every kind of data."""

import itertools
from functools import partial

import keras
import numpy as np
import pytest
from keras import ops
from support.small_models import (
    SHAPE,
    UNITS,
    images,
    linear,
    network,
    numpy,
    quadratic,
    quadratic_gradients,
    some_units,
)

import keras_explainable as ke
from keras_explainable.methods.gradient import gradients
from keras_explainable.methods.meta import smooth

BACKEND = keras.backend.backend()
SIGNED = partial(gradients, gradient_filter=None, channel_reduction=None)
COUNT = 11

explain = ke.partial_explain(SIGNED, verbose=0)


@pytest.fixture
def model():
    return quadratic()


@pytest.fixture
def x():
    return images(COUNT)


@pytest.fixture
def y():
    return some_units(COUNT)


def batches(x, y=None, size=4):
    for start in range(0, len(x), size):
        rows = slice(start, start + size)
        yield x[rows] if y is None else (x[rows], y[rows])


class Sequence(keras.utils.PyDataset):
    def __init__(self, x, y):
        super().__init__()
        self.items = list(batches(x, y))

    def __len__(self):
        return len(self.items)

    def __getitem__(self, index):
        return self.items[index]


def tf_dataset(x, y):
    tf = pytest.importorskip("tensorflow")
    return tf.data.Dataset.from_tensor_slices((x, y)).batch(4)


def data_loader(x, y):
    data = pytest.importorskip("torch.utils.data")
    torch = pytest.importorskip("torch")
    pairs = data.TensorDataset(torch.tensor(x), torch.tensor(y))
    return data.DataLoader(pairs, batch_size=4)


def test_arrays(model, x, y):
    logits, maps = explain(model, x, y)
    assert isinstance(logits, np.ndarray)
    assert isinstance(maps, np.ndarray)
    np.testing.assert_allclose(
        maps, quadratic_gradients(model, x, y), rtol=1e-4, atol=1e-6
    )
    outputs = np.take_along_axis(model.predict(x, verbose=0), y, axis=1)
    np.testing.assert_allclose(logits, outputs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("batch_size", [1, 3, 4, 11, 64])
def test_every_batch_size_gives_the_same(model, x, y, batch_size):
    method = smooth(SIGNED, 5, 0.1, seed=0)
    expected = ke.explain(method, model, x, y, verbose=0)
    found = ke.explain(method, model, x, y, verbose=0, batch_size=batch_size)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("source", [batches, Sequence, tf_dataset, data_loader])
@pytest.mark.parametrize("batch_size", [3, 32])
def test_data_sets(model, x, y, source, batch_size):
    method = smooth(SIGNED, 5, 0.1, seed=0)
    expected = ke.explain(method, model, x, y, verbose=0)
    data = source(x, y)
    found = ke.explain(method, model, data, verbose=0, batch_size=batch_size)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_data_sets_of_inputs_only_explain_every_unit(model, x):
    _, maps = explain(model, batches(x))
    assert maps.shape == (COUNT, *SHAPE, UNITS)


def test_lists_tensors_and_weights_in_tuples(model, x, y):
    expected = explain(model, x, y)[1]
    weighted = ((a, b, np.ones(len(a))) for a, b in batches(x, y))
    for data, units in [
        (x.tolist(), y.tolist()),
        (ops.convert_to_tensor(x), ops.convert_to_tensor(y)),
        (x.astype("float64"), y),
        (weighted, None),
    ]:
        np.testing.assert_allclose(
            explain(model, data, units)[1], expected, rtol=1e-4, atol=1e-5
        )


def test_tensors_of_another_framework(model, x, y):
    torch = pytest.importorskip("torch")
    tensor = torch.tensor(x, requires_grad=True)
    _, maps = explain(model, tensor, torch.tensor(y))
    np.testing.assert_allclose(maps, explain(model, x, y)[1], rtol=1e-5)
    assert tensor.grad is None


def test_steps_end_what_never_ends(model, x, y):
    endless = itertools.cycle(batches(x, y, 2))
    assert len(explain(model, endless, steps=3)[0]) == 6
    assert len(explain(model, x, y, steps=2, batch_size=4)[0]) == 8


def test_ids_make_an_image_alone_equal_to_itself_among_others(model, x, y):
    method = smooth(SIGNED, 4, 0.2, seed=0)
    together = ke.explain(method, model, x, y, verbose=0, batch_size=4)[1]
    for ids in ([6, 7], np.array([6, 7], "uint8")):
        pair = ke.explain(method, model, x[6:8], y[6:8], verbose=0, ids=ids)[1]
        np.testing.assert_allclose(pair, together[6:8], rtol=1e-4, atol=1e-5)
    other = ke.explain(method, model, x[6:8], y[6:8], verbose=0)[1]
    assert not np.allclose(other, together[6:8], rtol=1e-3)


def test_logits_are_explained_and_outputs_on_request():
    model = network("softmax")
    x = np.random.default_rng(0).normal(size=(2, 12, 12, 3))
    p = model.predict(x, verbose=0)
    logits, _ = ke.explain(SIGNED, model, x, verbose=0)
    outputs, maps = ke.explain(SIGNED, model, x, verbose=0, logits=False)
    np.testing.assert_allclose(outputs, p, rtol=1e-5)
    exps = np.exp(logits)
    np.testing.assert_allclose(exps / exps.sum(axis=1, keepdims=True), p, rtol=1e-4)
    # Probabilities sum to one, so their gradients sum to zero.
    np.testing.assert_allclose(maps.sum(axis=-1), 0, atol=1e-6)


def test_compiled_once_for_all_batches_and_calls(x, y):
    shapes = []

    def recorded(model, inputs, indices=None):
        shapes.append(tuple(inputs.shape))
        return gradients(model, inputs, indices)

    model, method = quadratic(), smooth(recorded, 3, 0.1)
    for _ in range(2):
        ke.explain(method, model, x, y, batch_size=4, verbose=0)
        ke.explain(recorded, model, x, y, batch_size=4, verbose=0)
    assert set(shapes) == {(4, *SHAPE)}
    if BACKEND != "torch":
        assert len(shapes) == 1


def test_postprocessing_with_and_without_axis(model, x, y):
    raw = explain(model, x, y)[1]
    np.testing.assert_allclose(
        explain(model, x, y, postprocessing=abs)[1], np.abs(raw), rtol=1e-5
    )
    np.testing.assert_allclose(
        explain(model, x, y, postprocessing=lambda maps: maps[..., 0])[1],
        raw[..., 0],
        rtol=1e-5,
    )
    seen = []

    def scaled(maps, axis):
        seen.append(axis)
        return maps / ops.max(ops.abs(maps), axis=axis, keepdims=True)

    maps = explain(model, x, y, postprocessing=scaled)[1]
    np.testing.assert_allclose(np.abs(maps).max(axis=(1, 2, 3)), 1, rtol=1e-6)
    assert set(seen) == {(1, 2, 3)}


def test_resizing(model, x, y):
    def pooled(model, inputs, indices=None):
        logits, maps = gradients(model, inputs, indices)
        return logits, ops.image.resize(maps, (2, 2), data_format="channels_last")

    maps = ke.explain(pooled, model, x, y, verbose=0, resizing=True)[1]
    assert maps.shape == (COUNT, 4, 4, 2)
    maps = ke.explain(SIGNED, model, x, y, verbose=0, resizing=(8, 6))[1]
    assert maps.shape == (COUNT, 8, 6, 3, 2)
    flat = ke.explain(
        gradients,
        linear(),
        x,
        y,
        verbose=0,
        resizing=[8, 6],
        postprocessing=ops.ones_like,
    )[1]
    np.testing.assert_allclose(flat, 1, rtol=1e-6)


def test_method_parameters_reach_the_method_through_smooth(model, x, y):
    method = smooth(gradients, 3, 0.1, seed=0)
    maps = ke.explain(
        method, model, x, y, verbose=0, gradient_filter=None, channel_reduction=None
    )[1]
    expected = ke.explain(smooth(SIGNED, 3, 0.1, seed=0), model, x, y, verbose=0)[1]
    np.testing.assert_allclose(maps, expected, rtol=1e-5)


def test_partial_explain_has_defaults_that_can_be_overridden(model, x, y):
    absolute = ke.partial_explain(gradients, verbose=0, gradient_filter=ops.square)
    assert absolute.__name__ == "gradients"
    expected = (quadratic_gradients(model, x, y) ** 2).mean(axis=-2)
    np.testing.assert_allclose(absolute(model, x, y)[1], expected, rtol=1e-4, atol=1e-6)
    signed = absolute(model, x, y, gradient_filter=None)[1]
    expected = quadratic_gradients(model, x, y).mean(axis=-2)
    np.testing.assert_allclose(signed, expected, rtol=1e-4, atol=1e-6)


def test_template_of_the_documentation(x):
    """The activation of the last layer is replaced by a string."""
    model = network("softmax")
    model.layers[-1].activation = "linear"
    x, y = np.random.default_rng(0).normal(size=(3, 12, 12, 3)), np.array([0, 1, 2])
    method = smooth(gradients, repetitions=10, noise=0.1)
    logits, maps = ke.explain(
        method, model, x, y, batch_size=32, postprocessing=ke.filters.normalize
    )
    assert logits.shape == (3, 1)
    assert maps.shape == (3, 12, 12, 1)
    assert (maps.min(axis=(1, 2)) == 0).all()
    np.testing.assert_allclose(maps.max(axis=(1, 2)), 1, rtol=1e-6)


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ({"y": [9] * COUNT}, ValueError, "received 9"),
        ({"y": [-1] * COUNT}, ValueError, "received -1"),
        ({"y": [0] * 3}, ValueError, "one row for each input"),
        ({"y": np.zeros((COUNT, 1, 1), int)}, ValueError, r"\(11, 1, 1\)"),
        ({"y": [0.0] * COUNT}, TypeError, "`y` must be integers"),
        ({"y": ["cat"] * COUNT}, TypeError, "`y` must be an array"),
        ({"x": np.zeros((0, *SHAPE))}, ValueError, "at least one"),
        ({"x": iter(()), "y": None}, ValueError, "at least one input"),
        ({"x": np.full((COUNT, *SHAPE), np.nan)}, ValueError, "finite"),
        ({"x": np.zeros((COUNT, 4, 4))}, ValueError, "must have shape"),
        ({"x": np.zeros((COUNT, 4, 4, 1))}, ValueError, "must have shape"),
        ({"x": None}, TypeError, "`x` must be an array"),
        ({"x": "folder/"}, TypeError, "`x` must be an array"),
        ({"x": iter([np.zeros((2, *SHAPE))])}, ValueError, "`y` must be None if"),
        ({"batch_size": 0}, ValueError, "`batch_size` must be at least 1"),
        ({"batch_size": 2.5}, TypeError, "`batch_size` must be an integer"),
        ({"steps": 0}, ValueError, "`steps` must be at least 1"),
        ({"resizing": 7}, ValueError, "`resizing` must be True, or a size"),
        ({"resizing": (0, 4)}, ValueError, "`resizing` must be True, or a size"),
        ({"ids": [1, 2]}, ValueError, "`ids` must be one integer"),
        ({"ids": [-1] * COUNT}, ValueError, "`ids` must be one integer >= 0"),
        ({"verbose": "loud"}, ValueError, "`verbose` must be"),
        ({"method": 3}, TypeError, "`method` must be callable"),
    ],
)
def test_bad_parameters(model, x, y, params, error, message):
    call = {"method": gradients, "model": model, "x": x, "y": y, "verbose": 0}
    with pytest.raises(error, match=message):
        ke.explain(**{**call, **params})


def test_bad_arrays_are_found_before_anything_is_computed(model, x, y):
    x[-1, 0, 0, 0] = np.inf
    calls = []

    def counted(model, inputs, indices=None):
        calls.append(1)
        return gradients(model, inputs, indices)

    with pytest.raises(ValueError, match="finite"):
        ke.explain(counted, model, x, y, verbose=0, batch_size=2)
    assert not calls


def test_shortcuts(x, y):
    model = network("softmax")
    x = np.random.default_rng(0).normal(size=(3, 12, 12, 3)).astype("float32")
    y = np.array([[0, 1], [2, 3], [4, 0]])
    logits, maps = ke.gradients(model, x, y, verbose=0)
    assert maps.shape == (3, 12, 12, 2)
    assert logits.shape == (3, 2)
    np.testing.assert_allclose(maps.max(axis=(1, 2)), 1)
    raw = ke.explain(gradients, model, x, y, verbose=0)[1]
    np.testing.assert_allclose(
        maps, numpy(ke.filters.normalize(raw)), rtol=1e-5, atol=1e-6
    )


def test_smoothgrad_is_the_papers_form(x, y):
    """Signed gradients are averaged first, absolute values taken after."""
    model, params = quadratic(), {"repetitions": 400, "estimator": "sampled"}
    maps = ke.smoothgrad(
        model, x, y, noise_level=0.15, postprocessing=None, verbose=0, **params
    )[1]
    expected = np.abs(quadratic_gradients(model, x, y)).mean(axis=-2)
    relative = np.linalg.norm(maps - expected) / np.linalg.norm(expected)
    assert relative < 0.05
    normalised = ke.smoothgrad(model, x, y, verbose=0, **params)[1]
    np.testing.assert_allclose(
        normalised, numpy(ke.filters.normalize(maps)), rtol=1e-4, atol=1e-5
    )
    other = ke.smoothgrad(model, x, y, verbose=0, seed=1, **params)[1]
    assert not np.allclose(other, normalised, rtol=1e-3)
