"""Models with several inputs: maps in their structure, independent noise."""

import keras
import numpy as np
import pytest
from keras import layers, ops
from support.small_models import numpy

import keras_explainable as ke
from keras_explainable.methods.gradient import (
    completeness_gap,
    gradients,
    input_x_gradient,
    integrated_gradients,
)
from keras_explainable.methods.gradient.input_gradients import SIGNED_GRADIENTS
from keras_explainable.methods.meta import noise_grad, smooth

IMAGE, ROW, UNITS = (8, 10, 3), (5,), 4
Y = [0, 1, 2]


def build(structure):
    """Return a model that multiplies features of an image with those of a row."""
    # Their order by name differs from that by position.
    image, row = keras.Input(IMAGE, name="image"), keras.Input(ROW, name="a_row")
    x = layers.Conv2D(4, 3, activation="tanh", name="convolution")(image)
    x = layers.GlobalAveragePooling2D()(x)
    x = x * layers.Dense(4, activation="tanh")(row)
    outputs = layers.Dense(UNITS, activation="softmax")(x)
    inputs = {"image": image, "a_row": row} if structure is dict else [image, row]
    return keras.Model(inputs, outputs)


@pytest.fixture(scope="module", params=[dict, list])
def model(request):
    keras.utils.set_random_seed(0)
    return build(request.param)


@pytest.fixture
def x(rng):
    image, row = (rng.normal(size=(3, *shape)) for shape in (IMAGE, ROW))
    return {"image": image.astype("float32"), "a_row": row.astype("float32")}


def by_name(found):
    """Return maps by input name, whatever their structure."""
    names = ["image", "a_row"]
    return found if isinstance(found, dict) else dict(zip(names, found, strict=True))


def differences(model, x, name, direction, step=1e-2):
    """Return the derivatives of the units Y along a direction of one input."""
    target = ke.inspection.logits_model(model)
    up, down = (
        numpy(target(x | {name: x[name] + sign * step * direction}))[np.arange(3), Y]
        for sign in (1, -1)
    )
    return (up - down) / (2 * step)


@pytest.mark.parametrize("name", ["image", "a_row"])
def test_derivatives_by_each_input(model, x, rng, name):
    _, maps = ke.explain(SIGNED_GRADIENTS, model, x, Y, verbose=0)
    direction = rng.normal(size=x[name].shape).astype("float32")
    found = (by_name(maps)[name][..., 0] * direction).reshape(3, -1).sum(axis=1)
    expected = differences(model, x, name, direction)
    np.testing.assert_allclose(found, expected, atol=0.02 * np.abs(found).max())


def flat(explanation):
    return keras.tree.flatten(tuple(explanation))


def test_maps_have_the_structure_of_the_inputs(model, x):
    """They are returned as inputs are passed: by name, or in a list."""
    of_list = not isinstance(model.input, dict)
    for given in [x, [*x.values()]][: 1 + of_list]:
        logits, maps = ke.smoothgrad(model, given, repetitions=2, verbose=0)
        assert logits.shape == (3, UNITS)
        assert type(maps) is type(given)
        assert by_name(maps)["image"].shape == (3, 8, 10, UNITS)
        assert by_name(maps)["a_row"].shape == (3, 5, UNITS)


def test_inputs_by_name_and_in_order_are_equal(model, x):
    by_names = ke.gradients(model, x, Y, verbose=0)
    order = [symbol.name for symbol in model.inputs]
    if isinstance(model.input, dict):
        with pytest.raises(ValueError, match="a dictionary by name; received list"):
            ke.gradients(model, [x[name] for name in order], Y, verbose=0)
        return
    in_order = ke.gradients(model, [x[name] for name in order], Y, verbose=0)
    np.testing.assert_array_equal(by_names.logits, in_order.logits)
    for name, maps in zip(order, in_order.maps, strict=True):
        np.testing.assert_array_equal(by_names.maps[name], maps)


def test_the_only_input_may_be_in_a_list_as_for_predict(rng):
    inputs = keras.Input((4,))
    model = keras.Model([inputs], layers.Dense(2)(inputs))
    x = rng.normal(size=(3, 4)).astype("float32")
    expected = ke.gradients(model, x, verbose=0)
    for one, other in zip(ke.gradients(model, [x], verbose=0), expected, strict=True):
        np.testing.assert_array_equal(one, other)
    rows = ke.gradients(model, [*x], verbose=0)[1]
    np.testing.assert_array_equal(rows, expected[1])


def test_a_rewritten_model_takes_inputs_by_name(model, x):
    copy = ke.inspection.logits_model(model)
    lowered = ke.lowering.lower(model)
    expected = numpy(model(x if isinstance(model.input, dict) else [*x.values()]))
    np.testing.assert_allclose(numpy(ops.softmax(copy(x))), expected, atol=1e-5)
    np.testing.assert_allclose(numpy(lowered(x)), expected, atol=1e-5)


