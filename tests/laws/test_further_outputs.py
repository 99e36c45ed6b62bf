"""Maps of a model do not depend on what else it returns, nor on how it was called."""

import keras
import numpy as np
import pytest
from keras import layers, ops
from support.small_models import numpy

import keras_explainable as ke

SIDE, CROP = 12, 5
OF_INPUTS = ["gradients", "integrated_gradients", "occlusion", "guided_gradients"]
OF_INPUTS += ["smoothgrad", "full_gradients"]
OPTIONS = {"verbose": 0, "postprocessing": None}


@pytest.fixture(scope="module")
def x():
    return np.random.default_rng(0).uniform(size=(2, SIDE, SIDE, 3)).astype("float32")


def tensors():
    """Return the inner tensors of a small network that sees a part of its image."""
    keras.utils.set_random_seed(0)
    image = keras.Input((SIDE, SIDE, 3))
    part = image[:, CROP:]
    options = {"activation": "relu", "padding": "same"}
    first = layers.Conv2D(4, 3, name="first", **options)(part)
    last = layers.Conv2D(4, 3, name="last", **options)(first)
    pooled = layers.GlobalAveragePooling2D(keepdims=True)(last)
    embedding = layers.Dense(5)(layers.Flatten()(pooled))
    label = layers.Dense(3)(embedding)
    return {
        "image": image,
        "part": part,
        "first": first,
        "last": last,
        "pooled": pooled,
        "embedding": embedding,
        "label": label,
    }


def model_with(*further):
    found = tensors()
    outputs = [found["label"], *(found[name] for name in further)]
    return keras.Model(found["image"], outputs if further else outputs[0])


FURTHER = ["image", "part", "first", "last", "pooled", "embedding", "label"]


