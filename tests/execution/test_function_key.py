"""A function is compiled again exactly if it may compute something else."""

from functools import partial

import keras
import numpy as np
import pytest

import keras_explainable as ke
from keras_explainable.execution.function_key import (
    function_key,
    instructions_and_variables,
)
from keras_explainable.methods.gradient import gradients

pytestmark = pytest.mark.backend_independent  # No tensor is computed differently.

UNIT = 1


def of_global(outputs):
    return outputs[:, UNIT]


def made(unit, scale=1.0):
    def inner(outputs):
        return scale * outputs[:, unit]

    return inner


def nested(unit):
    return lambda outputs: (lambda: outputs[:, UNIT + unit])()


def test_equal_functions_have_equal_keys():
    assert function_key(made(1)) == function_key(made(1))
    assert function_key(partial(made, 1)) == function_key(partial(made, 1))
    arrays = [made(np.arange(3)), made(np.arange(3))]
    assert function_key(arrays[0]) == function_key(arrays[1])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (made(1), made(2)),
        (made(1), made(1.0)),
        (made(1), made(1, 2.0)),
        (made([1, 2]), made([1, 3])),
        (made({"a": 1}), made({"a": 2})),
        (made(np.arange(3)), made(np.arange(3) + 1)),
        (partial(made(1), scale=1), partial(made(1), scale=2)),
        (lambda o: o + 1, lambda o: o + 2),
        (lambda o, k=1: o + k, lambda o, k=2: o + k),
    ],
)
def test_other_functions_have_other_keys(one, other):
    assert function_key(one) != function_key(other)


def test_a_changed_global_changes_the_key(monkeypatch):
    functions = of_global, nested(0)
    before = [*map(function_key, functions)]
    monkeypatch.setitem(globals(), "UNIT", 2)
    for old, new in zip(before, map(function_key, functions), strict=True):
        assert old != new


def test_what_may_change_unnoticed_has_no_key():
    class Scorer:
        def __call__(self, outputs):
            return outputs[:, 0]

    layer = keras.layers.Dense(1)
    for function in (Scorer(), Scorer().__call__, lambda o: layer(o), made(object())):
        assert function_key(function) is None


@pytest.fixture
def traced(rng):
    """A model, inputs, and a list with an entry for each time a target is traced."""
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4)])
    return model, rng.normal(size=(2, 3)).astype("float32"), []


def test_the_same_function_is_compiled_once(traced, monkeypatch):
    model, x, _ = traced
    made_layers = []
    original = keras.layers.Layer.compute_output_spec

    def counted(layer, *args, **kwargs):
        made_layers.append(type(layer).__name__)
        return original(layer, *args, **kwargs)

    monkeypatch.setattr(keras.layers.Layer, "compute_output_spec", counted)
    for _ in range(3):
        ke.explain(gradients, model, x, made(1), verbose=0)
    assert made_layers.count("TargetLayer") == 1


def test_a_change_of_what_the_function_reads_takes_effect(traced, monkeypatch):
    model, x, _ = traced
    outputs = model.predict(x, verbose=0)
    units = [1]
    for unit in (1, 2):
        monkeypatch.setitem(globals(), "UNIT", unit)
        units[0] = unit
        for function in (of_global, lambda o: o[:, units[0]]):
            values, _ = ke.explain(gradients, model, x, function, verbose=0)
            np.testing.assert_allclose(values[:, 0], outputs[:, unit], rtol=1e-5)


def test_the_numbers_that_a_function_reads():
    scale, seen, count = 2.0, [], 0

    def counted(x):
        nonlocal count
        count += 1
        seen.append(x)
        return scale * UNIT * x

    before = instructions_and_variables(counted)
    names = dict(before[1:])
    assert names == {"UNIT": (int, 1), "scale": (float, 2.0)}
    counted(1)
    assert instructions_and_variables(counted) == before
    scale = 3.0
    assert instructions_and_variables(counted) != before


def test_methods_of_objects_are_unknown():
    found = {0: 1}
    assert function_key(found.get) is None
    assert function_key(len) is not None
