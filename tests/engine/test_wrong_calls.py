"""A wrong call is refused before anything runs, with what to write instead."""

from functools import partial
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers
from support.small_models import images, linear

import keras_explainable as ke
from keras_explainable.methods import cams
from keras_explainable.methods.gradient import gradients, smooth_gradients
from keras_explainable.methods.meta import noise_grad, smooth, tta

pytestmark = pytest.mark.backend_independent  # No tensor is computed differently.

X = images(2)


@pytest.fixture(scope="module")
def model():
    return linear()


def explain(method, model, **params):
    return ke.explain(method, model, X, [0, 1], verbose=0, **params)


SHORTCUTS = [ke.smoothgrad, ke.vargrad, ke.gradcam, ke.partial_explain(gradients)]
USES = [explain, lambda method, _: smooth(method), lambda method, _: tta(method)]
USES += [lambda method, _: noise_grad(method)]
USES += [lambda method, _: ke.partial_explain(method)]


@pytest.mark.parametrize("shortcut", SHORTCUTS, ids=lambda each: each.__name__)
@pytest.mark.parametrize("use", USES)
def test_a_shortcut_is_no_method(model, shortcut, use):
    message = (
        rf"`method` .*shortcut '{shortcut.__name__}'.* write `{shortcut.__name__}\("
    )
    for given in (shortcut, partial(shortcut, verbose=0)):
        with pytest.raises(TypeError, match=message):
            use(given, model)


def test_a_class_is_no_model():
    with pytest.raises(
        TypeError, match=r"the class Sequential, of which `Sequential\("
    ):
        ke.gradients(keras.Sequential, X)


@pytest.mark.parametrize("function", [ke.targets.reconstruction, ke.targets.loss])
def test_a_function_that_makes_a_target_is_called(model, function):
    message = rf"Write `ke\.targets\.{function.__name__}\("
    with pytest.raises(TypeError, match=message):
        ke.gradients(model, X, function)


@pytest.mark.parametrize("meta", [smooth, tta, noise_grad])
@pytest.mark.parametrize("use", USES)
def test_a_meta_method_takes_a_method_first(model, meta, use):
    for given in (meta, partial(meta)):
        with pytest.raises(TypeError, match=rf"`{meta.__name__}\(gradients\)`"):
            use(given, model)


def test_channels_first_within_a_layer_of_the_users():
    class Block(keras.Layer):
        def __init__(self):
            super().__init__()
            self.parts = [layers.ReLU(), layers.MaxPooling2D(name="first")]
            self.parts[1].data_format = "channels_first"

        def call(self, x):
            return self.parts[0](x)

    inputs = keras.Input((3, 4, 4))
    model = keras.Model(inputs, layers.Flatten()(Block()(inputs)))
    with pytest.raises(ValueError, match=r"channels on its last axis.*'first'"):
        ke.gradients(model, np.ones((1, 3, 4, 4)), verbose=0)


def test_a_global_pooling_of_features_is_no_channels_first():
    """As in a published transformer of time series."""
    inputs = keras.Input((6, 1))
    seen = layers.Conv1D(1, 3, padding="same", name="seen")(inputs)
    pooled = layers.GlobalAveragePooling1D(data_format="channels_first")(seen)
    head, x = layers.Dense(2), np.ones((1, 6, 1), "float32")
    model = keras.Model(inputs, head(pooled))
    twin = keras.Model(inputs, head(keras.ops.mean(seen, axis=-1)))
    for method in (gradients, ke.methods.cams.hirescam):
        found, expected = (
            ke.explain(method, each, x, [0], verbose=0)[1] for each in (model, twin)
        )
        np.testing.assert_array_equal(found, expected)
    with pytest.raises(ValueError, match="no such pooling"):
        ke.cam(model, x, [0], verbose=0)


