"""The steps of a traced model compute what it does, and leave it unchanged."""

import weakref

import keras
import numpy as np
import pytest
from keras import layers, ops
from support.small_models import CHANNELS, SHAPE, UNITS, images, linear, network, numpy

import keras_explainable as ke
from keras_explainable.execution import compilation
from keras_explainable.inspection import logits_model
from keras_explainable.network import trace_model
from keras_explainable.network.graph import (
    Graph,
    GraphModel,
    Step,
    by_symbol,
    shallow_copy,
)
from keras_explainable.network.trace_model import trace


def branches():
    """Return a model of two branches, one of them nested, and a layer called twice."""
    inner = keras.Sequential([keras.Input(SHAPE), layers.Dense(4), layers.ReLU()])
    inputs = keras.Input(SHAPE)
    dense = layers.Dense(4, name="twice")
    x = layers.Concatenate()([dense(inputs), inner(inputs), dense(2 * inputs)])
    return keras.Model(inputs, layers.GlobalAveragePooling2D()(x))


def sequential():
    return keras.Sequential(
        [keras.Input(SHAPE), layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(3)]
    )


def two_outputs():
    inputs = keras.Input(SHAPE)
    x = layers.Flatten()(inputs)
    return keras.Model(inputs, [layers.Dense(2)(x), layers.Dense(3)(x)])


def masked():
    """Return a model whose recurrent layer skips time steps of zeros."""
    inputs = keras.Input((5, CHANNELS))
    return keras.Model(inputs, layers.SimpleRNN(4)(layers.Masking()(inputs)))


MODELS = [branches, sequential, linear, two_outputs, masked]


def batch(model, count=2):
    shape = model.inputs[0].shape[1:]
    x = np.random.default_rng(0).normal(size=(count, *shape)).astype("float32")
    if len(shape) == 2:
        x[:, -2:] = 0
    return x


def run(model, function, x):
    """Run compiled, as JAX takes long to run single operations."""
    step = compilation.compiled(lambda model, x: function(x), model)
    return step(ops.convert_to_tensor(x))


def assert_equal(found, expected):
    pairs = zip(keras.tree.flatten(found), keras.tree.flatten(expected), strict=True)
    for one, other in pairs:
        np.testing.assert_allclose(numpy(one), numpy(other), rtol=1e-4, atol=1e-5)


def symbols_of(graph):
    return [*graph.inputs, *(s for step in graph.steps for s in written(step))]


def written(step):
    return keras.tree.flatten(step.outputs)


def add_step(*args, **kwargs):
    symbol = keras.KerasTensor((None, 2))
    return Step(lambda x, y=0, scale=1: scale * (x + y), args, kwargs, symbol)


A, B = keras.KerasTensor((None, 2)), keras.KerasTensor((None, 2))
ONE = np.ones((1, 2), "float32")


def test_a_step_runs_on_the_values_of_the_tensors_it_reads():
    step = add_step(A, y=B, scale=3)
    found = step.run({id(A): ONE, id(B): 2 * ONE, id(step.outputs): 7 * ONE})
    assert list(found) == [id(step.outputs)]
    np.testing.assert_array_equal(found[id(step.outputs)], 9 * ONE)


def test_a_step_names_each_of_its_outputs():
    outputs = [keras.KerasTensor((None, 2)), {"b": keras.KerasTensor((None, 2))}]
    step = Step(lambda x: [x, {"b": 2 * x}], (A,), {}, outputs)
    found = step.run({id(A): ONE})
    np.testing.assert_array_equal(found[id(outputs[0])], ONE)
    np.testing.assert_array_equal(found[id(outputs[1]["b"])], 2 * ONE)


def test_a_step_can_read_other_tensors():
    step = add_step(A, y=[B, A])
    other = step.reading({id(A): B})
    assert other.args == (B,)
    assert other.kwargs == {"y": [B, B]}
    assert other.outputs is step.outputs
    assert step.args == (A,)  # The step itself is unchanged.
    assert step.reads == (A, B, A)


