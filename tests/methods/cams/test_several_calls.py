"""Layers that are called several times: every call is reachable, and has its input."""

import keras
import numpy as np
import pytest
from keras import layers, ops
from support.small_models import numpy, randomize

import keras_explainable as ke
from keras_explainable.methods.cams import gradcam, hirescam

#: Maps at their own size.
OWN = {"resizing": None, "verbose": 0}

SIDES = {"a": 8, "b": 11}


def tower(name="tower", last="last"):
    return keras.Sequential(
        [
            keras.Input((None, None, 3)),
            layers.Conv2D(4, 3, activation="relu", name=last),
            layers.GlobalAveragePooling2D(),
            layers.Dense(3, activation="tanh"),
        ],
        name=name,
    )


def siamese(first, second, structure=list, row=False):
    """Return a model of two images, and of a row of a table if wanted."""
    inputs = {
        name: keras.Input((side, side, 3), name=name) for name, side in SIDES.items()
    }
    features = [first(inputs["a"]), second(inputs["b"])]
    if row:
        inputs["row"] = keras.Input((2,), name="row")
        features.append(inputs["row"])
    outputs = layers.Dense(2)(layers.Concatenate()(features))
    chosen = inputs if structure is dict else [*inputs.values()]
    return keras.Model(chosen, outputs)


def shared(**options):
    both = tower()
    model = siamese(both, both, **options)
    randomize(model)
    return model


def pictures(rng):
    return [rng.normal(size=(2, s, s, 3)).astype("float32") for s in SIDES.values()]


@pytest.mark.parametrize("layer", ["last", None])
@pytest.mark.parametrize("method", [gradcam, hirescam])
def test_maps_are_those_of_a_model_that_does_not_share_the_layer(method, layer, rng):
    model, x = shared(), pictures(rng)
    _, maps = ke.explain(method, model, x, layer=layer, **OWN)
    apart = siamese(tower("one", "last_of_a"), tower("other", "last_of_b"))
    weights = model.get_layer("tower").get_weights()
    for name in ("one", "other"):
        apart.get_layer(name).set_weights(weights)
    apart.layers[-1].set_weights(model.layers[-1].get_weights())
    for name, found in zip(SIDES, maps, strict=True):
        last = f"last_of_{name}"
        _, expected = ke.explain(method, apart, x, layer=last, **OWN)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("row", [False, True])
def test_towers_of_layers_of_their_own_have_a_map_each(row, rng):
    model, x = (
        siamese(tower("one", "left"), tower("other", "right"), row=row),
        pictures(rng),
    )
    x += [rng.normal(size=(2, 2)).astype("float32")] if row else []
    maps = ke.explain(gradcam, model, x, **OWN)[1]
    pairs = zip(("left", "right"), keras.tree.flatten(maps), strict=True)
    for name, found in pairs:
        _, expected = ke.explain(gradcam, model, x, layer=name, **OWN)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("structure", [list, dict])
def test_each_map_has_the_size_of_its_own_input(structure, rng):
    model, (a, b) = shared(structure=structure), pictures(rng)
    x = {"a": a, "b": b} if structure is dict else [a, b]
    maps = ke.gradcam(model, x, layer="last", verbose=0)[1]
    assert type(maps) is structure
    shapes = [part.shape for part in keras.tree.flatten(maps)]
    assert shapes == [(2, side, side, 2) for side in SIDES.values()]


@pytest.mark.parametrize("node", [0, 1])
def test_a_node_is_one_call_and_has_the_size_of_its_input(node, rng):
    model, x = shared(), pictures(rng)
    wanted = {"name": "last", "node": node}
    found = ke.gradcam(model, x, layer=wanted, verbose=0)[1]
    expected = ke.gradcam(model, x, layer="last", verbose=0)[1][node]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_an_input_without_such_a_layer_has_no_map(rng):
    model, x = shared(row=True), pictures(rng)
    x.append(rng.normal(size=(2, 2)).astype("float32"))
    maps = ke.gradcam(model, x, layer="last", verbose=0)[1]
    assert {name: part.shape[1] for name, part in maps.items()} == SIDES


