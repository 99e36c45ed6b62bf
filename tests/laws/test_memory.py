"""Memory stays flat over many calls, and models are freed with the last reference."""

import gc
import tracemalloc
import weakref
from functools import partial

import keras
import numpy as np
import pytest
from keras import layers

import keras_explainable as ke
from keras_explainable import backend
from keras_explainable.backend import shared
from keras_explainable.execution import compilation
from keras_explainable.inspection import logits
from keras_explainable.methods import gradient, meta
from keras_explainable.network.graph import GraphModel

TRACED = keras.backend.backend() != "torch"


def deletion(model, x, y, **options):
    maps = np.arange(x[..., :1].size).reshape(x[..., :1].shape)
    return ke.metrics.deletion(model, x, maps, y, steps=3, **options)


#: Methods and metrics that compile, lower, expose and rewrite models.
METHODS = (
    partial(ke.smoothgrad, repetitions=2),
    ke.gradcam,
    ke.guided_gradients,
    partial(ke.explain, meta.noise_grad(gradient.gradients, 2, seed=0)),
    deletion,
)


@pytest.fixture(autouse=True)
def _freeze_old_objects():
    """Collect only the cycles that the test creates, not those of other tests."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


def build():
    inputs = keras.Input((None, None, 3))
    x = layers.Conv2D(2, 3, activation="relu")(inputs)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(3, activation="softmax")(x))


def images(side=8):
    return np.random.default_rng(0).normal(size=(1, side, side, 3)).astype("float32")


@pytest.fixture
def copies(monkeypatch):
    """Return weak references to all models that the package derives from others."""
    derived, init = weakref.WeakSet(), GraphModel.__init__

    def remembered(self, *args, **options):
        init(self, *args, **options)
        derived.add(self)

    monkeypatch.setattr(GraphModel, "__init__", remembered)
    return derived


def alive(references):
    for _ in range(4):  # Each collection frees one more of a chain of copies.
        gc.collect()
    return len(references)


def test_many_calls_of_one_model_use_constant_memory():
    model, x, explain = build(), images(), partial(ke.smoothgrad, repetitions=2)
    sizes = []
    for number in range(120):
        if number == 60:
            tracemalloc.start()
        if number in (90, 119):
            gc.collect()
            sizes.append((tracemalloc.get_traced_memory()[0], len(gc.get_objects())))
        explain(model, x, [0], verbose=0)
    tracemalloc.stop()
    (memory, objects), (later_memory, later_objects) = sizes
    assert later_memory - memory < 100_000
    assert later_objects - objects < 50


@pytest.mark.parametrize("explain", METHODS)
def test_derived_models_are_freed_with_the_model(explain, copies):
    models = weakref.WeakSet()
    for _ in range(2):
        model = build()
        models.add(model)
        explain(model, images(), [0], verbose=0)
        assert copies
        del model
    assert alive(models) == 0
    assert alive(copies) == 0


@pytest.mark.skipif(TRACED, reason="only where steps run eagerly")
def test_chunks_leave_no_tensors_behind():
    """Keras leaves cycles that hold tensors, and with them the graph."""
    inputs = keras.Input((8, 8, 3))
    both = layers.Concatenate()([inputs, layers.ReLU()(inputs)])
    model = keras.Model(inputs, layers.Dense(3)(layers.Flatten()(both)))
    counts = []
    gc.disable()  # The collector seldom looks for old cycles.
    try:
        for repetitions in (8, 8, 80):
            options = {"repetitions": repetitions, "batch_size": 4, "verbose": 0}
            ke.smoothgrad(model, images(), [0], **options)
            names = [type(value).__name__ for value in gc.get_objects()]
            counts.append(names.count("Tensor"))
            gc.collect()
    finally:
        gc.enable()
    assert counts[2] < counts[1] + 8


def test_models_for_changing_functions_are_freed(monkeypatch, copies):
    monkeypatch.setattr(logits.targeted_models, "capacity", 2)
    model, counts = build(), []
    for number in range(5):
        target = lambda outputs, n=number: outputs[:, 0] * (n + 1)  # noqa: E731
        ke.explain(gradient.gradients, model, images(), target, verbose=0)
        del target
        counts.append(alive(copies))
    assert counts[1] == counts[-1]


def test_compilations_for_changing_partials_are_freed(monkeypatch):
    monkeypatch.setattr(compilation._cache, "capacity", 3)
    model, filters = build(), weakref.WeakSet()
    for number in range(8):
        own = lambda gradient, n=number: gradient * n  # noqa: E731
        method = partial(gradient.gradients, gradient_filter=own)
        ke.explain(method, model, images(), [0], verbose=0)
        filters.add(own)
    del own, method
    assert alive(filters) <= 3


def test_the_number_of_cached_models_is_limited(monkeypatch, copies):
    monkeypatch.setattr(logits._models, "capacity", 2)
    model = build()
    for layer in model.layers[1:] * 2:
        ke.inspection.expose(model, layer.name)
    assert alive(copies) == 2


@pytest.mark.skipif(not TRACED, reason="torch does not trace")
def test_the_number_of_cached_shapes_is_limited(monkeypatch):
    monkeypatch.setattr(shared, "CACHED_SHAPES", 2)
    shapes = []

    def function(x):
        shapes.append(tuple(x.shape))
        return x + 1

    run = backend.jit(function)
    for size in (1, 2, 1, 3, 1, 2):
        run(np.zeros(size, "float32"))
    assert shapes == [(1,), (2,), (3,), (2,)]