@pytest.mark.parametrize("batch_size", [1, 2, 5])
def test_batches_and_data_sets(model, x, batch_size):
    expected = ke.smoothgrad(model, x, Y, repetitions=4, verbose=0)
    chunks = [slice(start, start + batch_size) for start in range(0, 3, batch_size)]
    stream = (
        ({name: part[at] for name, part in x.items()}, np.array(Y)[at]) for at in chunks
    )
    for source, y in ((x, Y), (stream, None)):
        found = ke.smoothgrad(
            model, source, y, repetitions=4, batch_size=batch_size, verbose=0
        )
        pairs = zip(*map(flat, (found, expected)), strict=True)
        for one, other in pairs:
            np.testing.assert_allclose(one, other, atol=1e-5)


def test_inputs_have_independent_noise():
    shape, sigma = (6, 6, 2), 0.5
    first, second = keras.Input(shape, name="first"), keras.Input(shape, name="second")
    flat = layers.Flatten()
    # The derivative by each input is that input: its noise can be seen in the map.
    outputs = layers.Dense(1, kernel_initializer="ones", use_bias=False)(
        flat(first * first / 2) + flat(second * second / 2)
    )
    model = keras.Model([first, second], outputs)
    nothing = np.zeros((2, *shape), "float32")
    method = smooth(SIGNED_GRADIENTS, 1, sigma, seed=0)
    _, (one, other) = ke.explain(method, model, [nothing, nothing], verbose=0)
    assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 0.3
    assert one.std() == pytest.approx(sigma, rel=0.3)
    noise = {"first": 0.0, "second": [0.1, 2.0]}
    method = smooth(SIGNED_GRADIENTS, 1, noise, seed=0)
    _, (none, much) = ke.explain(method, model, [nothing, nothing], verbose=0)
    assert not none.any()
    np.testing.assert_allclose(much[..., 0, 0], other[..., 0, 0] / 5, rtol=1e-4)
    np.testing.assert_allclose(much[..., 1, 0], other[..., 1, 0] * 4, rtol=1e-4)


def test_noise_level_is_relative_to_the_range_of_each_input(model, x):
    x = x | {"a_row": 100 * x["a_row"]}
    stats = by_name(
        ke.smoothgrad(
            model,
            x,
            Y,
            repetitions=2,
            noise_level={"image": 0.1, "a_row": 0.2},
            return_stats=True,
            verbose=0,
        )[2]
    )
    for name, level in {"image": 0.1, "a_row": 0.2}.items():
        spans = np.ptp(x[name].reshape(3, -1), axis=1)
        np.testing.assert_allclose(stats[name].sigma[:, 0], level * spans, rtol=1e-5)


def test_stats_and_tolerance_of_each_input(model, x):
    options = {"return_stats": True, "verbose": 0}
    _, maps, stats = ke.smoothgrad(
        model, x, Y, repetitions=256, tolerance=0.5, postprocessing=None, **options
    )
    found = by_name(stats)
    assert type(stats) is type(maps)
    for name, part in found.items():
        assert (part.relative_error <= 0.5).all()
        assert part.repetitions.max() < 256
        expected = np.abs(part.maps)
        expected = expected.mean(axis=-2) if name == "image" else expected
        np.testing.assert_allclose(by_name(maps)[name], expected, rtol=1e-4)
    np.testing.assert_array_equal(
        found["image"].repetitions, found["a_row"].repetitions
    )


def test_integrated_gradients_add_up_over_all_inputs(model, x):
    logits = ke.inspection.logits_model(model)
    baseline = {"image": "blur", "a_row": 0.1}
    options = {"baseline": baseline}
    _, maps = integrated_gradients(logits, x, Y, n_steps=64, **options)
    gap = numpy(completeness_gap(logits, x, Y, maps, **options))
    np.testing.assert_allclose(gap, 0, atol=1e-4)


def test_input_x_gradient_and_noise_on_the_weights(model, x):
    _, products = ke.explain(input_x_gradient, model, x, Y, verbose=0)
    _, maps = ke.explain(SIGNED_GRADIENTS, model, x, Y, verbose=0)
    expected = by_name(maps)["a_row"] * x["a_row"][..., None]
    np.testing.assert_allclose(by_name(products)["a_row"], expected, rtol=1e-4)
    without_noise = noise_grad(gradients, 2, noise_level=0, seed=0)
    found = ke.explain(without_noise, model, x, Y, verbose=0)[1]
    expected = ke.explain(gradients, model, x, Y, verbose=0)[1]
    for name, each in by_name(found).items():
        np.testing.assert_allclose(each, by_name(expected)[name], rtol=1e-3, atol=1e-6)


def test_activation_maps_have_the_size_of_the_image(model, x):
    _, maps = ke.gradcam(model, x, Y, verbose=0)
    assert maps.shape == (3, 8, 10, 1)


