"""Inputs of subclassed models: which are quantities is found by trying the model."""

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_explainable as ke

CATEGORIES = np.array([[1, 4], [2, 0], [4, 3]])
MASK = np.array([[1, 1, 1, 0]] * 3)


def numbers(*shape):
    return np.random.default_rng(0).normal(size=shape).astype("float32")


class Own(keras.Model):
    """A subclassed model of a function of its inputs and of its layers."""

    def __init__(self, read, **inner):
        super().__init__()
        self.read, self.head = read, layers.Dense(2)
        for name, layer in inner.items():
            setattr(self, name, layer)

    def call(self, inputs):
        return self.head(self.read(self, inputs))


def embedded(model, x):
    rows = model.look_up(ops.cast(x["category"], "int32"))
    return ops.concatenate([rows[:, 0], rows[:, 1], model.inner(x["number"])], axis=-1)


def one_hot(model, x):
    rows = ops.one_hot(ops.cast(x["category"], "int32"), 5)
    rows = ops.reshape(rows, (-1, 10))
    return ops.concatenate([rows, model.inner(x["number"])], axis=-1)


def masked(model, x):
    return model.recurrent(x["number"], mask=ops.cast(x["category"], "bool"))


TABLE, SERIES = numbers(3, 3), numbers(3, 4, 2)


def look_up():
    return layers.Embedding(5, 3)


def dense():
    return layers.Dense(4)


def recurrent():
    return layers.LSTM(4)


#: Function, the layers that it calls, and what it reads.
MODELS = {
    "embedding": (embedded, {"look_up": look_up, "inner": dense}, CATEGORIES, TABLE),
    "one-hot": (one_hot, {"inner": dense}, CATEGORIES, TABLE),
    "mask": (masked, {"recurrent": recurrent}, MASK, SERIES),
}


@pytest.mark.parametrize("dtype", ["float32", "int32"])
@pytest.mark.parametrize("case", MODELS)
def test_what_only_chooses_has_no_noise(case, dtype):
    read, inner, chosen, number = MODELS[case]
    x = {"category": chosen.astype(dtype), "number": number}
    model = Own(read, **{name: make() for name, make in inner.items()})
    outputs = ops.convert_to_numpy(model(x))
    options = {"repetitions": 2, "verbose": 0, "return_stats": True}
    logits, _, stats = ke.smoothgrad(model, x, [0, 1, 0], **options)
    assert not np.asarray(stats["category"].sigma).any()
    assert np.asarray(stats["number"].sigma).all()
    expected = np.take_along_axis(outputs, np.array([[0], [1], [0]]), axis=1)
    np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "int64"])
def test_whole_numbers_may_be_quantities(dtype):
    model = Own(lambda model, x: model.inner(x), inner=dense())
    x = CATEGORIES.astype(dtype)
    stats = ke.smoothgrad(model, x, [0, 1, 0], return_stats=True, verbose=0)[2]
    assert np.asarray(stats.sigma).all()


@pytest.mark.parametrize("dtype", ["float32", "int32"])
def test_tokens_alone_are_refused(dtype):
    model = Own(lambda model, x: ops.mean(model.look_up(x), axis=1), look_up=look_up())
    with pytest.raises(ValueError, match="must have an input of real numbers"):
        ke.smoothgrad(model, CATEGORIES.astype(dtype), [0, 1, 0], verbose=0)
