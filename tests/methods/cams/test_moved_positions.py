"""Axes that are permuted or flipped before a layer: maps have the input's positions.

The network is a plain one behind a step that moves the input, so that its map is that
of the plain network for moved inputs, moved back.
"""

import keras
import numpy as np
import pytest
from keras import layers, ops
from support.small_models import numpy

import keras_explainable as ke
from keras_explainable.methods import cams
from keras_explainable.methods.gradient import full_gradients, gradients

PLAIN = {"postprocessing": None, "verbose": 0}
METHODS = [cams.gradcam, cams.gradcampp, cams.layercam, cams.cam, cams.scorecam]
METHODS += [cams.hirescam, full_gradients, gradients]


class Turned(layers.Layer):
    def call(self, x):
        return ops.flip(ops.swapaxes(x, 1, 2), 1)


#: Step in the model, and the same from images and from maps back.
MOVES = {
    "permute": (layers.Permute((2, 1, 3)), lambda x: x.swapaxes(1, 2)),
    "transpose": (lambda x: ops.transpose(x, (0, 2, 1, 3)), lambda x: x.swapaxes(1, 2)),
    "flip": (lambda x: ops.flip(x, 2), lambda x: x[:, :, ::-1]),
    "reversed": (lambda x: x[:, ::-1, ::-1], lambda x: x[:, ::-1, ::-1]),
    "lambda": (
        layers.Lambda(lambda x: ops.swapaxes(x, 1, 2)),
        lambda x: x.swapaxes(1, 2),
    ),
    "layer": (Turned(), lambda x: np.flip(x.swapaxes(1, 2), 1)),
    "rotated": (lambda x: ops.rot90(x, axes=(1, 2)), lambda x: np.rot90(x, 1, (1, 2))),
    "none": (layers.Rescaling(1.0), lambda x: x),
}
BACK = {
    "layer": lambda x: np.flip(x, 1).swapaxes(1, 2),
    "rotated": lambda x: np.rot90(x, -1, (1, 2)),
}


def body(shape):
    keras.utils.set_random_seed(0)
    inputs = keras.Input(shape)
    rank = len(shape) - 1
    x = getattr(layers, f"Conv{rank}D")(4, 3, activation="tanh")(inputs)
    x = getattr(layers, f"Conv{rank}D")(4, 2, use_bias=False)(x)
    x = getattr(layers, f"GlobalAveragePooling{rank}D")()(x)
    return keras.Model(inputs, layers.Dense(3)(x))


def behind(step, shape):
    """Return the plain network behind a step, and the plain network itself."""
    inputs = keras.Input(shape)
    moved = step(inputs)
    plain = body(moved.shape[1:])
    return keras.Model(inputs, plain(moved)), plain


if keras.backend.backend() == "torch":  # Which has no negative steps.
    del MOVES["reversed"]


def cases(names, every):
    """Return one method with all steps, and all methods with one of them."""
    others = [(method, every) for method in METHODS if method is not cams.hirescam]
    return [*((cams.hirescam, name) for name in names), *others]


@pytest.mark.parametrize(("method", "name"), cases(MOVES, "layer"))
def test_maps_have_the_positions_of_the_input(method, name, rng):
    step, move = MOVES[name]
    x = rng.normal(size=(2, 7, 9, 2)).astype("float32")
    model, plain = behind(step, x.shape[1:])
    found = ke.explain(method, model, x, [[0, 2]] * 2, **PLAIN)[1]
    there = np.ascontiguousarray(move(x))
    maps = ke.explain(method, plain, there, [[0, 2]] * 2, **PLAIN)[1]
    expected = BACK.get(name, move)(maps)
    assert found.shape == (2, 7, 9, 2)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)


def test_volumes(rng):
    x = rng.normal(size=(2, 5, 6, 7, 2)).astype("float32")
    model, plain = behind(layers.Permute((3, 1, 2, 4)), x.shape[1:])
    options = {"resizing": False, **PLAIN}
    found = ke.explain(cams.gradcam, model, x, [[0]] * 2, **options)[1]
    moved = np.ascontiguousarray(x.transpose(0, 3, 1, 2, 4))
    maps = ke.explain(cams.gradcam, plain, moved, [[0]] * 2, **options)[1]
    np.testing.assert_allclose(found, maps.transpose(0, 2, 3, 1, 4), 1e-4, 1e-6)