@pytest.mark.parametrize("name", ["occlusion", "rise", "full_gradients", "scorecam"])
def test_methods_for_one_input_refuse_several(model, x, name):
    with pytest.raises(ValueError, match=r"`model` must have one input .*a_row"):
        getattr(ke, name)(model, x, Y, verbose=0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x: x["image"], "a value for each of the model's inputs"),
        (lambda x: {"image": x["image"]}, r"received \['image'\]"),
        (lambda x: x | {"more": x["a_row"]}, "received .*'more'"),
        (lambda x: x | {"a_row": x["a_row"][:2]}, "as many rows"),
        (lambda x: x | {"a_row": x["a_row"][:, :4]}, r"\(any, 5\)"),
        (lambda x: x | {"a_row": np.full((3, 5), np.nan)}, "finite"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(model, x, change, message):
    with pytest.raises(ValueError, match=message):
        ke.gradients(model, change(x), Y, verbose=0)


def test_noise_for_an_unknown_input_is_refused(model, x):
    with pytest.raises(ValueError, match="`noise` must have a value for each"):
        ke.smoothgrad(model, x, Y, noise={"image": 0.1}, verbose=0)


def test_a_subclassed_model_takes_a_dictionary(x):
    class Both(keras.Model):
        def __init__(self):
            super().__init__()
            self.one, self.other = layers.Dense(UNITS), layers.Dense(UNITS)

        def call(self, inputs, training=False):
            return self.one(ops.mean(inputs["image"], (1, 2))) * self.other(
                inputs["a_row"]
            )

    model = Both()
    model(x)
    _, maps = ke.smoothgrad(model, x, Y, repetitions=2, verbose=0)
    assert maps["image"].shape == (3, 8, 10, 1)
    assert maps["a_row"].shape == (3, 5, 1)


class OfList(keras.Model):
    """A subclassed model that takes a list."""

    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(3)

    def call(self, inputs):
        one, two = inputs
        return self.dense(ops.concatenate([one, 2 * two**2], axis=-1))


@pytest.mark.parametrize(
    "y", [None, [0, 1], "predicted", lambda outputs: outputs[:, 0]]
)
@pytest.mark.parametrize("shapes", [((2, 5), (2, 5)), ((2, 5), (2, 4))])
def test_a_subclassed_model_that_takes_a_list(rng, shapes, y):
    model = OfList()
    x = [rng.normal(size=shape).astype("float32") for shape in shapes]
    model([*map(ops.convert_to_tensor, x)])
    inputs = [keras.Input(shape[1:]) for shape in shapes]
    known = keras.Model(inputs, model.call(inputs))
    labelled = isinstance(y, list)
    stream = iter([((*x,), y if labelled else None)])
    for data, chosen in [(x, y), (stream, None if labelled else y)]:
        logits, maps = ke.explain(SIGNED_GRADIENTS, model, data, chosen, verbose=0)
        expected = ke.explain(SIGNED_GRADIENTS, known, x, y, verbose=0)
        np.testing.assert_allclose(logits, expected[0], rtol=1e-5)
        for found, one in zip(maps, expected[1], strict=True):
            np.testing.assert_allclose(found, one, rtol=1e-5, atol=1e-6)
    assert len(ke.smoothgrad(model, x, [0, 1], repetitions=2, verbose=0)[1]) == 2


@pytest.mark.filterwarnings("ignore:When providing `inputs` as a dict")
def test_the_key_of_a_dictionary_of_one_input(rng):
    symbol = keras.Input((5,))
    model = keras.Model({"q": symbol}, layers.Dense(3)(symbol))
    x = rng.normal(size=(2, 5)).astype("float32")
    expected = ke.gradients(model, x, verbose=0)
    found = ke.gradients(model, {"q": x}, verbose=0)
    np.testing.assert_allclose(found[0], expected[0])
    np.testing.assert_allclose(found[1], expected[1])
    with pytest.raises(ValueError, match=r"inputs \['q'\]"):
        ke.gradients(model, {"other": x}, verbose=0)


def test_nested_structures_of_inputs_are_refused_by_name(rng):
    p, q, r = (keras.Input((3,), name=name) for name in "pqr")
    joined = layers.Dense(2)(layers.Concatenate()([p, q, r]))
    rows = rng.normal(size=(3, 2, 3)).astype("float32")
    nested = {"z": [rows[0], rows[1]], "r": rows[2]}
    model = keras.Model({"z": [p, q], "r": r}, joined)
    with pytest.raises(ValueError, match=r"`keras\.Model\(named, model\.output\)`"):
        ke.gradients(model, nested, [0, 1], verbose=0)
    named = keras.Model({x.name: x for x in model.inputs}, model.output)
    x = dict(zip("pqr", rows, strict=True))
    logits, _ = ke.gradients(named, x, [[0, 1]] * 2, verbose=0)
    np.testing.assert_allclose(logits, model.predict(nested, verbose=0), rtol=1e-5)


def test_inputs_that_are_left_out_or_have_no_axis(rng):
    one, two = keras.Input((3,), name="one"), keras.Input((3,), name="two")
    model = keras.Model({"one": one, "two": two}, layers.Dense(2)(one + two))
    x = {"one": rng.normal(size=(2, 3)), "two": None}
    with pytest.raises(TypeError, match=r"received None\. .* must be given, too"):
        ke.gradients(model, x, [0, 1], verbose=0)
    number = keras.Input(())
    model = keras.Model(number, layers.Dense(2)(number[:, None]))
    with pytest.raises(ValueError, match=r"Use `keras\.Input\(\(1,\)\)`"):
        ke.gradients(model, np.ones(2), [0, 1], verbose=0)
