"""Memory stays flat over many calls, and models go when their last reference goes."""

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
from keras_explainable.backend import _backend
from keras_explainable.execution import compilation
from keras_explainable.inspection import logits
from keras_explainable.methods import gradient, meta
from keras_explainable.network.graph import GraphModel

TRACED = keras.backend.backend() != "torch"

#: Methods that compile, lower, expose and rewrite.
METHODS = (
    partial(ke.smoothgrad, repetitions=2),
    ke.gradcam,
    ke.guided_gradients,
    partial(ke.explain, meta.noise_grad(gradient.gradients, 2, seed=0)),
)


@pytest.fixture(autouse=True)
def _only_what_is_new():
    """Collect cycles in what the test makes, not in all that others have left."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


def made():
    inputs = keras.Input((None, None, 3))
    x = layers.Conv2D(2, 3, activation="relu")(inputs)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(3, activation="softmax")(x))


def images(side=8):
    return np.random.default_rng(0).normal(size=(1, side, side, 3)).astype("float32")


@pytest.fixture
def copies(monkeypatch):
    """Weak references to all models that the package makes of others."""
    made, init = weakref.WeakSet(), GraphModel.__init__

    def remembered(self, *args, **options):
        init(self, *args, **options)
        made.add(self)

    monkeypatch.setattr(GraphModel, "__init__", remembered)
    return made


def alive(references):
    for _ in range(4):  # A copy goes after what it was made of: one each time.
        gc.collect()
    return len(references)


def test_one_model_many_calls():
    model, x, explain = made(), images(), partial(ke.smoothgrad, repetitions=2)
    sizes = []
    for number in range(120):
        if number == 60:
            tracemalloc.start()
        if number in (90, 119):
            gc.collect()
            sizes.append((tracemalloc.get_traced_memory()[0], len(gc.get_objects())))
        explain(model, x, [0], verbose=0)
    tracemalloc.stop()
    (some, objects), (more, others) = sizes
    assert more - some < 100_000
    assert others - objects < 50


@pytest.mark.parametrize("explain", METHODS)
def test_all_that_is_made_of_a_model_goes_with_it(explain, copies):
    models = weakref.WeakSet()
    for _ in range(2):
        model = made()
        models.add(model)
        explain(model, images(), [0], verbose=0)
        assert copies
        del model
    assert alive(models) == 0
    assert alive(copies) == 0


@pytest.mark.skipif(TRACED, reason="only where each step runs by itself")
def test_chunks_leave_no_tensors_behind():
    """Though Keras' trees leave cycles that hold them, and with them the graph."""
    inputs = keras.Input((8, 8, 3))
    both = layers.Concatenate()([inputs, layers.ReLU()(inputs)])
    model = keras.Model(inputs, layers.Dense(3)(layers.Flatten()(both)))
    counts = []
    gc.disable()  # Old cycles are seldom looked for.
    try:
        for repetitions in (8, 8, 80):
            options = {"repetitions": repetitions, "batch_size": 4, "verbose": 0}
            ke.smoothgrad(model, images(), [0], **options)
            found = [type(each).__name__ for each in gc.get_objects()]
            counts.append(found.count("Tensor"))
            gc.collect()
    finally:
        gc.enable()
    assert counts[2] < counts[1] + 8


def test_changing_functions_of_the_outputs(copies):
    model, counts = made(), []
    for number in range(4):
        target = lambda outputs, n=number: outputs[:, 0] * (n + 1)  # noqa: E731
        ke.explain(gradient.gradients, model, images(), target, verbose=0)
        del target
        counts.append(alive(copies))
    assert len({*counts}) == 1


def test_changing_partials(monkeypatch):
    monkeypatch.setattr(compilation._cache, "most", 3)
    model, filters = made(), weakref.WeakSet()
    for number in range(8):
        own = lambda gradient, n=number: gradient * n  # noqa: E731
        method = partial(gradient.gradients, gradient_filter=own)
        ke.explain(method, model, images(), [0], verbose=0)
        filters.add(own)
    del own, method
    assert alive(filters) <= 3


def test_few_rewritten_models_are_kept(monkeypatch, copies):
    monkeypatch.setattr(logits._models, "most", 2)
    model = made()
    for layer in model.layers[1:] * 2:
        ke.inspection.expose(model, layer.name)
    assert alive(copies) == 2


@pytest.mark.skipif(not TRACED, reason="torch does not trace")
def test_few_shapes_are_kept(monkeypatch):
    monkeypatch.setattr(_backend, "KEPT_SHAPES", 2)
    shapes = []

    def function(x):
        shapes.append(tuple(x.shape))
        return x + 1

    run = backend.jit(function)
    for size in (1, 2, 1, 3, 1, 2):
        run(np.zeros(size, "float32"))
    assert shapes == [(1,), (2,), (3,), (2,)]