@pytest.mark.parametrize(
    ("shape", "step"),
    [
        ((1, 7, 9), layers.Reshape((7, 9, 1))),
        ((1, 7, 9), lambda x: ops.reshape(x, (-1, 7, 9, 1))),
        ((2, 7, 9), layers.Lambda(lambda x: ops.transpose(x, (0, 2, 3, 1)))),
        ((7, 9), layers.Reshape((7, 9, 1))),
    ],
)
@pytest.mark.parametrize("method", [cams.gradcam, gradients])
def test_channels_first_in_any_form(shape, step, method, rng):
    x = rng.normal(size=(2, *shape)).astype("float32")
    model, plain = behind(step, shape)
    moved = numpy(step(ops.convert_to_tensor(x)))
    found = ke.explain(method, model, x, [[0]] * 2, **PLAIN)[1]
    expected = ke.explain(method, plain, moved, [[0]] * 2, **PLAIN)[1]
    assert found.shape == (2, 7, 9, 1)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


CROPS = {
    "cropping": (layers.Cropping2D(((4, 2), (3, 6))), (slice(4, 12), slice(3, 10))),
    "center": (layers.CenterCrop(8, 10), (slice(3, 11), slice(3, 13))),
    "slices": (lambda x: x[:, :8, 2:], (slice(0, 8), slice(2, 16))),
    "lambda": (layers.Lambda(lambda x: x[:, :8, 2:]), (slice(0, 8), slice(2, 16))),
}


@pytest.mark.parametrize(("method", "name"), cases(CROPS, "center"))
def test_maps_are_0_where_the_input_is_cropped(method, name, rng):
    step, window = CROPS[name]
    x = rng.normal(size=(2, 14, 16, 2)).astype("float32")
    model, plain = behind(step, x.shape[1:])
    found = ke.explain(method, model, x, [[0, 2]] * 2, **PLAIN)[1]
    part = np.ascontiguousarray(x[(slice(None), *window)])
    expected = np.zeros((2, 14, 16, 2))
    maps = ke.explain(method, plain, part, [[0, 2]] * 2, **PLAIN)[1]
    if method is full_gradients:  # Each term is scaled to 0 to 1, with 0 around it.
        assert not found[:, ~np.isin(np.arange(14), np.r_[window[0]])].any()
        return
    expected[(slice(None), *window)] = maps
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)


def test_flipped_and_cropped(rng):
    x = rng.normal(size=(2, 14, 16, 2)).astype("float32")
    inputs = keras.Input((14, 16, 2))
    h = layers.Cropping2D(((0, 0), (6, 0)))(ops.flip(inputs, 2))
    model = keras.Model(inputs, body((10, 14, 2))(layers.Permute((2, 1, 3))(h)))
    maps = ke.explain(cams.gradcam, model, x, [[0]] * 2, **PLAIN)[1]
    assert maps[:, :, :10].any(axis=(0, 1)).all()
    assert not maps[:, :, 10:].any()
    small = ke.explain(cams.gradcam, model, x, [[0]] * 2, resizing=(7, 8), **PLAIN)[1]
    assert small[:, :, :5].any(axis=(0, 1)).all()
    assert not small[:, :, 5:].any()


def test_rolled_positions_are_refused(rng):
    x = rng.normal(size=(2, 7, 9, 2)).astype("float32")
    model, _ = behind(lambda x: ops.roll(x, 3, axis=1), x.shape[1:])
    with pytest.raises(ValueError, match="rolls or shuffles them"):
        ke.gradcam(model, x, [[0]] * 2, verbose=0)
    assert ke.gradients(model, x, [[0]] * 2, verbose=0)[1].shape == (2, 7, 9, 1)


def test_shuffled_channels_stay_in_place(rng):
    x = rng.normal(size=(2, 7, 9, 3)).astype("float32")
    model, _ = behind(lambda x: ops.roll(x, 1, axis=-1), x.shape[1:])
    assert ke.gradcam(model, x, [[0]] * 2, verbose=0)[1].shape == (2, 7, 9, 1)
