"""A function for `y` is given what the model returns, and its errors are its own."""

import keras
import numpy as np
import pytest
from keras import layers, ops
from support.small_models import numpy

import keras_explainable as ke
from keras_explainable.methods.gradient import gradients


def body(inputs):
    h = layers.Conv2D(5, 3, activation="relu")(inputs)
    return layers.GlobalAveragePooling2D()(h)


def softmax(units=4):
    return layers.Dense(units, activation="softmax")


def one():
    inputs = keras.Input((6, 6, 3))
    return keras.Model(inputs, softmax()(body(inputs)))


def several():
    inputs = keras.Input((6, 6, 3))
    h = body(inputs)
    return keras.Model(inputs, [softmax()(h), layers.Softmax()(softmax()(h))])


def dictionary():
    """Its first output is not the first by the alphabet, nor has it as many units."""
    inputs = keras.Input((6, 6, 3))
    h = body(inputs)
    return keras.Model(inputs, {"z": softmax()(h), "a": softmax(2)(h)})


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.body = dictionary()

    def call(self, inputs):
        return self.body(inputs)


MODELS = [one, several, dictionary, Subclassed]
FUNCTIONS = {
    "entropy": lambda o: -ops.sum(first(o) * ops.log(first(o)), axis=-1),
    "last": lambda o: last(o)[:, 1],
    "mixed": lambda o: first(o)[:, 0] - last(o)[:, 1],
    "units": lambda o: first(o)[:, ::2],
}


def first(outputs):
    return of(outputs, 0, "z")


def last(outputs):
    return of(outputs, -1, "a")


def of(outputs, position, key):
    if isinstance(outputs, dict):
        return outputs[key]
    return outputs[position] if isinstance(outputs, list | tuple) else outputs


@pytest.fixture
def x(rng):
    return rng.normal(size=(3, 6, 6, 3)).astype("float32")


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("make", MODELS)
def test_the_value_explained_is_that_of_the_function(make, name, x):
    model, function = make(), FUNCTIONS[name]
    expected = numpy(function(model(x, training=False)))
    values, maps = ke.explain(gradients, model, x, function, verbose=0)
    np.testing.assert_allclose(values.reshape(expected.shape), expected, rtol=1e-5)
    assert np.isfinite(maps).all()


def test_logits_of_all_outputs_may_be_asked_for(x):
    model = several()
    logits = ke.inspection.logits_model(model)
    values, _ = ke.explain(
        gradients, model, x, lambda o: o[1][:, 1], logits=True, verbose=0
    )
    inner = keras.Model(model.input, model.layers[-1].input)
    np.testing.assert_allclose(values[:, 0], numpy(inner(x))[:, 1], rtol=1e-5)
    units, _ = ke.explain(gradients, model, x, [2] * 3, verbose=0)
    np.testing.assert_allclose(units[:, 0], numpy(logits(x)[0])[:, 2], rtol=1e-5)


@pytest.mark.parametrize("make", [dictionary, Subclassed])
def test_units_are_those_of_the_first_output_of_a_dictionary(make, x):
    model = make()
    outputs = model(x, training=False)
    # Of a subclassed model nothing else is known; on PyTorch Keras sorts the keys.
    key = "z" if make is dictionary else next(iter(outputs))
    expected = numpy(outputs[key])
    values, _ = ke.explain(gradients, model, x, [1] * 3, logits=False, verbose=0)
    np.testing.assert_allclose(values[:, 0], expected[:, 1], rtol=1e-5)
    every, _ = ke.explain(gradients, model, x, logits=False, verbose=0)
    np.testing.assert_allclose(every, expected, rtol=1e-5)


@pytest.mark.parametrize("name", ["gradcam", "full_gradients"])
def test_inner_layers_lead_to_the_first_output_of_a_dictionary(name, x):
    model = dictionary()
    found, _ = getattr(ke, name)(model, x, [3] * 3, verbose=0)
    expected = ke.gradients(model, x, [3] * 3, verbose=0)[0]
    np.testing.assert_allclose(found, expected, rtol=1e-4)


LABELS = {
    "integers": [3, 2, 1],
    "one-hot": np.eye(4, dtype="float32")[[3, 2, 1]],
    "numbers": np.float32([0.3, 1.7, 99]),
}