def test_a_layer_of_several_inputs_has_one_map(rng):
    images = [keras.Input((s, s, 3)) for s in (8, 8)]
    x = layers.Conv2D(3, 3, name="fused")(layers.Concatenate()(images))
    model = keras.Model(images, layers.Dense(2)(layers.GlobalAveragePooling2D()(x)))
    x = rng.normal(size=(2, 1, 8, 8, 3)).astype("float32")
    assert ke.gradcam(model, [*x], layer="fused", verbose=0)[1].shape == (1, 8, 8, 2)


def test_only_calls_on_which_the_first_output_depends_have_a_map(rng):
    both = tower()
    a, b = (keras.Input((s, s, 3), name=name) for name, s in SIDES.items())
    model = keras.Model([a, b], [layers.Dense(2)(both(a)), both(b)])
    assert ke.gradcam(model, pictures(rng), verbose=0)[1].shape == (2, 8, 8, 2)


@pytest.mark.parametrize("name", ["last", "tower"])
def test_exposed_nodes_are_the_calls_in_order_of_execution(name, rng):
    model, (a, b) = shared(), pictures(rng)
    nodes = [{"name": name, "node": node} for node in (1, 0)]
    _, second, first = ke.inspection.expose(model, nodes)([a, b])
    layer = both = model.get_layer("tower")
    if name == "last":
        layer = both.get_layer("last")
    np.testing.assert_allclose(numpy(first), numpy(layer(a)), atol=1e-5)
    np.testing.assert_allclose(numpy(second), numpy(layer(b)), atol=1e-5)
    last = ke.inspection.expose(model, name)([a, b])[1]
    np.testing.assert_allclose(numpy(last), numpy(second), atol=1e-6)


def test_a_layer_called_twice_on_one_input_shows_its_last_call(rng):
    inputs = keras.Input((8, 8, 3))
    twice = layers.Conv2D(3, 3, activation="tanh", name="twice")
    x = layers.GlobalAveragePooling2D()(twice(twice(inputs)))
    model, x = keras.Model(inputs, layers.Dense(2)(x)), pictures(rng)[0]
    sizes = {None: 4, 0: 6, 1: 4}
    for node, side in sizes.items():
        layer = "twice" if node is None else {"name": "twice", "node": node}
        maps = ke.explain(gradcam, model, x, layer=layer, **OWN)[1]
        assert maps.shape == (2, side, side, 2)


def test_a_node_that_does_not_exist():
    with pytest.raises(
        ValueError, match=r"`node` must be below 2, .*'last'.*received 2"
    ):
        ke.inspection.expose(shared(), {"name": "last", "node": 2})
    with pytest.raises(ValueError, match="must be a layer, its name, a tuple"):
        ke.inspection.expose(shared(), {"name": "last", "node": -1})


def test_full_gradients_add_up_if_a_model_is_called_twice(rng):
    inputs, both = keras.Input((8, 8, 3)), tower()
    x = layers.Concatenate()([both(inputs), both(inputs[:, 1:])])
    model = keras.Model(inputs, layers.Dense(2, use_bias=False)(x))
    randomize(model)
    both.layers[-1].bias.assign([0, 0, 0])  # Without spatial axes, it has no place.
    both.layers[-1].activation = keras.activations.linear
    method, x = ke.methods.gradient.full_gradients, pictures(rng)[0]
    logits, maps = ke.explain(method, model, x, psi=None, **OWN)
    np.testing.assert_allclose(maps.sum(axis=(1, 2)), logits, rtol=1e-3, atol=1e-4)


def test_a_layer_that_two_models_share_is_listed_once():
    dense = layers.Dense(3, name="common")
    inner = [keras.Sequential([keras.Input((3,)), dense]) for _ in range(2)]
    model = keras.Sequential([keras.Input((3,)), *inner])
    found, biases = ke.inspection.layers_with_biases(model)
    assert [layer.name for layer in found] == ["common"]
    assert len(biases) == 1