def test_the_order_of_the_arguments(model):
    with pytest.raises(TypeError, match=r"`ke\.explain\(method, model, x, y\)`"):
        ke.explain(model, gradients, X, [0, 1])
    with pytest.raises(
        TypeError, match="`method` must be a method, given before the m"
    ):
        ke.explain(model, X)
    for wrong, kind in ((X, "ndarray"), (None, "NoneType")):
        with pytest.raises(TypeError, match=f"`model` must be .* received {kind}"):
            ke.gradients(wrong, model)


FUSION = noise_grad(smooth(gradients, 2), 2)


@pytest.mark.parametrize(
    ("call", "wrong", "function", "hint"),
    [
        (ke.smoothgrad, "repetition", "smoothgrad", "did you mean `repetitions`"),
        (ke.vargrad, "noise_levels", "smoothgrad", "did you mean `noise_level`"),
        (ke.smoothgrad, "batchsize", "smoothgrad", "did you mean `batch_size`"),
        (ke.smoothgrad, "channel_reduction", "smoothgrad", "its parameters are"),
        (ke.gradients, "postprocesing", "gradients", "did you mean `postprocessing`"),
        (ke.gradients, "repetitions", "gradients", "gradient_filter, channel_red"),
        (ke.gradcam, "layers", "gradcam", "did you mean `layer`"),
        (ke.occlusion, "strides", "occlusion", "did you mean `stride`"),
        (partial(explain, smooth(cams.gradcam)), "Layer", None, "mean `layer`"),
        (partial(explain, tta(gradients)), "filter", None, "gradient_filter, channel"),
        (partial(explain, FUSION), "gradients_filter", None, "mean `gradient_filter`"),
        (partial(explain, smooth(gradients)), "rows", None, "its parameters are"),
        (
            partial(explain, partial(smooth_gradients, estimator="slopes")),
            *("toleranz", "smooth_gradients", "did you mean `tolerance`"),
        ),
    ],
)
def test_unknown_parameters_are_refused_by_name(model, call, wrong, function, hint):
    data = () if isinstance(call, partial) else (X, [0, 1])
    name = f"`{wrong}` is not a parameter of '{function or ''}"
    with pytest.raises(TypeError, match=f"{name}.*{hint}"):
        call(model, *data, **{wrong: 3})


@pytest.mark.parametrize(
    ("call", "wrong", "hint"),
    [
        (partial(ke.metrics.deletion, x=X, maps=X), "step", "did you mean `steps`"),
        (
            partial(ke.metrics.mprt, gradients, x=X),
            "layers",
            "its parameters are order",
        ),
        (partial(ke.metrics.max_sensitivity, gradients, x=X), "radious", "`radius`"),
        (partial(ke.sweep, image=X[0]), "noise_level", "did you mean `noise_levels`"),
    ],
)
def test_functions_that_run_methods_refuse_unknown_parameters(model, call, wrong, hint):
    name = getattr(call.func, "__name__", "")
    with pytest.raises(TypeError, match=f"`{wrong}` is not a .* '{name}'.*{hint}"):
        call(model=model, **{wrong: 0.1})


def test_text_is_no_method(model):
    with pytest.raises(TypeError, match=r"such as .*; received the text 'gradcam'\."):
        ke.explain("gradcam", model, X)


def test_inputs_and_labels_are_no_pair(model):
    with pytest.raises(TypeError, match="which are passed as `x, y`"):
        ke.gradients(model, (X, np.array([0, 1])), verbose=0)


class Samples:
    """A data set of single samples, as PyTorch has them."""

    def __len__(self):
        return len(X)

    def __getitem__(self, index):
        return X[index], int(index)


def test_batches_of_loaders_and_data_sets_of_samples(model):
    with pytest.raises(TypeError, match="which are passed as `x, y`"):
        ke.gradients(model, [X, np.arange(len(X))], verbose=0)
    with pytest.raises(TypeError, match=r"received Samples\. Pass a loader"):
        ke.gradients(model, Samples(), verbose=0)


