"""`explain` on the faster equal copy: the same map, in as few compilations."""

import contextlib
import warnings
from functools import partial

import keras
import numpy as np
import pytest
from keras import ops
from support.out_of_memory import Device
from support.small_models import UNITS, network

import keras_explainable as ke
from keras_explainable import backend, lowering
from keras_explainable.execution.compilation import compiled
from keras_explainable.inspection import logits_model
from keras_explainable.methods.gradient import gradients
from keras_explainable.methods.meta import smooth
from keras_explainable.sampling import noise

SIDE, COUNT = 12, 7
TRACED = keras.backend.backend() != "torch"
SIGNED = partial(gradients, gradient_filter=None, channel_reduction=None)
METHODS = [SIGNED, smooth(SIGNED, 5, 0.1, seed=0)]


def images(count=COUNT):
    shape = (count, SIDE, SIDE, 3)
    return np.random.default_rng(0).normal(size=shape).astype("float32")


def some_units(seed=0):
    return np.random.default_rng(seed).integers(0, UNITS, (COUNT, 2))


@pytest.fixture(scope="module")
def model():
    return network("softmax", SIDE)


def explain(method, model, y=None, **params):
    y = some_units() if y is None else y
    return ke.explain(method, model, images(), y, verbose=0, **params)


def distance(found, expected):
    return np.linalg.norm(found - expected) / np.linalg.norm(expected)


def assert_close(found, expected, tolerance=1e-5):
    for one, other in zip(found, expected, strict=True):
        assert one.shape == other.shape
        assert distance(one, other) < tolerance


@pytest.mark.parametrize("method", METHODS, ids=["gradients", "smooth"])
def test_the_faster_copy_gives_the_same_map(model, method):
    own = explain(method, model, lower=False)
    assert_close(explain(method, model), own)


def test_lower_says_which_model_the_method_gets(model):
    seen = []

    def recorded(model, inputs, indices=None):
        seen.append(model)
        return gradients(model, inputs, indices)

    explain(recorded, model)
    explain(recorded, model, lower=False)
    explained = logits_model(model)
    assert {id(each) for each in seen} == {id(explained), id(lowering.lower(explained))}
    assert explained is not lowering.lower(explained)


@pytest.mark.parametrize("method", METHODS, ids=["gradients", "smooth"])
def test_bfloat16_is_near_and_comes_back_as_float32(model, method):
    exact = explain(method, model)
    found = explain(method, model, precision="bfloat16")
    for one, other in zip(found, exact, strict=True):
        assert one.dtype == other.dtype == "float32"
        assert 1e-5 < distance(one, other) < 0.1  # It has 8 bits.


def test_bfloat16_is_for_all_layers_but_the_last(model):
    half = lowering.lower(logits_model(model), "bfloat16")
    *inner, head = [
        step.operation.compute_dtype
        for step in half.graph.steps
        if isinstance(step.operation, keras.Layer)
    ]
    assert set(inner) == {"bfloat16"}
    assert head == "float32"
    symbols = [step.outputs for step in half.graph.steps]

    def values(model, x):
        found = model.graph.values(x)
        return [found[id(symbol)] for symbol in symbols]

    step = compiled(values, half)
    dtypes = [
        keras.backend.standardize_dtype(value.dtype)
        for value in step(ops.convert_to_tensor(images(2)))
    ]
    assert set(dtypes[:-1]) == {"bfloat16"}
    assert dtypes[-1] == "float32"


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"precision": "float16"}, r"`precision` must be one of .*received 'float16'"),
        ({"precision": None}, "`precision` must be one of .*received None"),
        (
            {"precision": "bfloat16", "lower": False},
            "`lower` must be True .*lower=False and precision='bfloat16'",
        ),
    ],
)
def test_bad_parameters(model, params, message):
    with pytest.raises(ValueError, match=message):
        explain(SIGNED, model, **params)


def pairs(x, y):
    for start in range(0, len(x), 3):
        yield x[start : start + 3], y[start : start + 3]


def test_without_a_batch_size_arrays_and_data_sets_give_the_same(model):
    expected = explain(METHODS[1], model, batch_size=3)
    assert_close(explain(METHODS[1], model, batch_size=None), expected)
    data = pairs(images(), some_units())
    found = ke.explain(METHODS[1], model, data, verbose=0, batch_size=None)
    assert_close(found, expected)