@pytest.mark.parametrize(
    ("args", "kwargs", "plain"),
    [
        ((A,), {}, True),
        (([A, B],), {"mask": None, "training": False}, True),
        ((A, 2), {}, False),
        ((A, None), {}, False),
        ((A,), {"y": B}, False),
        ((A,), {"scale": 0}, False),
        ((A,), {"training": True}, False),
    ],
)
def test_a_plain_step_only_reads_tensors(args, kwargs, plain):
    assert add_step(*args, **kwargs).is_plain() is plain


@pytest.mark.parametrize("make", MODELS)
def test_a_graph_computes_what_its_model_does(make):
    model = make()
    graph, x = trace(model), batch(model)
    expected = run(model, lambda x: model(x, training=False), x)
    assert_equal(run(model, graph.run, x), expected)
    assert_equal(run(model, GraphModel(graph, "copy"), x), expected)


@pytest.mark.parametrize("make", MODELS)
def test_the_values_of_a_graph_include_its_outputs(make):
    model = make()
    graph, x = trace(model), batch(model)

    def values(x):
        return [graph.values(x)[id(symbol)] for symbol in symbols_of(graph)]

    every = run(model, values, x)
    found = dict(zip(map(id, symbols_of(graph)), every, strict=True))
    for symbol, value in zip(symbols_of(graph), every, strict=True):
        assert tuple(value.shape[1:]) == tuple(symbol.shape[1:])
    ends = [found[id(symbol)] for symbol in keras.tree.flatten(graph.outputs)]
    assert_equal(ends, run(model, graph.run, x))
    assert_equal(found[id(graph.inputs[0])], x)


class Value:
    """Stands in for a tensor."""


def test_values_that_nothing_reads_any_more_are_freed():
    """While a step runs, only the values that it or a later one reads are held."""
    made, alive = [], []

    def operation(*values):
        alive.append([reference() is not None for reference in made])
        made.append(weakref.ref(value := Value()))
        return value

    a, b, c, d, e = (keras.KerasTensor((None, 2)) for _ in range(5))
    reads = {b: (a,), c: (b,), d: (c, b), e: (d,)}
    steps = [Step(operation, args, {}, output) for output, args in reads.items()]
    found = Graph((a,), tuple(steps), [c, e]).run(Value())
    assert alive == [[], [True], [True, True], [False, True, True]]
    assert [reference() for reference in made] == [None, found[0], None, found[1]]


def test_an_input_may_be_an_output():
    graph = Graph((A,), (add_step(A),), [A, A])
    assert all(value is ONE for value in graph.run(ONE))


@pytest.mark.parametrize("make", MODELS)
def test_tracing_adds_nothing_to_the_model(make):
    model = make()
    before = [len(layer._inbound_nodes) for layer in model.layers]
    graph = trace(model)
    run(model, graph.run, batch(model))
    assert [len(layer._inbound_nodes) for layer in model.layers] == before
    layers_of_steps = [
        s.operation for s in graph.steps if hasattr(s.operation, "build")
    ]
    assert {id(layer) for layer in layers_of_steps} <= {id(x) for x in model.layers}


def test_a_graph_model_is_traced_with_new_symbols():
    """Otherwise two calls of it in one graph would write the same values."""
    model = logits_model(network("softmax"))
    graph, again = model.graph, trace(model)
    old, new = symbols_of(graph), symbols_of(again)
    assert len(old) == len(new)
    assert not {id(symbol) for symbol in old} & {id(symbol) for symbol in new}
    for one, other in zip(old, new, strict=True):
        assert (one.shape, one.dtype) == (other.shape, other.dtype)
    for one, other in zip(graph.steps, again.steps, strict=True):
        assert one.operation is other.operation
    reads = [id(symbol) for step in again.steps for symbol in step.reads]
    assert set(reads) <= {id(symbol) for symbol in new}
    assert {id(s) for s in keras.tree.flatten(again.outputs)} <= set(map(id, new))
    x = batch(model)
    assert_equal(run(model, again.run, x), run(model, graph.run, x))


