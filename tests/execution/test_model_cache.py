"""Cached values: created once, again after a change, and freed with the model."""

import gc
import threading
import weakref

import pytest

from keras_explainable.execution.model_cache import ModelCache


class Model:
    """Stands in for a model: it can be referenced weakly."""


class Value:
    """Stands in for a value derived from a model."""


def test_a_value_is_created_once():
    cache, model = ModelCache(capacity=2), Model()
    assert cache.get(model, "a", Value) is cache.get(model, "a", Value)
    assert cache.get(model, "a", Value) is not cache.get(model, "b", Value)
    assert cache.get(model, "a", Value) is not cache.get(Model(), "a", Value)


def test_a_value_is_created_again_when_the_state_changes():
    outdated, model = [], Model()
    cache = ModelCache(capacity=2, outdated=outdated.append)
    first = cache.get(model, "a", Value, state=[1])
    assert cache.get(model, "a", Value, state=[1]) is first
    assert cache.get(model, "b", Value, state=[2]) is not first
    assert outdated == []
    assert cache.get(model, "a", Value, state=[2]) is not first
    assert outdated == [model]
    assert cache.count(model) == 2


def test_the_least_recently_used_value_is_dropped_first():
    cache, model = ModelCache(capacity=2), Model()
    a, b = (cache.get(model, key, Value) for key in "ab")
    cache.get(model, "a", Value)
    cache.get(model, "c", Value)
    assert cache.get(model, "a", Value) is a
    assert cache.get(model, "b", Value) is not b
    assert cache.count(model) == 2


def test_a_value_is_freed_with_its_model():
    cache, model = ModelCache(capacity=2), Model()
    value = weakref.ref(cache.get(model, "a", Value))
    assert value() is not None
    del model
    gc.collect()
    assert value() is None


def test_an_invalidated_value_is_created_again():
    cache, models = ModelCache(capacity=2), [Model(), Model()]
    first, other = (cache.get(model, "a", Value) for model in models)
    cache.invalidate(models[0])
    cache.invalidate(Model())  # Nothing is cached for it.
    assert cache.get(models[0], "a", Value) is not first
    assert cache.get(models[1], "a", Value) is other


def test_creating_a_value_may_create_others():
    cache, model = ModelCache(capacity=2), Model()
    value = cache.get(model, "a", lambda: cache.get(model, "b", Value))
    assert cache.get(model, "b", Value) is value


def test_a_failure_is_not_cached():
    cache, model = ModelCache(capacity=2), Model()
    with pytest.raises(ZeroDivisionError):
        cache.get(model, "a", lambda: 1 / 0)
    assert cache.count(model) == 0
    assert cache.get(model, "a", lambda: 1) == 1


def test_threads_wait_for_one_creation():
    cache, model, begun, gate, found = ModelCache(2), Model(), [], threading.Event(), []

    def create():
        begun.append(threading.get_ident())
        gate.wait(5)
        return Value()

    threads = [
        threading.Thread(target=lambda: found.append(cache.get(model, "a", create)))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    gate.set()
    for thread in threads:
        thread.join()
    assert len(begun) == 1
    assert len({*map(id, found)}) == 1