@pytest.mark.parametrize("y", ["predicted", lambda o: o[:, 1]])
@pytest.mark.parametrize("labels", LABELS)
def test_labels_of_a_data_set_give_way_to_y(labels, y, x):
    model, data = one(), [(x[:2], LABELS[labels][:2]), (x[2:], LABELS[labels][2:])]
    found = ke.explain(gradients, model, iter(data), y, verbose=0)
    expected = ke.explain(gradients, model, x, y, verbose=0)
    np.testing.assert_allclose(found[1], expected[1], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("labels", [np.float32([0.3, 1.7, 9]), np.ones((3, 1), "f")])
def test_labels_of_a_model_with_one_unit_choose_nothing(labels, x):
    inputs = keras.Input((6, 6, 3))
    model = keras.Model(inputs, layers.Dense(1)(body(inputs)))
    found = ke.explain(gradients, model, iter([(x, labels)]), verbose=0)
    expected = ke.explain(gradients, model, x, verbose=0)
    np.testing.assert_allclose(found[1], expected[1], rtol=1e-4, atol=1e-6)


def failing(outputs):
    raise KeyError("no such thing")


BAD = {
    "its own error": (
        failing,
        r"KeyError in the function given for `y`.*no such thing",
    ),
    "shapes": (failing, r"outputs of shape \(any, 4\)"),
    "integers": (lambda o: ops.argmax(o, axis=-1), "it returns int.*no derivative"),
    "booleans": (lambda o: o[:, 1] > o[:, 0], "it returns bool.*no derivative"),
    "one row": (lambda o: ops.sum(o, axis=0), "not one row for each sample"),
    "units for rows": (lambda o: ops.transpose(o), "not one row for each sample"),
    "rows in one": (lambda o: ops.reshape(o, (-1,)), "not one row for each sample"),
    "nothing": (lambda o: None, r"it returns None, not a tensor \(B,\)"),
}


@pytest.mark.parametrize("case", BAD)
def test_the_error_of_the_function_comes_first(case, x):
    function, message = BAD[case]
    with pytest.raises(ValueError, match=message) as caught:
        ke.explain(gradients, one(), x, function, verbose=0)
    assert "compute_output_spec" not in str(caught.value)
    assert "`y` must be a function" in str(caught.value)


def test_a_function_that_fails_on_a_batch_is_told_of_data(x):
    def failing(outputs):
        if outputs.shape[0] == len(x):
            raise KeyError("only with values")
        return outputs[:, 0]

    expected = r"KeyError in the function given for `y`, .*\(3, 4\): only with values"
    with pytest.raises(ValueError, match=expected) as caught:
        ke.explain(gradients, one(), x, failing, verbose=0)
    assert "ke.targets.Target(function, data)" in str(caught.value)
    assert "TargetLayer" not in str(caught.value)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="shapes are known")
@pytest.mark.parametrize("name", ["boolean_mask", "squeeze"])
def test_shapes_that_are_not_known_are_refused(name, x):
    import tensorflow as tf

    function = {
        "boolean_mask": lambda o: tf.boolean_mask(o, tf.reduce_any(o > 0, 0), axis=1),
        "squeeze": lambda o: tf.numpy_function(lambda a: a, [o], o.dtype),
    }[name]
    with pytest.raises(ValueError, match=r"number of units|unknown shape"):
        ke.explain(gradients, one(), x, function, verbose=0)


COUPLED = {
    "maximum": lambda out: out[:, 0] / ops.max(out),
    "mean": lambda out: out[:, 0] - ops.mean(out[:, 0]),
    "axis": lambda out: ops.softmax(9 * out, axis=0)[:, 0],
}


@pytest.mark.filterwarnings("ignore:You are using a softmax over axis 0")
@pytest.mark.parametrize("name", COUPLED)
def test_functions_that_mix_the_images_of_a_batch_are_told(name, rng):
    x = rng.normal(size=(2, 6, 6, 3)).astype("float32")
    of_data = ke.targets.Target(lambda out, _: COUPLED[name](out), x)
    for y in (COUPLED[name], of_data):
        with pytest.warns(UserWarning, match="must treat each row of the outputs by i"):
            ke.explain(gradients, one(), x, y, verbose=0)


def test_a_function_may_ask_for_an_output_for_some_values_only(x):
    """Values run one branch of ``cond``; the other may be that of another batch."""
    model = several()

    def larger(outputs):
        def either(k):
            return lambda: outputs[k][:, 1] * (k + 1)

        return ops.cond(ops.max(outputs[0][0]) > limit, either(0), either(1))

    for limit in (-1.0, 2.0):
        logits, maps = ke.gradients(model, x, larger, verbose=0)
        expected = numpy(model(x)[int(limit > 0)])[:, 1] * (1 + (limit > 0))
        np.testing.assert_allclose(logits[:, 0], expected, rtol=1e-5)
        assert maps.any()


def test_layers_that_a_function_calls_are_not_changed(x):
    model, head = several(), layers.Dense(2)
    head.build((None, 4))
    ke.gradients(model, x, lambda outputs: head(outputs[1])[:, 0], verbose=0)
    assert not head._inbound_nodes
