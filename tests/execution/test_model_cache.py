"""What is kept of a model: made once, anew when it has changed, gone with it."""

import gc
import threading
import weakref

import pytest

from keras_explainable.execution.model_cache import ModelCache


class Model:
    """All that matters of one: it can be held weakly."""


class Made:
    """Something that is made of a model."""


def test_it_is_made_once():
    kept, model = ModelCache(capacity=2), Model()
    assert kept.get(model, "a", Made) is kept.get(model, "a", Made)
    assert kept.get(model, "a", Made) is not kept.get(model, "b", Made)
    assert kept.get(model, "a", Made) is not kept.get(Model(), "a", Made)


def test_it_is_made_anew_when_the_state_has_changed():
    told, model = [], Model()
    kept = ModelCache(capacity=2, outdated=told.append)
    first = kept.get(model, "a", Made, state=[1])
    assert kept.get(model, "a", Made, state=[1]) is first
    assert kept.get(model, "b", Made, state=[2]) is not first
    assert told == []
    assert kept.get(model, "a", Made, state=[2]) is not first
    assert told == [model]
    assert kept.count(model) == 2


def test_the_least_recently_used_goes_first():
    kept, model = ModelCache(capacity=2), Model()
    a, b = (kept.get(model, key, Made) for key in "ab")
    kept.get(model, "a", Made)
    kept.get(model, "c", Made)
    assert kept.get(model, "a", Made) is a
    assert kept.get(model, "b", Made) is not b
    assert kept.count(model) == 2


def test_it_goes_with_the_model():
    kept, model = ModelCache(capacity=2), Model()
    made = weakref.ref(kept.get(model, "a", Made))
    assert made() is not None
    del model
    gc.collect()
    assert made() is None


def test_what_is_forgotten_is_made_anew():
    kept, models = ModelCache(capacity=2), [Model(), Model()]
    first, other = (kept.get(model, "a", Made) for model in models)
    kept.invalidate(models[0])
    kept.invalidate(Model())  # Of which nothing is kept.
    assert kept.get(models[0], "a", Made) is not first
    assert kept.get(models[1], "a", Made) is other


def test_making_may_make_others():
    kept, model = ModelCache(capacity=2), Model()
    made = kept.get(model, "a", lambda: kept.get(model, "b", Made))
    assert kept.get(model, "b", Made) is made


def test_nothing_is_kept_of_a_failure():
    kept, model = ModelCache(capacity=2), Model()
    with pytest.raises(ZeroDivisionError):
        kept.get(model, "a", lambda: 1 / 0)
    assert kept.count(model) == 0
    assert kept.get(model, "a", lambda: 1) == 1


def test_threads_wait_for_each_other():
    kept, model, begun, gate, found = ModelCache(2), Model(), [], threading.Event(), []

    def make():
        begun.append(threading.get_ident())
        gate.wait(5)
        return Made()

    threads = [
        threading.Thread(target=lambda: found.append(kept.get(model, "a", make)))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    gate.set()
    for thread in threads:
        thread.join()
    assert len(begun) == 1
    assert len({*map(id, found)}) == 1