@pytest.mark.parametrize("further", FURTHER)
def test_maps_of_inputs_do_not_depend_on_further_outputs(further, x):
    alone, together = model_with(), model_with(further)
    for name in OF_INPUTS:
        method = getattr(ke, name)
        _, expected = method(alone, x, [0, 1], **OPTIONS)
        _, maps = method(together, x, [0, 1], **OPTIONS)
        np.testing.assert_allclose(maps, expected, rtol=1e-4, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("further", FURTHER)
def test_cams_show_a_further_output_that_is_a_layer(further, x):
    layer = further if further in ("first", "last") else None
    _, expected = ke.gradcam(model_with(), x, [0, 1], layer=layer, **OPTIONS)
    _, maps = ke.gradcam(model_with(further), x, [0, 1], **OPTIONS)
    assert maps.shape == (2, SIDE, SIDE, 1)
    np.testing.assert_allclose(maps, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", ["gradcam", "scorecam"])
def test_cams_show_the_first_of_several_layers(name, x):
    _, expected = getattr(ke, name)(model_with(), x, [0, 1], layer="last", **OPTIONS)
    _, maps = getattr(ke, name)(model_with("last", "first"), x, [0, 1], **OPTIONS)
    np.testing.assert_allclose(maps, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("by_operations", [False, True])
def test_cams_do_not_show_scores_of_attention(by_operations, rng):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8, 3))
    h = layers.Conv1D(4, 3, padding="same", activation="relu", name="features")(inputs)
    if by_operations:
        scores = ops.softmax(ops.matmul(h, ops.transpose(h, (0, 2, 1))))
        weighted = ops.matmul(scores, h)
    else:
        attention = layers.Attention()
        weighted, scores = attention([h, h], return_attention_scores=True)
    label = layers.Dense(2)(layers.GlobalAveragePooling1D()(weighted))
    x = rng.normal(size=(2, 8, 3)).astype("float32")
    alone, together = (keras.Model(inputs, y) for y in (label, [label, scores]))
    _, expected = ke.hirescam(alone, x, [0, 1], **OPTIONS)
    _, maps = ke.hirescam(together, x, [0, 1], **OPTIONS)
    np.testing.assert_allclose(maps, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", ["gradients", "integrated_gradients", "smoothgrad"])
def test_maps_of_inputs_of_exposed_models(name, x):
    exposed = ke.inspection.expose(model_with(), "last")
    _, expected = getattr(ke, name)(model_with(), x, [0, 1], **OPTIONS)
    _, maps = getattr(ke, name)(exposed, x, [0, 1], **OPTIONS)
    np.testing.assert_allclose(maps, expected, rtol=1e-4, atol=1e-6)


def test_maps_of_inputs_of_lowered_models(x):
    exposed = ke.inspection.expose(model_with(), "last")
    _, expected = ke.gradients(exposed, x, [0, 1], **OPTIONS)
    _, maps = ke.gradients(ke.lowering.lower(exposed), x, [0, 1], **OPTIONS)
    np.testing.assert_allclose(maps, expected, rtol=1e-3, atol=1e-6)


META = {
    "plain": lambda method: method,
    "smooth": lambda method: ke.methods.meta.smooth(method, 3, noise=0.1, seed=0),
    "noise_grad": lambda method: ke.methods.meta.noise_grad(method, 2, seed=0),
    "tta": lambda method: ke.methods.meta.tta(method, scales=()),
    "libragrad": ke.methods.meta.libragrad,
}


@pytest.mark.parametrize("name", META)
@pytest.mark.parametrize("further", [(), ("last",)])
def test_cams_are_0_where_the_layer_does_not_see_the_image(name, further, x):
    method = META[name](ke.methods.cams.hirescam)
    _, maps = ke.explain(method, model_with(*further), x, [0, 1], verbose=0)
    assert not maps[:, :CROP].any()
    assert maps[:, CROP:].any()


def test_own_methods_of_exposed_layers(x):
    """A method of the user's does not say that its maps are those of a layer."""

    def own(model, inputs, indices=None):
        return ke.methods.cams.hirescam(model, inputs, indices)

    exposed = ke.inspection.expose(model_with(), "last")
    _, expected = ke.hirescam(exposed, x, [0, 1], **OPTIONS)
    for method in (own, ke.methods.meta.tta(own, scales=(), hflip=False)):
        _, maps = ke.explain(method, exposed, x, [0, 1], verbose=0)
        np.testing.assert_allclose(maps, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("estimator", ["slopes", "hybrid"])
def test_what_one_nonlinear_step_does_not_see_has_no_map(estimator, x):
    found = tensors()
    pooled = layers.GlobalAveragePooling2D()(found["first"])
    model = keras.Model(found["image"], layers.Dense(2)(pooled))
    _, maps = ke.smoothgrad(model, x, [0, 1], estimator=estimator, **OPTIONS)
    assert (maps[:, :CROP] == 0).all()
    assert (maps[:, CROP:] > 0).all()


def shuffling():
    """Return a network that reshapes patches, as MobileViT does."""
    keras.utils.set_random_seed(0)
    image = keras.Input((8, 8, 3))
    before = layers.Conv2D(4, 3, padding="same", activation="relu")(image)
    patches = layers.Dense(4, activation="relu")(layers.Reshape((4, 16, 4))(before))
    after = layers.Reshape((8, 8, 4))(patches)
    pooled = layers.GlobalAveragePooling2D()(layers.Add()([before, after]))
    return keras.Model(image, layers.Dense(2)(pooled))


def test_the_default_of_smoothgrad_does_not_place_layers(x):
    model, x = shuffling(), x[:, :8, :8]
    _, maps, stats = ke.smoothgrad(model, x, [0, 1], return_stats=True, **OPTIONS)
    _, expected = ke.smoothgrad(
        model, x, [0, 1], estimator="sampled", repetitions=500, **OPTIONS
    )
    assert stats.estimator == "hybrid"
    assert np.linalg.norm(maps - expected) < 0.2 * np.linalg.norm(expected)


def test_full_gradients_leave_out_shuffled_layers(x):
    model, x = shuffling(), x[:, :8, :8]
    with pytest.warns(UserWarning, match=r"left out.*shuffle.*: dense"):
        ke.full_gradients(model, x, [0, 1], **OPTIONS)


def called(by_name):
    keras.utils.set_random_seed(0)
    image = keras.Input((SIDE, SIDE, 3))
    conv = layers.Conv2D(4, 3, activation="relu", name="inner")
    steps = [keras.Input((SIDE, SIDE, 3)), conv, layers.GlobalAveragePooling2D()]
    parts = [keras.Sequential(steps), layers.Dense(3), layers.Softmax()]
    h = image
    for part in parts:
        h = part(inputs=h) if by_name else part(h)
    return keras.Model(image, h)


@pytest.mark.parametrize("name", ["gradients", "gradcam", "cam", "smoothgrad"])
def test_layers_called_with_keywords(name, x):
    for ours, expected in zip(
        getattr(ke, name)(called(True), x, [0, 1], **OPTIONS),
        getattr(ke, name)(called(False), x, [0, 1], **OPTIONS),
        strict=True,
    ):
        np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=1e-6)


class Scaled(layers.Layer):
    def call(self, x, factor):
        return x * factor


def test_arguments_that_are_no_tensors(x):
    """Keras takes them by their names only."""
    image = keras.Input((SIDE, SIDE, 3))
    pooled = layers.GlobalAveragePooling2D()(Scaled()(image, factor=2.0))
    model = keras.Model(image, layers.Dense(3)(pooled))
    _, maps = ke.gradients(model, x, [0, 1], verbose=0, postprocessing=None)
    kernel = np.abs(numpy(model.layers[-1].kernel)).mean(0)[:2] * 2 / SIDE**2
    expected = np.broadcast_to(kernel[:, None, None, None], maps.shape)
    np.testing.assert_allclose(maps, expected, rtol=1e-5)


class Distilled(keras.Model):
    """A subclassed model with attributes that have names of ours."""

    def __init__(self, inner):
        super().__init__()
        self.original = self.graph = self.inner = inner
        self.required_rows, self.layers_used = 7, 5

    def call(self, x):
        return self.inner(x)


def test_attributes_of_subclassed_models(x):
    inner = model_with()
    model = Distilled(inner)
    _, expected = ke.gradients(inner, x, [0, 1], **OPTIONS)
    np.testing.assert_allclose(ke.gradients(model, x, [0, 1], **OPTIONS)[1], expected)
    sampled = {"estimator": "sampled", **OPTIONS}
    _, maps = ke.smoothgrad(model, x, [0, 1], **OPTIONS)
    np.testing.assert_allclose(
        maps, ke.smoothgrad(inner, x, [0, 1], **sampled)[1], rtol=1e-3, atol=1e-5
    )
    logits = numpy(ops.convert_to_tensor(inner(x)))[:, :1]
    _, found = ke.gradients(model, x, lambda y: y[:, 0], **OPTIONS)
    assert found.shape == (*expected.shape[:-1], logits.shape[-1])


def of_two_heads(other, x):
    """Return a network of a label, and one that also has another head."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((10, 3))
    h = layers.Conv1D(4, 3, padding="same", activation="relu", name="shared")(inputs)
    own = layers.Conv1D(4, 3, padding="same", activation="relu", name="own")(h)
    label = layers.Dense(3, name="label")(layers.GlobalAveragePooling1D()(own))
    heads = {
        "convolutions": lambda: layers.Conv1D(2, 3, padding="same")(h),
        "permuted": lambda: layers.LSTM(2)(layers.Permute((2, 1))(inputs)),
        "masked": lambda: layers.LSTM(2)(layers.Masking()(inputs)),
        "attention": lambda: layers.MultiHeadAttention(1, 2)(h, h),
    }
    return keras.Model(inputs, label), keras.Model(inputs, [label, heads[other]()])


FROM_OUTPUTS = {  # Units of the label, and functions of it.
    "units": ([1, 1], [1, 1]),
    "function": (lambda label: label[:, 1], lambda outputs: outputs[0][:, 1]),
}
METHODS = ["gradients", "hirescam", "scorecam", "smoothgrad", "occlusion"]


@pytest.mark.parametrize("y", FROM_OUTPUTS)
@pytest.mark.parametrize("other", ["convolutions", "permuted", "masked", "attention"])
def test_what_only_other_outputs_do_changes_nothing(other, y, rng):
    x = rng.normal(size=(2, 10, 3)).astype("float32")
    x[:, 7:] = 0  # Hidden from the other head by its mask.
    alone, together = of_two_heads(other, x)
    for name in METHODS:
        method = getattr(ke, name)
        _, expected = method(alone, x, FROM_OUTPUTS[y][0], **OPTIONS)
        _, maps = method(together, x, FROM_OUTPUTS[y][1], **OPTIONS)
        np.testing.assert_allclose(maps, expected, rtol=1e-4, atol=1e-6, err_msg=name)
    assert ke.inspection.shown_layers(together) == ["own"]


def test_functions_that_need_every_output_get_it(rng):
    x = rng.normal(size=(2, 10, 3)).astype("float32")
    _, model = of_two_heads("masked", x)

    def contrast(outputs):
        return outputs[0][:, 1] - ops.mean(outputs[1], axis=-1)

    label, other = map(numpy, model(x))
    logits, maps = ke.gradients(model, x, contrast, **OPTIONS)
    np.testing.assert_allclose(logits[:, 0], label[:, 1] - other.mean(-1), rtol=1e-4)
    _, of_label = ke.gradients(model, x, lambda outputs: outputs[0][:, 1], **OPTIONS)
    assert np.abs(maps - of_label).max() > 1e-3


@pytest.mark.parametrize("other", ["convolutions", "permuted", "masked"])
def test_what_unused_outputs_of_nested_models_do_changes_nothing(other, rng):
    x = rng.normal(size=(2, 10, 3)).astype("float32")
    x[:, 7:] = 0
    alone, together = of_two_heads(other, x)
    inputs = keras.Input((10, 3))
    outer = keras.Model(inputs, layers.Rescaling(2.0)(together(inputs)[0]))
    for name in METHODS:
        method = getattr(ke, name)
        _, expected = method(alone, x, [1, 1], **OPTIONS)
        _, maps = method(outer, x, [1, 1], **OPTIONS)
        np.testing.assert_allclose(maps, 2 * expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("structure", [list, dict])
def test_a_sequential_model_ends_in_a_model_of_several_outputs(structure, rng):
    _, together = of_two_heads("convolutions", None)
    x = rng.normal(size=(2, 10, 3)).astype("float32")
    if structure is dict:
        label, other = together.outputs
        together = keras.Model(together.input, {"z": label, "a": other})
    model = keras.Sequential([keras.Input((10, 3)), layers.Rescaling(1.0), together])
    _, maps = ke.gradients(model, x, [1, 1], **OPTIONS)
    _, expected = ke.gradients(together, x, [1, 1], **OPTIONS)
    np.testing.assert_allclose(maps, expected, rtol=1e-4, atol=1e-6)


def chosen_by_an_integer(outputs):
    return ops.take_along_axis(outputs["label"], outputs["class"], axis=1)[:, 0]


def above_a_threshold(outputs):
    return outputs["label"][:, 1] + ops.relu(ops.sum(outputs["count"], axis=1) - 100)


@pytest.mark.parametrize(
    "function",
    [
        chosen_by_an_integer,
        above_a_threshold,
        lambda outputs: sum(x[:, 0] for x in list(outputs.values())[:2]),
        lambda outputs: {**outputs}["label"][:, 2],
        lambda outputs: outputs.get("missing", outputs["count"])[:, 0],
    ],
)
def test_functions_get_every_output_that_they_ask_for(function, rng):
    """The value is that of the function, whatever makes a difference to it."""
    inputs = keras.Input((4,))
    label = layers.Dense(3)(inputs)
    count = layers.Dense(2)(inputs) * 200
    found = {"label": label, "count": count}
    model = keras.Model(
        inputs, {**found, "class": ops.argmax(label, -1, keepdims=True)}
    )
    x = rng.normal(size=(2, 4)).astype("float32")
    logits, maps = ke.gradients(model, x, function, **OPTIONS)
    np.testing.assert_allclose(logits[:, 0], numpy(function(model(x))), rtol=1e-4)
    assert maps.any()


def test_layers_of_other_heads_are_found_by_name(rng):
    x = rng.normal(size=(2, 10, 3)).astype("float32")
    _, model = of_two_heads("convolutions", x)
    other = model.outputs[1]._keras_history.operation.name
    assert ke.inspection.shown_layers(model, other) == [other]
    y = ke.targets.output(1, then=lambda outputs: ops.sum(outputs[..., 0], axis=1))
    _, maps = ke.hirescam(model, x, y, layer=other, **OPTIONS)
    assert maps.any()