def generated():
    yield X


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (keras.losses.MeanSquaredError(), r"ke\.targets\.loss\(labels, loss\)"),
        (keras.metrics.Accuracy(), "received the metric 'accuracy'"),
        ([lambda outputs: outputs], "must be one function or target; received 1"),
        ({0, 1}, r"received a set\. Write `list"),
        (map(int, [0, 1]), r"received a map\. Write `list"),
    ],
)
def test_units_and_functions_of_other_types(model, y, message):
    with pytest.raises(TypeError, match=message):
        ke.gradients(model, X, y, verbose=0)


def test_stats_need_images_of_one_size():
    inputs = keras.Input((None, None, 3))
    pooled = layers.GlobalAveragePooling2D()(layers.Conv2D(2, 3)(inputs))
    images = [np.ones((8, 8, 3)), np.ones((9, 7, 3))]
    with pytest.raises(ValueError, match="must be images of one size if `return_st"):
        ke.smoothgrad(keras.Model(inputs, pooled), images, return_stats=True)


def test_a_generator_function_is_to_be_called(model):
    with pytest.raises(TypeError, match=r"Write `generated\(\)`"):
        ke.gradients(model, generated, verbose=0)


def test_a_dictionary_of_units_is_told_apart(model):
    hint = r"the keys \['label'\]\. .*`y=ke\.targets\.output\('label'\)`"
    with pytest.raises(TypeError, match=hint):
        ke.gradients(model, X, {"label": [0, 1]}, verbose=0)


def test_parameters_that_a_signature_does_not_tell_are_passed_on(model):
    def untold(*args, **params):
        return gradients(*args, **params)

    expected = explain(gradients, model, gradient_filter=None)[1]
    for method in (untold, smooth(untold, 1, 0.0), partial(untold)):
        found = explain(method, model, gradient_filter=None)[1]
        np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize("direct", [True, False])
def test_a_single_sample_needs_a_batch_axis(model, direct):
    def call(x):
        return gradients(model, x) if direct else ke.gradients(model, x, verbose=0)

    with pytest.raises(ValueError, match=r"`x` .*Pass a single sample as `x\[None\]`"):
        call(X[0])
    with pytest.raises(ValueError, match=r"received \(2, 4, 4\)\.$"):
        call(X[..., 0])


def test_grey_images_need_an_axis_of_channels():
    model = keras.Sequential([keras.Input((4, 4, 1)), layers.Flatten()])
    with pytest.raises(ValueError, match=r"channels as `x\[\.\.\., None\]`"):
        ke.gradients(model, X[..., 0], verbose=0)


def test_a_single_unit_needs_an_axis(model):
    for y in (3, np.int64(3), np.array(3)):
        with pytest.raises(ValueError, match=r"Pass a single unit as `\[y\]`"):
            ke.gradients(model, X[:1], y, verbose=0)
        with pytest.raises(ValueError, match=r"Pass a single unit as `\[y\] \* 2`"):
            ke.gradients(model, X, y, verbose=0)
    with pytest.raises(ValueError, match=r"Pass a single unit as `\[y\]`"):
        gradients(model, X[:1], 3)


@pytest.mark.parametrize("name", ["vargrad", "smoothgrad_squared"])
def test_a_shortcut_that_has_its_statistic(model, name):
    with pytest.raises(TypeError, match=f"`statistic` must not be given to {name!r}"):
        getattr(ke, name)(model, images(), statistic="mean")


WRONG = {
    "predict": lambda m: ke.gradients(m.predict, X),
    "data": lambda m: ke.expected_gradients(m, X),
    "reduction": lambda m: ke.gradients(m, X, channel_reduction="max"),
    "layer": lambda m: ke.gradcam(m, X, layer=-1),
}


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("predict", "`model` must be the model itself; received its method 'predict'"),
        ("data", "`data` must be given to 'expected_gradients'"),
        ("reduction", "`channel_reduction` must be .*received"),
        ("layer", "`layer` .*must be a layer, its name, .*received -1"),
    ],
)
def test_wrong_arguments_are_named(model, case, message):
    with pytest.raises((TypeError, ValueError), match=message):
        WRONG[case](model)


