"""Layers and their calls in all forms of the original package, and its names."""

import keras
import numpy as np
import pytest
from keras import layers
from support.small_models import numpy, randomize

import keras_explainable as ke
from keras_explainable import inspection
from keras_explainable.methods import cams, gradient

X = np.random.default_rng(0).normal(size=(2, 8, 8, 3)).astype("float32")
Y = np.array([[1], [0]])


def body(pooling=False, name="body"):
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, name="first")(inputs)
    x = layers.Conv2D(5, 3, activation="relu", name="last")(x)
    if pooling:
        x = layers.GlobalAveragePooling2D(name="avg_pool")(x)
    return keras.Model(inputs, x, name=name)


def head(x, pooling):
    if pooling:
        x = layers.GlobalAveragePooling2D(name="avg_pool")(x)
    x = layers.Dense(3, name="logits")(x)
    return layers.Activation("softmax", name="predictions")(x)


def functional():
    backbone = body()
    return keras.Model(backbone.input, head(backbone.output, pooling=True))


def sequential(pooling=True):
    stack = [
        keras.Input((8, 8, 3)),
        body(pooling=not pooling),
        layers.Dense(3, name="logits"),
        layers.Activation("softmax", name="predictions"),
    ]
    if pooling:
        stack.insert(2, layers.GlobalAveragePooling2D(name="avg_pool"))
    return keras.Sequential(stack)


def nested(pooling=True):
    inputs = keras.Input((8, 8, 3))
    return keras.Model(inputs, head(body(pooling=not pooling)(inputs), pooling))


def twice_nested():
    inputs = keras.Input((8, 8, 3))
    middle = keras.Model(inputs, body(pooling=True)(inputs), name="middle")
    inputs = keras.Input((8, 8, 3))
    return keras.Model(inputs, head(middle(inputs), pooling=False))


#: The situations of the original's page on exposing. It says of those in which the
#: nested model does the pooling that Keras calls the graph disconnected.
SITUATIONS = {
    "functional": functional,
    "sequential": sequential,
    "sequential, nested with pooling": lambda: sequential(pooling=False),
    "nested": nested,
    "nested with pooling": lambda: nested(pooling=False),
    "twice nested": twice_nested,
}


def made(situation):
    model = SITUATIONS[situation]()
    randomize(model)
    return model


def values(model):
    """Return the logits and the activations before the pooling, layer by layer."""
    first, last, logits = (
        inspection.get_nested_layer(model, name) for name in ("first", "last", "logits")
    )
    activations = numpy(last(first(X)))
    return numpy(logits(activations.mean(axis=(1, 2)))), activations


@pytest.mark.parametrize("situation", SITUATIONS)
def test_exposing_finds_logits_and_pooling(situation):
    model = made(situation)
    logits, activations = values(model)
    exposed = inspection.expose(model)
    for found, expected in zip(exposed(X), (logits, activations), strict=True):
        np.testing.assert_allclose(numpy(found), expected, rtol=1e-4, atol=1e-5)
    assert inspection.get_logits_layer(model).name == "logits"
    assert inspection.get_global_pooling_layer(model).name == "avg_pool"


