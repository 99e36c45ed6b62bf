"""Finding layers, exposing their outputs, and their biases."""

import keras
import numpy as np
import pytest
from keras import layers
from support.small_models import network, numpy, randomize

import keras_explainable as ke
from keras_explainable import inspection


def a_batch():
    return np.random.default_rng(0).normal(size=(2, 12, 12, 3)).astype("float32")


def nested():
    inputs = keras.Input((12, 12, 3))
    x = layers.Conv2D(4, 3, name="outer")(network_body()(inputs))
    x = layers.GlobalMaxPooling2D()(x)
    return keras.Model(inputs, layers.Dense(2, name="top")(x))


def network_body():
    inputs = keras.Input((12, 12, 3))
    x = layers.Conv2D(5, 3, name="inner")(inputs)
    return keras.Model(inputs, layers.ReLU(name="inner_relu")(x), name="body")


def test_layers_are_found_by_name_and_property():
    model = nested()
    inner = inspection.get_nested_layer(model, "inner")
    assert inner is model.get_layer("body").get_layer("inner")
    assert inspection.find_layer_with(model, None, "kernel").name == "top"
    kind = layers.Conv2D
    found = inspection.find_layer_with(
        model, properties=lambda layer: isinstance(layer, kind)
    )
    assert found.name == "outer"
    pooling = inspection.get_global_pooling_layer(model)
    assert isinstance(pooling, layers.GlobalMaxPooling2D)
    assert inspection.get_global_pooling_layer(model, pooling.name) is pooling
    assert inspection.get_logits_layer(model).name == "top"


@pytest.mark.parametrize(
    ("find", "message"),
    [
        (lambda m: inspection.get_nested_layer(m, "x"), r"a layer named 'x'.*'inner'"),
        (lambda m: inspection.find_layer_with(m, None, "cell"), "a layer with cell"),
        (
            lambda m: inspection.get_global_pooling_layer(m.get_layer("body")),
            "a layer of global pooling",
        ),
    ],
)
def test_missing_layers_are_reported(find, message):
    with pytest.raises(ValueError, match=message):
        find(nested())


def test_exposed_values_equal_the_outputs_of_the_layers():
    model, x = nested(), a_batch()
    exposed = inspection.expose(model, ["inner", "outer"], "top")
    outputs, inner, outer = map(numpy, exposed(x))
    body = model.get_layer("body")
    expected = numpy(body.get_layer("inner")(x))
    np.testing.assert_allclose(inner, expected, rtol=1e-4, atol=1e-5)
    expected = numpy(model.get_layer("outer")(body(x)))
    np.testing.assert_allclose(outer, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(outputs, numpy(model(x)), rtol=1e-4, atol=1e-5)


def test_the_input_of_the_global_pooling_is_exposed_by_default():
    found = inspection.endpoints(nested())
    assert [tensor.shape for tensor in found] == [(None, 8, 8, 4)]
    found = inspection.endpoints(nested(), "inner")
    assert [tensor.shape for tensor in found] == [(None, 10, 10, 5)]


def test_exposing_adds_no_node_to_any_layer():
    model = nested()
    all_layers = [*model.layers, *model.get_layer("body").layers]
    before = [layer.__dict__.copy() for layer in all_layers]
    nodes = [len(layer._inbound_nodes) for layer in all_layers]
    inspection.expose(model, "inner")(a_batch())
    assert [layer.__dict__ for layer in all_layers] == before
    assert [len(layer._inbound_nodes) for layer in all_layers] == nodes


def test_an_exposed_model_is_made_once():
    model = nested()
    first = inspection.expose(model, "inner")
    assert inspection.expose(model, "inner") is first
    assert inspection.expose(model, "outer") is not first


@pytest.mark.parametrize("wanted", [3.0, {"name": "top", "link": "sideways"}, {"x": 1}])
def test_invalid_endpoints_are_rejected(wanted):
    with pytest.raises(ValueError, match="must be a layer, its name, a tuple"):
        inspection.expose(nested(), wanted)


def test_an_exposed_sigmoid_is_not_replaced_by_its_logits():
    inputs = keras.Input((12, 12, 3))
    gate = layers.Conv2D(4, 3, activation="sigmoid", name="gate")(inputs)
    x = layers.GlobalAveragePooling2D()(gate)
    model = keras.Model(inputs, layers.Dense(2, activation="sigmoid", name="top")(x))
    exposed = inspection.logits_model(inspection.expose(model, "gate", "top"))
    logits, gate = map(numpy, exposed(a_batch()))
    np.testing.assert_allclose(gate, numpy(model.get_layer("gate")(a_batch())))
    probabilities = 1 / (1 + np.exp(-logits))
    np.testing.assert_allclose(
        probabilities, numpy(model(a_batch())), rtol=1e-4, atol=1e-6
    )


def test_an_exposed_model_explains_its_first_output():
    model, x = network("softmax"), a_batch()
    exposed = inspection.expose(model)
    expected = ke.gradients(model, x, [0, 1], verbose=0)
    found = ke.gradients(exposed, x, [0, 1], verbose=0)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize("scale", [True, False])
def test_biases_of_norms(scale, center):
    options = {"scale": scale, "center": center, "epsilon": 0.2}
    inputs = keras.Input((4, 4, 3))
    norm = layers.BatchNormalization(**options)
    model = keras.Model(inputs, norm(inputs))
    randomize(model)
    (bias,) = inspection.biases(model)
    output_of_zeros = numpy(model(np.zeros((1, 4, 4, 3), "float32")))[0, 0, 0]
    np.testing.assert_allclose(bias, output_of_zeros, rtol=1e-4, atol=1e-6)


def test_which_layers_have_biases():
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, use_bias=False)(inputs)
    x = layers.BatchNormalization()(x)
    x = layers.DepthwiseConv2D(3, name="depthwise")(x)
    x = layers.LayerNormalization(center=False)(x)
    x = layers.LayerNormalization(name="norm")(x)
    x = layers.Dense(3, name="top")(layers.GlobalAveragePooling2D()(x))
    model = keras.Model(inputs, x)
    randomize(model)
    found, _ = inspection.layers_with_biases(model)
    names = [layer.name for layer in found]
    assert names[1:] == ["depthwise", "norm", "top"]
    assert "batch_normalization" in names[0]
    exclude = ["top", model.layers[2]]
    without, (depthwise, norm) = inspection.layers_with_biases(model, exclude)
    assert [layer.name for layer in without] == ["depthwise", "norm"]
    np.testing.assert_array_equal(depthwise, numpy(model.get_layer("depthwise").bias))
    np.testing.assert_array_equal(norm, numpy(model.get_layer("norm").beta))


def test_tensors_of_a_model_are_told_from_those_of_another():
    """A layer that two models share, and that one of them calls twice."""
    shared, other = layers.Dense(4, name="shared"), layers.Dense(3)
    first, second = keras.Input((5, 4)), keras.Input((5, 4))
    elsewhere = shared(second)
    once, twice = shared(first), shared(shared(first))
    inner = keras.Model(first, [once, twice])
    outer_input = keras.Input((5, 4))
    outer = keras.Model(outer_input, other(inner(outer_input)[1]))
    x = np.ones((1, 5, 4), "float32")
    expected = [numpy(each) for each in inner(x)]
    for tensor, values in zip((once, twice), expected, strict=True):
        for model in (inner, outer):
            found = numpy(inspection.expose(model, tensor)(x)[-1])
            np.testing.assert_allclose(found, values, rtol=1e-5)
    with pytest.raises(ValueError, match=r"must be a tensor of `model`; .* 'shared'"):
        inspection.expose(outer, elsewhere)