def test_other_models_are_not_traced():
    class Doubling(keras.Model):
        def call(self, inputs):
            return 2 * inputs

    class Own(type(linear())):
        def call(self, inputs, training=None, mask=None):
            return 2 * super().call(inputs, training, mask)

    inputs = keras.Input(SHAPE)
    own = Own(inputs, layers.Flatten()(inputs))
    assert trace(Doubling()) is None
    assert trace(own) is None
    assert trace(lambda x: x) is None


def test_a_sequential_without_a_shape_must_be_built():
    with pytest.raises(ValueError, match=r"`model` must be built .* received 'open'"):
        trace(keras.Sequential([layers.Dense(2)], name="open"))


def test_steps_are_pruned_to_what_the_outputs_need():
    graph = trace(two_outputs())
    first, second = graph.outputs
    one = Graph(graph.inputs, graph.steps, first).pruned()
    assert graph.pruned().steps == graph.steps
    assert len(one.steps) == len(graph.steps) - 1
    assert one.steps == tuple(s for s in graph.steps if s.outputs is not second)
    assert Graph(graph.inputs, graph.steps, graph.inputs[0]).pruned().steps == ()


def test_the_producer_of_a_tensor_is_the_step_that_writes_it():
    graph = trace(branches())
    for step in graph.steps:
        assert all(graph.producer(symbol) is step for symbol in written(step))
    assert graph.producer(graph.inputs[0]) is None


def test_a_graph_model_has_the_weights_and_shapes_of_the_model_traced():
    model = branches()
    copy = GraphModel(trace(model), "copy")
    assert {id(v) for v in copy.variables} == {id(v) for v in model.variables}
    assert copy.inputs[0].shape == (None, *SHAPE)
    assert copy.outputs[0].shape == (None, 12)
    assert copy.name == "copy"


def test_tensors_are_named_by_their_symbols():
    assert by_symbol([A, B], (1, 2)) == {id(A): 1, id(B): 2}
    with pytest.raises(ValueError, match="zip"):
        by_symbol([A, B], (1,))


def test_a_shallow_copy_shares_only_variables_with_the_layer():
    model, x = linear(), images(2)
    layer = model.get_layer("logits")
    copy = shallow_copy(layer)
    assert copy.kernel is layer.kernel
    assert type(copy) is type(layer)
    copy.__dict__["activation"] = keras.activations.relu
    assert layer.activation is keras.activations.linear
    flat = x.reshape(2, -1)
    expected = numpy(layer(flat))
    np.testing.assert_allclose(numpy(copy(flat)), np.maximum(expected, 0), rtol=1e-5)
    assert expected.shape == (2, UNITS)
    assert expected.min() < 0
    layer.kernel.assign(0 * layer.kernel)
    np.testing.assert_allclose(numpy(copy(flat)).std(axis=0), 0)


def test_tasks_of_keras_hub_are_read_like_functional_models():
    """They have a ``__call__`` of their own, which only refuses text."""
    inputs = keras.Input((4,))
    plain = keras.Model(inputs, keras.layers.Dense(2)(inputs))
    call = type("Base", (), {"__call__": lambda self, x: type(plain).__call__(self, x)})
    task = type("Task", (type(plain),), {"__call__": call.__call__})
    assert trace(task(plain.inputs, plain.outputs)) is None
    call.__call__.__module__ = "keras_hub.src.utils.pipeline_model"
    assert trace(task(plain.inputs, plain.outputs)) is not None


def test_a_model_is_traced_once(monkeypatch):
    """Several rewritten forms are made of one graph, with symbols of their own."""
    traced, run = [], trace_model._trace_functional

    def counted(model):
        traced.append(model)
        return run(model)

    monkeypatch.setattr(trace_model, "_trace_functional", counted)
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3, "relu")])
    model.add(layers.Dense(2, "softmax"))
    for _ in range(2):
        ke.gradients(model, np.ones((1, 4), "float32"), [0], verbose=0)
    assert len(traced) == 1
    first, second = trace_model.trace(model), trace_model.trace(model)
    assert first.outputs is not second.outputs
    model.layers[0].activation = keras.activations.tanh
    ke.gradients(model, np.ones((1, 4), "float32"), [0], verbose=0)
    assert len(traced) == 2
