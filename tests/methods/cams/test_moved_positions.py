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


def standardized(x):
    """Return images of mean 0 and deviation 1: each value depends on all others."""
    x = x - ops.mean(x, axis=(1, 2, 3), keepdims=True)
    return x / (ops.std(x, axis=(1, 2, 3), keepdims=True) + 1e-3)


#: Step in the model, and the same from images and from maps back.
MOVES = {
    "permute": (layers.Permute((2, 1, 3)), lambda x: x.swapaxes(1, 2)),
    "transpose": (lambda x: ops.transpose(x, (0, 2, 1, 3)), lambda x: x.swapaxes(1, 2)),
    "flip": (lambda x: ops.flip(x, 2), lambda x: x[:, :, ::-1]),
    "fliplr": (ops.fliplr, lambda x: x[:, ::-1]),
    "reversed": (lambda x: x[:, ::-1, ::-1], lambda x: x[:, ::-1, ::-1]),
    "lambda": (
        layers.Lambda(lambda x: ops.swapaxes(x, 1, 2)),
        lambda x: x.swapaxes(1, 2),
    ),
    "layer": (Turned(), lambda x: np.flip(x.swapaxes(1, 2), 1)),
    "rotated": (lambda x: ops.rot90(x, axes=(1, 2)), lambda x: np.rot90(x, 1, (1, 2))),
    "none": (layers.Rescaling(1.0), lambda x: x),
    "scaled": (
        layers.Lambda(lambda x: ops.swapaxes(x, 1, 2) / 127.5 - 1),
        lambda x: x.swapaxes(1, 2) / 127.5 - 1,
    ),
    "standardized": (
        layers.Lambda(lambda x: standardized(ops.flip(x, 2))),
        lambda x: numpy(standardized(ops.convert_to_tensor(x[:, :, ::-1].copy()))),
    ),
}
BACK = {
    "layer": lambda x: np.flip(x, 1).swapaxes(1, 2),
    "rotated": lambda x: np.rot90(x, -1, (1, 2)),
    "scaled": lambda x: x.swapaxes(1, 2),
    "standardized": lambda x: x[:, :, ::-1],
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


def with_an_index(x):
    red, near_infrared = x[:, :1], x[:, 1:2]
    ratio = (near_infrared - red) / (1 + ops.square(red) + ops.square(near_infrared))
    return layers.Concatenate(axis=1)([x, ratio])


#: What stands before channels are moved to the last axis.
BEFORE = {
    "bands": lambda x: x[:, :2],
    "index": with_an_index,
    "crop": lambda x: x[:, :, 2:, 2:],
    "padding": lambda x: ops.pad(x, [(0, 0), (0, 0), (1, 1), (2, 2)]),
    "gray": lambda x: ops.repeat(x[:, :1], 3, axis=1),
}


def put_together(parts):
    return ops.concatenate([ops.moveaxis(x, 1, -1) for x in parts], axis=-1)


#: What moves channels to the last axis after they were taken apart.
APART = {
    "split": lambda x: put_together(ops.split(x, [2], axis=1)),
    "slices": lambda x: put_together([x[:, :2], x[:, 2:]]),
    "unstack": lambda x: ops.stack(ops.unstack(x, axis=1), axis=-1),
}


@pytest.mark.parametrize("name", APART)
def test_channels_that_are_taken_apart_are_found(name, rng):
    x = rng.normal(size=(2, 3, 7, 9)).astype("float32")
    model, plain = behind(APART[name], x.shape[1:])
    last = np.ascontiguousarray(x.transpose(0, 2, 3, 1))
    for method in (gradients, cams.gradcam):
        found = ke.explain(method, model, x, [[0]] * 2, **PLAIN)[1]
        expected = ke.explain(method, plain, last, [[0]] * 2, **PLAIN)[1]
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", BEFORE)
def test_channels_are_found_behind_chosen_and_added_ones(name, rng):
    x = rng.normal(size=(2, 3, 7, 9)).astype("float32")
    options = {"gradient_filter": lambda x: x, **PLAIN}
    model, _ = behind(lambda x: layers.Permute((2, 3, 1))(BEFORE[name](x)), x.shape[1:])
    inputs = keras.Input((7, 9, 3))
    last = keras.Model(inputs, model(layers.Permute((3, 1, 2))(inputs)))
    moved = np.ascontiguousarray(x.transpose(0, 2, 3, 1))
    found = ke.explain(gradients, model, x, [[0]] * 2, **options)[1]
    expected = ke.explain(gradients, last, moved, [[0]] * 2, **options)[1]
    assert found.shape == (2, 7, 9, 1)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
    assert ke.gradcam(model, x, [[0]] * 2, verbose=0)[1].shape == (2, 7, 9, 1)


CROPS = {
    "cropping": (layers.Cropping2D(((4, 2), (3, 6))), (slice(4, 12), slice(3, 10))),
    "center": (layers.CenterCrop(8, 10), (slice(3, 11), slice(3, 13))),
    "slices": (lambda x: x[:, :8, 2:], (slice(0, 8), slice(2, 16))),
    "lambda": (layers.Lambda(lambda x: x[:, :8, 2:]), (slice(0, 8), slice(2, 16))),
    "split": (lambda x: ops.split(x, 2, axis=2)[1], (slice(0, 14), slice(8, 16))),
    "hsplit": (lambda x: ops.hsplit(x, 2)[1], (slice(7, 14), slice(0, 16))),
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


class CropAndScale(layers.Layer):
    def call(self, x):
        return x[:, 16:, 16:] / 2


def cropped_and_enlarged(x):
    return layers.Resizing(32, 32)(x[:, 16:, 16:])


def padded_as_images(x):
    sizes = {"target_height": 32, "target_width": 32}
    return ops.image.pad_images(x, top_padding=8, left_padding=8, **sizes)


def small_and_padded(x):
    return layers.ZeroPadding2D(4)(layers.MaxPooling2D(2)(x))


def unpadded(size, **options):
    return layers.Conv2D(3, size, use_bias=False, kernel_initializer="ones", **options)


def padded_for_a_convolution(x):
    return unpadded(5)(layers.ZeroPadding2D(2)(x))


class Reflected(layers.Layer):
    def call(self, x):
        return ops.pad(x, [(0, 0), (2, 2), (2, 2), (0, 0)], "reflect")


def padded_again_and_again(x):
    for _ in range(4):
        x = unpadded(3, dilation_rate=2)(Reflected()(x))
    return x


def letterboxed(x):
    for _ in range(2):
        x = layers.MaxPooling2D(2)(unpadded(3, padding="same")(x))
    return x


def patches_of_padded(x):
    return unpadded(2, strides=2)(layers.ZeroPadding2D(16)(x))


def padded_before_other_layers(x):
    for side in (((2, 0), (0, 2)), 1):
        x = layers.BatchNormalization()(layers.ZeroPadding2D(side)(x))
        x = unpadded(3)(layers.ReLU()(x))
    return x


pipeline = layers.Pipeline([layers.CenterCrop(16, 16), layers.Rescaling(0.5)])


def padded_by_an_operation(x):
    return ops.pad(x, [(0, 0), (8, 0), (8, 0), (0, 0)])


#: Shape of the input, and what comes first in the model.
WINDOWS = {
    "cut to the aspect": ((16, 48), layers.Resizing(16, 16, crop_to_aspect_ratio=True)),
    "padded to it": ((16, 48), layers.Resizing(48, 48, pad_to_aspect_ratio=True)),
    "padded": ((28, 28), layers.ZeroPadding2D(2)),
    "padded more than it has": ((20, 20), layers.ZeroPadding2D(((0, 30), (20, 0)))),
    "padded by an operation": ((20, 20), padded_by_an_operation),
    "padded as images": ((20, 20), padded_as_images),
    "pipeline": ((32, 32), pipeline),
    "own layer": ((32, 32), CropAndScale()),
    "cut and enlarged": ((32, 32), cropped_and_enlarged),
    "any size": ((None, None), layers.Cropping2D(((16, 0), (0, 0)))),
    "signal": ((64,), layers.ZeroPadding1D((32, 0))),
    "resized": ((40, 40), layers.Resizing(17, 23)),
    "enlarged": ((20, 20), layers.Resizing(47, 43, interpolation="nearest")),
    "small and padded": ((32, 32), small_and_padded),
    "padded for a convolution": ((28, 28), padded_for_a_convolution),
    "padded before others": ((28, 28), padded_before_other_layers),
    "letterboxed": ((64, 64), lambda x: letterboxed(layers.ZeroPadding2D(16)(x))),
    "patches": ((64, 64), patches_of_padded),
    "reflected": ((32, 32), padded_again_and_again),
    "not cropped": ((32, 32), layers.RandomCrop(16, 16)),
}  # fmt: skip


@pytest.mark.backend_independent
@pytest.mark.parametrize("name", WINDOWS)
@pytest.mark.filterwarnings("ignore:.*maps? of exactly 0")
def test_an_object_is_where_the_image_has_it(name):
    shape, step = WINDOWS[name]
    rank = len(shape)
    inputs = keras.Input((*shape, 3))
    ones = {"kernel_initializer": "ones", "use_bias": False}
    x = getattr(layers, f"Conv{rank}D")(2, 3, padding="same", **ones)(step(inputs))
    x = getattr(layers, f"GlobalAveragePooling{rank}D")()(x)
    model = keras.Model(inputs, layers.Dense(1, **ones)(x))
    size = [length or 32 for length in shape]
    at = [round(0.6 * length) for length in size]
    image = np.zeros((1, *size, 3), "float32")
    image[(0, *(slice(k - 1, k + 2) for k in at))] = 1
    maps = ke.explain(cams.hirescam, model, image, [[0]], **PLAIN)[1][0, ..., 0]
    assert maps.shape == tuple(size)
    places = np.indices(maps.shape).reshape(rank, -1)
    found = places @ maps.ravel() / maps.sum()
    np.testing.assert_allclose(found, at, atol=1.0)


def test_full_gradients_are_not_moved_twice(rng):
    """Their terms have the input's size, like the layer that is exposed."""
    x = rng.normal(size=(2, 32, 32, 2)).astype("float32")
    model, _ = behind(cropped_and_enlarged, x.shape[1:])
    options = {"psi": None, **PLAIN}
    logits, maps = ke.explain(full_gradients, model, x, [[0]] * 2, **options)
    np.testing.assert_allclose(maps.sum((1, 2)), logits[:, :1], rtol=1e-3, atol=1e-4)
    assert not maps[:, :16].any()
    assert not maps[:, :, :16].any()


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


def shifted(x):
    by = ops.convert_to_tensor([1.0, 0, -3, 0, 1, -3, 0, 0])
    return ops.image.affine_transform(x, by)


class Warp(layers.Layer):
    def __init__(self):
        super().__init__()
        self.locate = layers.Dense(8)

    def call(self, x):
        return ops.image.affine_transform(x, self.locate(ops.mean(x, axis=(1, 2))))


def spectrum(x):
    real, imaginary = ops.fft2((x[..., 0], x[..., 0] * 0))
    return ops.expand_dims(real + imaginary, -1)


class Spectrum(layers.Layer):
    def call(self, x):
        return spectrum(x)


def stacked_spectrum(x):
    return ops.stack(ops.fft2((x[..., 0], ops.zeros_like(x[..., 0]))), axis=-1)


LOST = {
    "shifted": shifted,
    "warp": lambda x: Warp()(x),
    "function": layers.Lambda(shifted, output_shape=(8, 8, 3)),
    "sorted": lambda x: ops.sort(x, axis=1),
    "spectrum": spectrum,
    "spectrum in a layer": lambda x: Spectrum()(x),
    "spectrum in a function": layers.Lambda(spectrum, output_shape=(8, 8, 1)),
    "stacked spectrum": stacked_spectrum,
}


@pytest.mark.parametrize("name", LOST)
def test_layers_behind_steps_that_lose_positions_are_refused(name, rng):
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, padding="same")(LOST[name](inputs))
    x = layers.GlobalAveragePooling2D()(x)
    model = keras.Model(inputs, layers.Dense(2)(x))
    x = rng.normal(size=(1, 8, 8, 3)).astype("float32")
    with pytest.raises(ValueError, match="must have its positions where the input"):
        ke.gradcam(model, x, [0], verbose=0)


def test_sorted_channels_and_joined_spectra_keep_positions(rng):
    inputs = keras.Input((8, 8, 3))
    x = ops.sort(layers.Conv2D(4, 3, padding="same")(inputs), axis=-1)
    x = layers.Dense(4)(inputs + spectrum(x))
    model = keras.Model(inputs, layers.Dense(2)(layers.GlobalAveragePooling2D()(x)))
    x = rng.normal(size=(1, 8, 8, 3)).astype("float32")
    assert ke.gradcam(model, x, [0], **PLAIN).maps.shape == (1, 8, 8, 1)


class Joined(layers.Layer):
    """The image beside a warped copy, as for the motion between frames."""

    def call(self, x):
        none = ops.mean(x, axis=(1, 2))[:, :1] * 0
        by = none + ops.convert_to_tensor([1.0, 0, -3, 0, 1, -3, 0, 0])
        return ops.concatenate([x, ops.image.affine_transform(x, by)], axis=-1)


def filtered(x):
    """Return an image of which some frequencies are taken."""
    real, imaginary = ops.fft2((x[..., 0], x[..., 0] * 0))
    return ops.expand_dims(ops.ifft2((real * 0.9, imaginary * 0.9))[0], -1)


def in_sorted_pairs(x):
    pairs = ops.sort(ops.reshape(x, (-1, 8, 8, 2, 2)), axis=-1)
    return ops.reshape(pairs, (-1, 8, 8, 4))


@pytest.mark.parametrize("step", [Joined(), filtered, in_sorted_pairs])
def test_what_brings_positions_back_is_no_loss(step, rng):
    inputs = keras.Input((8, 8, 3))
    x = layers.Dense(3)(step(layers.Dense(4)(inputs)))
    model = keras.Model(inputs, layers.Dense(2)(layers.GlobalAveragePooling2D()(x)))
    x = rng.normal(size=(1, 8, 8, 3)).astype("float32")
    assert ke.gradcam(model, x, [0], **PLAIN).maps.shape == (1, 8, 8, 1)


class Inside(layers.Layer):
    def __init__(self, layer):
        super().__init__()
        self.inner = layer

    def call(self, x):
        return ops.tanh(self.inner(x))


INSIDE = {"layer": (Inside, (9, 2)), "frames": (layers.TimeDistributed, (4, 9, 2))}


@pytest.mark.parametrize("name", INSIDE)
def test_layers_that_go_backwards_inside_others(name, rng):
    wrap, size = INSIDE[name]
    inputs, head = keras.Input(size), layers.Dense(2)
    made = []
    for backwards in (True, False):
        layer = layers.SimpleRNN(3, return_sequences=True, go_backwards=backwards)
        x = wrap(layer)(inputs)
        x = ops.mean(x, axis=tuple(range(1, len(size))))
        made.append((layer, keras.Model(inputs, head(x))))
    (backward, ours), (forward, plain) = made
    forward.set_weights(backward.get_weights())
    x = rng.normal(size=(1, *size)).astype("float32")
    _, maps = ke.hirescam(ours, x, [1], **PLAIN)
    _, expected = ke.hirescam(plain, np.flip(x, -2), [1], **PLAIN)
    np.testing.assert_allclose(maps, np.flip(expected, -2), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kind", [layers.SimpleRNN, layers.GRU, layers.LSTM])
@pytest.mark.parametrize("back", [False, True])
def test_recurrent_layers_that_go_backwards(kind, back, rng):
    """They are forward ones of the reversed signal, whose map is reversed."""
    inputs = keras.Input((9, 2))
    backward = kind(3, return_sequences=True, go_backwards=True)
    forward = kind(3, return_sequences=True)
    weigh, pool = layers.Conv1D(3, 1), layers.GlobalAveragePooling1D()
    head = layers.Dense(2)

    def model(layer, flipped):
        x = layer(inputs)
        return keras.Model(inputs, head(pool(weigh(ops.flip(x, 1) if flipped else x))))

    ours, plain = model(backward, back), model(forward, False)
    forward.set_weights(backward.get_weights())
    x = rng.normal(size=(1, 9, 2)).astype("float32")
    _, maps = ke.hirescam(ours, x, [1], **PLAIN)
    _, expected = ke.hirescam(plain, x[:, ::-1], [1], **PLAIN)
    np.testing.assert_allclose(maps, expected[:, ::-1], rtol=1e-4, atol=1e-6)