def test_without_a_batch_size_as_many_rows_as_suit_go_at_once(model, monkeypatch):
    monkeypatch.setattr(lowering, "suitable_rows", lambda network: 4)
    sizes = set()

    def recorded(model, inputs, indices=None):
        sizes.add(inputs.shape[0])
        return gradients(model, inputs, indices)

    explain(smooth(recorded, 5, 0.1, seed=0), model)
    assert sizes == {4}


def limited(most, error):
    """Signed gradients on a device that holds so many rows."""
    failed = []

    def method(model, inputs, indices=None):
        if inputs.shape[0] > most:
            failed.append(inputs.shape[0])
            raise error
        return SIGNED(model, inputs, indices)

    return method, failed


@contextlib.contextmanager
def halving(texts):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    ours = [warning for warning in caught if warning.category is UserWarning]
    texts.extend(str(warning.message) for warning in ours)


@pytest.mark.parametrize("smoothed", [False, True])
def test_out_of_memory_it_goes_on_with_fewer_rows(model, smoothed):
    method, failed = limited(2, Device(2).error)
    wrap = partial(smooth, repetitions=5, noise=0.1, seed=0) if smoothed else partial
    seen, texts = [], []
    expected = explain(wrap(SIGNED), model, batch_size=2)
    with halving(texts):
        found = explain(wrap(method), model, batch_size=7, callbacks=[Watch(seen)])
    assert failed == [7, 3]
    assert len(texts) == 2
    assert_close(found, expected)
    assert seen[-1] == (COUNT * (5 if smoothed else 1),) * 2  # None lost, none twice.
    explain(wrap(method), model, batch_size=7)  # Remembered: warnings are errors here.
    assert failed == [7, 3]


class Watch(keras.callbacks.Callback):
    """Notes what is told of the progress."""

    def __init__(self, seen):
        super().__init__()
        self.seen = seen

    def on_explain_progress(self, done, total):
        self.seen.append((done, total))


@pytest.mark.skipif(not TRACED, reason="torch does not trace")
def test_nothing_is_compiled_again(monkeypatch):
    traced = []

    def recorded(model, inputs, indices=None):
        traced.append(tuple(inputs.shape))
        return gradients(model, inputs, indices)

    def noisy(*tensors):
        traced.append("noise")
        return noise._add_noise(False, None, *tensors)

    add_noise = backend.jit(noisy)
    monkeypatch.setattr(noise, "_compiled_noise", lambda pairs, clip: add_noise)
    model = network("softmax", SIDE)
    explain(smooth(recorded, 5, 0.1, seed=0), model, batch_size=4)
    # Batches of 4 and 3 images; chunks of 4 copies.
    assert sorted(map(str, traced)) == ["(4, 12, 12, 3)", "noise"]
    for method, y in [
        (smooth(recorded, 5, 0.1, seed=0), None),
        (smooth(recorded, 5, 0.1, seed=3), None),
        (smooth(recorded, 5, 0.2, seed=0), None),
        (smooth(recorded, 5, noise_level=0.2, seed=0), None),
        (smooth(recorded, 9, 0.1, seed=0), None),
        (smooth(recorded, 5, 0.1, seed=0), some_units(1)),
    ]:
        explain(method, model, y, batch_size=4)
    assert len(traced) == 2


def test_the_copy_is_made_and_checked_once_per_model(monkeypatch):
    seen, checks = [], []

    def recorded(model, inputs, indices=None):
        seen.append(model)
        return gradients(model, inputs, indices)

    def agree(*args, own=lowering.compare_outputs.agree):
        checks.append(1)
        return own(*args)

    monkeypatch.setattr(lowering.compare_outputs, "agree", agree)
    model = network("softmax", SIDE)
    for batch_size in (3, 3, 5):
        explain(recorded, model, batch_size=batch_size)
    assert len({id(each) for each in seen}) == 1
    assert len(checks) == 1
    model.layers[1].kernel.assign(2 * model.layers[1].kernel)
    explain(recorded, model, batch_size=3)
    assert len({id(each) for each in seen}) == 1
    assert len(checks) == 2  # The weights are others.