def test_inputs_that_share_an_embedding_have_maps_of_their_own(rng):
    words, embedding = (
        [keras.Input((t,), dtype="int32") for t in (4, 6)],
        layers.Embedding(9, 3),
    )
    pooled = [layers.GlobalAveragePooling1D()(embedding(x)) for x in words]
    outputs = layers.Dense(2)(layers.Multiply()(pooled))
    model = keras.Model(words, outputs)
    randomize(model)
    x = [rng.integers(0, 9, (2, t)) for t in (4, 6)]
    _, maps = ke.explain(ke.methods.gradient.input_x_gradient, model, x, **OWN)
    logits = numpy(model(x)) - numpy(model.layers[-1].bias)
    for part, t in zip(maps, (4, 6), strict=True):
        assert part.shape == (2, t, 2)
        np.testing.assert_allclose(part.sum(axis=1), logits, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("layer", ["last", {"name": "last", "node": 1}])
def test_smoothed_maps_have_stats_whatever_their_structure(layer, rng):
    model, x = shared(row=True), pictures(rng)
    x.append(rng.normal(size=(2, 2)).astype("float32"))
    method = ke.methods.meta.smooth(gradcam, 4, noise_level=0.1)
    options = {"layer": layer, "return_stats": True, **OWN}
    _, maps, stats = ke.explain(method, model, x, **options)
    for part, stat in zip(*map(keras.tree.flatten, (maps, stats)), strict=True):
        np.testing.assert_allclose(stat.maps, part, atol=1e-6)
        assert stat.sigma.shape == (2, 3)


def test_nodes_are_in_the_order_of_the_users_calls(rng):
    """Keras executes the calls of a layer in another order: here, the third second."""
    body = [
        layers.Conv2D(2, 3, activation="tanh", name="c"),
        layers.GlobalAveragePooling2D(),
    ]
    tower = keras.Sequential([keras.Input((8, 8, 1)), *body])
    a, b, c = (keras.Input((8, 8, 1), name=name) for name in "abc")
    one, two, three = tower(a), tower(b), tower(c)
    near, far = ops.sum((one - two) ** 2, -1), ops.sum((one - three) ** 2, -1)
    model = keras.Model([a, b, c], (near - far)[:, None])
    x = [rng.normal(size=(2, 8, 8, 1)).astype("float32") for _ in "abc"]
    options = {"postprocessing": None, "resizing": None, "verbose": 0}
    _, every = ke.gradcam(model, x, layer="c", **options)
    for node, expected in enumerate(every):
        _, maps = ke.gradcam(model, x, layer={"name": "c", "node": node}, **options)
        np.testing.assert_allclose(maps, expected, rtol=1e-4, atol=1e-7)


def test_a_name_that_two_layers_have_is_refused(rng):
    def branch():
        convolution = layers.Conv2D(2, 3, name="c")
        return keras.Sequential(
            [keras.Input((8, 8, 1)), convolution, layers.GlobalMaxPooling2D()]
        )

    first, second = branch(), branch()
    inputs = keras.Input((8, 8, 1))
    model = keras.Model(inputs, layers.Average()([first(inputs), second(inputs)]))
    x = rng.normal(size=(2, 8, 8, 1)).astype("float32")
    with pytest.raises(ValueError, match="received the name 'c', which 2 layers"):
        ke.gradcam(model, x, layer="c", verbose=0)
    assert ke.gradcam(model, x, layer=first.get_layer("c"), verbose=0)[1].shape[0] == 2


@pytest.mark.parametrize("layer", ["last", None])
def test_calls_beside_each_other_for_one_input_are_told(layer, rng):
    """One map can show one call only; each has its own place in the image."""
    inputs, side = keras.Input((8, 16, 3)), tower()
    halves = [side(inputs[:, :, :8]), side(inputs[:, :, 8:])]
    model = keras.Model(inputs, layers.Dense(2)(layers.Concatenate()(halves)))
    x = rng.normal(size=(1, 8, 16, 3)).astype("float32")
    with pytest.warns(UserWarning, match="called 2 times for one input"):
        ke.explain(hirescam, model, x, [[0]], layer=layer, verbose=0)
    maps = [
        ke.explain(hirescam, model, x, [[0]], layer={"name": "last", "node": k})[1]
        for k in (0, 1)
    ]
    assert not maps[0][:, :, 8:].any()
    assert not maps[1][:, :, :8].any()


@pytest.mark.filterwarnings("error:.*called 2 times")
def test_calls_after_each_other_need_no_word(rng):
    inputs, same = keras.Input((8, 8, 3)), layers.Conv2D(3, 3, padding="same")
    x = layers.GlobalAveragePooling2D()(same(ops.tanh(same(inputs))))
    model = keras.Model(inputs, layers.Dense(2)(x))
    x = rng.normal(size=(1, 8, 8, 3)).astype("float32")
    ke.explain(hirescam, model, x, [[0]], verbose=0)