@pytest.mark.parametrize("situation", SITUATIONS)
@pytest.mark.parametrize("name", ["cam", "gradcam"])
def test_maps_of_exposed_models(situation, name):
    """Both are sums of the activations, weighted by the kernel of the logits."""
    model = made(situation)
    logits, activations = values(model)
    kernel = numpy(inspection.get_logits_layer(model).kernel)
    maps = np.einsum("bhwc,cbk->bhwk", activations, kernel[:, Y])
    maps = maps if name == "cam" else maps / 16
    chosen = np.take_along_axis(logits, Y, axis=1)
    method, exposed = getattr(cams, name), inspection.expose(model)
    for found, expected in zip(method(exposed, X, Y), (chosen, maps), strict=True):
        np.testing.assert_allclose(numpy(found), expected, rtol=1e-3, atol=1e-5)
    found = ke.explain(method, exposed, X, Y, resizing=False, verbose=0)
    np.testing.assert_allclose(found[0], chosen, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(found[1], maps, rtol=1e-3, atol=1e-5)


def endings():
    inputs = keras.Input((8, 8, 3))
    x = layers.GlobalAveragePooling2D()(inputs)
    dense = layers.Dense(3, activation="softmax", name="logits")
    return keras.Model(inputs, dense(x)), dense


def test_logits_of_a_layer_that_ends_in_softmax():
    model, dense = endings()
    randomize(model)
    expected = X.mean(axis=(1, 2)) @ numpy(dense.kernel) + numpy(dense.bias)
    np.testing.assert_allclose(
        numpy(inspection.expose(model)(X)[0]), expected, rtol=1e-4, atol=1e-5
    )
    probabilities = inspection.expose(model, outputs="logits")(X)[0]
    np.testing.assert_allclose(numpy(probabilities), numpy(model(X)), rtol=1e-5)


FORMS = {
    "name": lambda model: "last",
    "layer": lambda model: inspection.get_nested_layer(model, "last"),
    "path": lambda model: ("body", "last"),
    "tensor": lambda model: inspection.get_nested_layer(model, "last").output,
    "name as a dictionary": lambda model: {"name": "last", "link": "output"},
    "path as a dictionary": lambda model: {"name": ["body", "last"], "node": "last"},
    "layer as a dictionary": lambda model: {"layer": model.get_layer("body")},
    "first": lambda model: {"name": ("body", "last"), "node": "first"},
    "zero": lambda model: {"name": "last", "node": 0},
    "model": lambda model: "body",
    "position": lambda model: 1,
    "negative position": lambda model: -4,
    "input": lambda model: {"name": "avg_pool", "link": "input"},
}


@pytest.mark.parametrize("form", FORMS)
def test_all_forms_of_a_layer(form):
    model = made("nested")
    wanted = FORMS[form](model)
    logits, activations = values(model)
    found = inspection.expose(model, wanted, "logits")(X)
    for one, expected in zip(found, (logits, activations), strict=True):
        np.testing.assert_allclose(numpy(one), expected, rtol=1e-4, atol=1e-5)
    [tensor] = inspection.endpoints(model, [wanted])
    assert tensor.shape == (None, 4, 4, 5)


def test_symbolic_tensors_of_several_calls_and_outputs():
    inputs = keras.Input((8, 8, 3))
    shared = layers.Conv2D(3, 3, padding="same", name="c")
    first = shared(inputs)
    second = shared(first)
    x = layers.GlobalAveragePooling2D()(second)
    model = keras.Model(inputs, layers.Dense(2)(x))
    randomize(model)
    once, twice = numpy(shared(X)), numpy(shared(shared(X)))
    for wanted, expected in (
        ([first, second], [once, twice]),
        ([{"name": "c", "node": 0}, {"name": "c", "node": 1}], [once, twice]),
        (
            [{"name": "c", "node": "first"}, {"name": "c", "node": "last"}],
            [once, twice],
        ),
    ):
        found = inspection.expose(model, wanted)(X)[1:]
        for one, value in zip(found, expected, strict=True):
            np.testing.assert_allclose(numpy(one), value, rtol=1e-4, atol=1e-5)


def test_positions_and_nodes_that_do_not_exist():
    with pytest.raises(ValueError, match=r"must be below 5, .*received 9"):
        inspection.expose(made("nested"), 9)
    for wanted in ({"name": "last", "node": "middle"}, {"name": "last", "node": 1.5}):
        with pytest.raises(ValueError, match="must be a layer, its name, a tuple"):
            inspection.expose(made("nested"), wanted)


def test_several_outputs():
    model = made("nested")
    for outputs in (("logits", "predictions"), ["logits", "predictions"]):
        logits, probabilities, _ = map(
            numpy, inspection.expose(model, "last", outputs)(X)
        )
        exponentials = np.exp(logits)
        expected = exponentials / exponentials.sum(axis=-1, keepdims=True)
        np.testing.assert_allclose(probabilities, expected, rtol=1e-4, atol=1e-6)


def test_layers_along_a_path():
    model = made("twice nested")
    inner = model.get_layer("middle").get_layer("body")
    assert inspection.get_nested_layer(model, ["middle", "body"]) is inner
    for path in (["middle", "body", "last"], ("middle", "last"), ["last"], "last"):
        assert inspection.get_nested_layer(model, path) is inner.get_layer("last")
    with pytest.raises(ValueError, match="must have a layer named 'nothing'"):
        inspection.get_nested_layer(model, ["middle", "nothing"])


def test_finding_layers():
    model, find = made("nested"), inspection.find_layer_with
    kind = layers.Conv2D
    assert find(model, "first").name == "first"
    assert find(model, ["body", "first"]).name == "first"
    assert find(model, None, ["kernel", "strides"]).name == "last"
    assert find(model, properties=("kernel",), search_reversed=False).name == "first"
    assert find(model, klass=kind).name == "last"
    assert find(model, klass=(kind, layers.Dense)).name == "logits"
    assert find(model, None, ("kernel",), (kind,), False).name == "first"
    with pytest.raises(ValueError, match="a layer of class Conv2D with cell, state"):
        find(model, None, ["cell", "state"], kind)
    with pytest.raises(ValueError, match="`name`, `properties` or `klass` must be"):
        find(model)


def test_a_flattening_layer_stands_for_a_pooling():
    model = keras.Sequential(
        [keras.Input((4, 4, 1)), layers.Conv2D(1, 1), layers.Flatten(name="f")]
    )
    assert inspection.get_global_pooling_layer(model).name == "f"


def test_layers_with_biases_without_these():
    model = made("nested")
    logits = inspection.get_logits_layer(model)
    found = inspection.layers_with_biases(model, exclude=[logits], return_biases=False)
    assert [layer.name for layer in found] == ["first", "last"]
    both, biases = inspection.layers_with_biases(model, [logits], True)
    assert both == found
    for layer, bias in zip(found, biases, strict=True):
        np.testing.assert_array_equal(bias, numpy(layer.bias))


@pytest.mark.parametrize("form", ["name", "layer", "path"])
def test_logits_layer_of_cam(form):
    """Of two heads on the same pooling, the other one than the output."""
    backbone, inputs = body(pooling=True), keras.Input((8, 8, 3))
    pooled = backbone(inputs)
    x = layers.Dense(3, name="logits")(pooled)
    other = layers.Dense(4, name="other", activation="softmax")
    model = keras.Model(inputs, [x, other(pooled)])
    randomize(model)
    wanted = {"name": "other", "layer": other, "path": ("other",)}[form]
    activations = numpy(inspection.expose(model, "last")(X)[1])
    kernel, units = numpy(other.kernel), np.array([[2, 0], [1, 1]])
    expected = np.einsum("bhwc,cbk->bhwk", activations, kernel[:, units])
    _, maps = cams.cam(model, X, units, logits_layer=wanted)
    np.testing.assert_allclose(numpy(maps), expected, rtol=1e-3, atol=1e-5)
    for lower in (True, False):
        logits, maps = ke.explain(
            *(cams.cam, model, X, units),
            **{"logits_layer": wanted, "resizing": None, "lower": lower, "verbose": 0},
        )
        np.testing.assert_allclose(maps, expected, rtol=1e-3, atol=1e-5)
        scores = activations.mean(axis=(1, 2)) @ kernel + numpy(other.bias)
        chosen = np.take_along_axis(scores, units, axis=1)
        np.testing.assert_allclose(logits, chosen, rtol=1e-3, atol=1e-5)


def test_names():
    assert inspection.KERNEL_AXIS == -1
    assert inspection.SPATIAL_AXIS == (-3, -2)
    norms = (layers.BatchNormalization, layers.LayerNormalization)
    assert norms == inspection.NORMALIZATION_LAYERS
    assert {layers.Flatten, layers.GlobalMaxPooling3D} < {*inspection.POOLING_LAYERS}
    assert {cams.cam, cams.gradcam, cams.gradcampp, cams.scorecam} <= {*cams.METHODS}
    assert {gradient.gradients, gradient.full_gradients} <= {*gradient.METHODS}


@pytest.mark.parametrize("method", gradient.METHODS, ids=lambda each: each.__name__)
def test_methods_listed_need_no_parameters(method):
    model = made("functional")
    _, maps = ke.explain(method, model, X, Y, verbose=0)
    assert maps.shape == (2, 8, 8, 1)