@pytest.mark.parametrize("labels", [dict, tuple])
def test_labels_of_several_outputs_choose_no_unit(model, labels):
    both = {"a": np.zeros(2), "b": np.ones(2)}
    y = both if labels is dict else (*both.values(),)
    with pytest.raises(ValueError, match="received labels of several in a"):
        ke.gradients(model, iter([(X, y)]), verbose=0)
    _, maps = ke.gradients(model, iter([(X, y)]), y="predicted", verbose=0)
    assert len(maps) == 2


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="needs JAX's tracers")
@pytest.mark.parametrize("read", [lambda o: o[:, int(o[0, 0])], np.asarray])
def test_errors_of_tracers_are_those_of_the_function(model, read):
    with pytest.raises(ValueError, match="Error in the function given for `y`"):
        ke.gradients(model, X, read, verbose=0)


NAMED = {
    "gradcam": r"Pass `ke\.methods\.cams\.gradcam`, or call `ke\.gradcam\(model, x",
    "tta": r"Pass `ke\.methods\.meta\.tta\(\.\.\.\)`\.",
    "smoothgrad": r"Call `ke\.smoothgrad\(model, x, y\)`",
    "plot": "The command and `ke.evaluate` take names",
}


@pytest.mark.parametrize("name", NAMED)
def test_a_text_is_answered_with_the_function_of_that_name(model, name):
    with pytest.raises(TypeError, match=NAMED[name]):
        explain(name, model)


def segmentation():
    return keras.Sequential([keras.Input((6, 6, 3)), layers.Conv2D(2, 1)])


@pytest.mark.parametrize(
    ("y", "error", "hint"),
    [
        ([0.0, 1.0], TypeError, r"float64\. Pass units as `numpy\.asarray\(y, int\)`"),
        ([0.5, 1.0], TypeError, "float64.$"),
        ([True, False], TypeError, "bool.$"),
        (np.ones((2, 6, 6), bool), TypeError, r"bool\. `y=ke\.targets\.region\(masks"),
        (np.ones((2, 6, 6), int), ValueError, r"`y=ke\.targets\.region\(masks"),
    ],
)
def test_what_is_no_unit(model, y, error, hint):
    with pytest.raises(error, match=hint):
        ke.gradients(model, X, y, verbose=0)
    if np.ndim(y) > 1:
        with pytest.raises(error, match=hint):
            ke.gradients(segmentation(), np.ones((2, 6, 6, 3)), y, verbose=0)


def test_the_path_of_a_model_is_no_model():
    for path in ("net.keras", Path("net.keras")):
        with pytest.raises(
            TypeError, match=r"'net.keras'\. .*keras.models.load_model\("
        ):
            ke.gradients(path, X)


def test_paths_are_no_images(model):
    for paths in (["photos/a.JPG"], [Path("a.png"), Path("b.png")]):
        with pytest.raises(TypeError, match=r"folder of them by `keras\.utils\.image_"):
            ke.gradients(model, paths)


def test_channels_in_another_place():
    wide, high = layers.Flatten(), layers.Flatten()
    last = keras.Sequential([keras.Input((4, 5, 3)), wide, layers.Dense(2)])
    first = keras.Sequential([keras.Input((3, 4, 5)), high, layers.Dense(2)])
    x = np.ones((2, 4, 5, 3), "float32")
    with pytest.raises(ValueError, match=r"`numpy\.moveaxis\(x, 1, -1\)`"):
        ke.gradients(last, np.moveaxis(x, -1, 1))
    with pytest.raises(ValueError, match=r"`numpy\.moveaxis\(x, -1, 1\)`"):
        ke.gradients(first, x)
    with pytest.raises(ValueError, match=r"received \(2, 3, 5, 4\)\.$"):
        ke.gradients(last, np.ones((2, 3, 5, 4), "float32"))
