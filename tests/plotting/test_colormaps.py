"""Colours of images and maps: limits, special values and perceptual uniformity."""

import sys

import matplotlib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from keras import ops
from PIL import Image

from keras_explainable.plotting import colormaps

FEW = settings(max_examples=50, deadline=None, derandomize=True)
FLOATS = st.floats(-(2.0**90), 2.0**90, width=32)
MAPS = hnp.arrays(np.float32, (3, 4), elements=FLOATS)


def noise(*shape):
    return np.random.default_rng(3).random(shape, "float32")


def named(name, value):
    return np.array(matplotlib.colormaps[name](value, bytes=True)[:3])


def lab(rgb):
    """CIE L*a*b* of 8-bit sRGB (N, 3), the usual space for colour differences."""
    c = rgb / 255
    c = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    to_xyz = [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
    t = c @ np.array(to_xyz).T / [0.95047, 1, 1.08883]
    f = np.where(t > (6 / 29) ** 3, np.cbrt(t), t / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.stack(
        [116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], -1
    )


# Images


@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 1), (4, 5, 3)])
def test_8_bit_images_keep_their_values(shape):
    image = np.arange(np.prod(shape), dtype="uint8").reshape(shape)
    rgb = colormaps.to_rgb(image)
    assert rgb.dtype == np.uint8
    assert rgb.shape == (4, 5, 3)
    whole = image.reshape(4, 5, -1)
    np.testing.assert_array_equal(rgb, np.broadcast_to(whole, rgb.shape))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("top", [1, 255])
def test_floats_are_read_as_0_to_1_or_0_to_255(dtype, top):
    image = np.arange(0, 256, 5, dtype="uint8").reshape(4, 13)
    floats = (image / 255 * top).astype(dtype)
    np.testing.assert_array_equal(colormaps.to_rgb(floats)[..., 1], image)


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint16"])
def test_integers_are_read_as_0_to_255(dtype):
    image = np.array([[0, 2], [2, 0]], dtype)
    np.testing.assert_array_equal(colormaps.to_rgb(image)[..., 0], image)
    binary = colormaps.to_rgb(image // 2)[..., 0]
    np.testing.assert_array_equal(binary, image // 2 * 255)


def test_booleans_are_black_and_white():
    assert colormaps.to_rgb(np.array([[False, True]]))[0, :, 0].tolist() == [0, 255]


def test_overshoots_are_clipped():
    image = np.array([[-0.03, 0.5, 1.04]])
    assert colormaps.to_rgb(image)[0, :, 0].tolist() == [0, 128, 255]


def test_transparent_pixels_become_white():
    image = np.zeros((1, 3, 4), "uint8")
    image[0, :, 3] = [0, 51, 255]
    assert colormaps.to_rgb(image)[0, :, 0].tolist() == [255, 204, 0]


@pytest.mark.parametrize("mode", ["RGB", "L", "1", "P", "RGBA", "LA", "CMYK"])
def test_pil_images_of_any_mode(mode):
    image = Image.new("RGB", (5, 4), "white").convert(mode)
    np.testing.assert_array_equal(colormaps.to_rgb(image), np.full((4, 5, 3), 255))


@pytest.mark.parametrize("dtype", ["uint8", "float32", "bfloat16"])
def test_tensors(dtype):
    image = np.zeros((4, 5, 3), "uint8")
    image[1, 2] = 1 if dtype == "uint8" else 255
    tensor = ops.cast(ops.convert_to_tensor(image), dtype)
    np.testing.assert_array_equal(colormaps.to_rgb(tensor), image)


def test_a_new_array_is_returned():
    image = np.zeros((4, 5, 3), "uint8")
    colormaps.to_rgb(image)[:] = 7
    assert not image.any()


@pytest.mark.parametrize("shape", [(4,), (4, 5, 2), (4, 5, 5), (1, 4, 5, 3), (0, 5, 3)])
def test_shapes_other_than_images_are_refused(shape):
    with pytest.raises(ValueError, match=r"`image` must be .H, W., .*; received shape"):
        colormaps.to_rgb(np.zeros(shape, "uint8"))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([-1.0, 0.0, 1.0], [0, 128, 255]),
        ([0.0, 0.6, 1.2], [0, 128, 255]),
        ([0.0, 8.0, 16.0], [0, 128, 255]),
        ([0.0, 150.0, 300.0], [0, 128, 255]),
        ([0.0, 51.0, 102.0], [0, 51, 102]),
        ([0.0, np.nan, 1.0], [0, 128, 255]),
        ([np.nan, np.nan, np.nan], [128, 128, 128]),
    ],
)
def test_values_outside_both_ranges_are_scaled(values, expected):
    """They would be black otherwise."""
    assert colormaps.to_rgb(np.array([values]))[0, :, 0].tolist() == expected


@pytest.mark.parametrize("image", [np.array([["a"]]), np.ones((2, 2), "complex64")])
def test_non_numeric_images_are_refused(image):
    with pytest.raises(TypeError, match="must be real numbers; received"):
        colormaps.to_rgb(image)


# Maps


@FEW
@given(MAPS)
def test_limits_are_zero_and_maximum_or_symmetric(x):
    rgb = colormaps.colorize(x)
    assert rgb.shape == (3, 4, 3)
    assert rgb.dtype == np.uint8
    signed = x.min() < 0
    top = np.abs(x).max()
    scaled = x.astype("float64") / top if top > 0 else np.zeros(x.shape)
    unit = (scaled + 1) / 2 if signed else scaled
    name = colormaps.DIVERGING if signed else colormaps.SEQUENTIAL
    expected = matplotlib.colormaps[name](unit, bytes=True)[..., :3]
    # A colour map has 256 steps; rounding may select the neighbouring one.
    assert np.abs(rgb.astype(int) - expected).max() <= 8


@pytest.mark.parametrize("top", [1e-30, 1.0, 255.0, 1e30])
def test_colors_of_zero_and_of_the_extremes(top):
    low, high = named(colormaps.SEQUENTIAL, 0.0), named(colormaps.SEQUENTIAL, 1.0)
    rgb = colormaps.colorize(np.array([[0, top]], "float32"))
    np.testing.assert_array_equal(rgb[0], [low, high])
    ends = [named(colormaps.DIVERGING, value) for value in (0.0, 0.5, 0.75)]
    rgb = colormaps.colorize(np.array([[-top, 0, top / 2]], "float32"))
    np.testing.assert_array_equal(rgb[0], ends)


@pytest.mark.parametrize(
    ("value", "name", "place"),
    [
        (0.0, colormaps.SEQUENTIAL, 0.0),
        (3.0, colormaps.SEQUENTIAL, 1.0),
        (-3.0, colormaps.DIVERGING, 0.0),
    ],
)
def test_constant_maps(value, name, place):
    rgb = colormaps.colorize(np.full((2, 3), value))
    np.testing.assert_array_equal(rgb, np.broadcast_to(named(name, place), (2, 3, 3)))


@pytest.mark.parametrize("missing", [np.nan, np.inf, -np.inf])
def test_missing_values_are_grey_and_do_not_affect_limits(missing):
    rgb = colormaps.colorize(np.array([[0.0, 2.0, missing]]))
    assert tuple(rgb[0, 2]) == colormaps.MISSING
    np.testing.assert_array_equal(
        rgb[:, :2], colormaps.colorize(np.array([[0.0, 2.0]]))
    )
    assert (colormaps.colorize(np.full((2, 2), missing)) == 128).all()


@pytest.mark.parametrize("kind", ["float64", "int32", "bool"])
def test_maps_of_other_types_and_with_a_unit_axis(kind):
    x = np.array([[0, 1], [1, 0]])
    expected = colormaps.colorize(x.astype("float32"))
    np.testing.assert_array_equal(
        colormaps.colorize(x.astype(kind)[..., None]), expected
    )
    tensor = ops.convert_to_tensor(x.astype(kind))
    np.testing.assert_array_equal(colormaps.colorize(tensor), expected)


@pytest.mark.parametrize("cmap", ["gray", matplotlib.colormaps["gray"]])
def test_a_color_map_may_be_chosen(cmap):
    rgb = colormaps.colorize(np.array([[0.0, 1.0]]), cmap)
    assert rgb[0].tolist() == [[0, 0, 0], [255, 255, 255]]
    rgb = colormaps.colorize(np.array([[-1.0, 1.0]]), cmap)
    assert rgb[0].tolist() == [[0, 0, 0], [255, 255, 255]]


def test_an_unknown_color_map_is_refused():
    with pytest.raises(ValueError, match="nosuch"):
        colormaps.colorize(noise(3, 4), "nosuch")


@pytest.mark.parametrize("shape", [(4,), (4, 5, 2), (4, 5, 3), (1, 4, 5, 1), (0, 5)])
def test_shapes_other_than_a_single_map_are_refused(shape):
    with pytest.raises(ValueError, match=r"`map_` must be .H, W. or .H, W, 1.; rec"):
        colormaps.colorize(np.zeros(shape))


@pytest.mark.parametrize("name", [colormaps.SEQUENTIAL, colormaps.DIVERGING])
def test_color_maps_are_perceptually_uniform(name):
    rgb = matplotlib.colormaps[name](np.linspace(0, 1, 17), bytes=True)[:, :3]
    steps = np.linalg.norm(np.diff(lab(rgb), axis=0), axis=1)
    assert steps.std() / steps.mean() < 0.3  # "jet" has 0.37, "seismic" 0.42


def test_lightness_grows_with_the_map_and_is_symmetric_around_zero():
    ramp = np.linspace(0, 1, 33)
    light = lab(colormaps.colorize(ramp[None])[0])[:, 0]
    assert (np.diff(light) > 0).all()
    signed = lab(colormaps.colorize(np.linspace(-1, 1, 33)[None])[0])[:, 0]
    assert np.abs(signed - signed[::-1]).max() < 3


# Overlays


def test_the_image_is_unchanged_where_the_map_is_zero():
    image = (noise(6, 8, 3) * 255).astype("uint8")
    map_ = np.zeros((6, 8))
    map_[2, 3] = 5
    drawn = colormaps.overlay(image, map_)
    expected = image.copy()
    top = named(colormaps.SEQUENTIAL, 1.0)
    expected[2, 3] = np.rint(0.25 * image[2, 3] + 0.75 * top)
    np.testing.assert_array_equal(drawn, expected)


@pytest.mark.parametrize("map_", [np.zeros((6, 8)), np.full((6, 8), np.nan)])
def test_a_map_of_zeros_or_nan_leaves_the_image_unchanged(map_):
    image = (noise(6, 8, 3) * 255).astype("uint8")
    np.testing.assert_array_equal(colormaps.overlay(image, map_), image)


def test_alpha_is_the_opacity_where_the_map_is_largest():
    image = np.full((1, 2, 3), 100, "uint8")
    map_ = np.array([[0.0, 1.0]])
    for alpha in (0.0, 0.3, 1.0):
        drawn = colormaps.overlay(image, map_, alpha, "gray")
        assert drawn[0, 0].tolist() == [100] * 3
        assert drawn[0, 1].tolist() == [round(100 + alpha * 155)] * 3


def test_both_signs_cover_the_image():
    image = np.full((1, 3, 3), 100, "uint8")
    drawn = colormaps.overlay(image, np.array([[-1.0, 0.0, 1.0]]), alpha=1)
    np.testing.assert_array_equal(drawn[0, 0], named(colormaps.DIVERGING, 0.0))
    assert drawn[0, 1].tolist() == [100] * 3
    np.testing.assert_array_equal(drawn[0, 2], named(colormaps.DIVERGING, 1.0))


def test_a_small_map_is_resized_smoothly_to_the_image():
    image = np.zeros((8, 16, 1), "uint8")
    drawn = colormaps.overlay(image, np.array([[0.0, 1.0]]), alpha=1, cmap="gray")
    assert drawn.shape == (8, 16, 3)
    row = drawn[3, :, 0].astype(int)
    assert (np.diff(row) >= 0).all()
    assert len(set(row)) > 4  # Bilinear, not two blocks.
    assert (drawn == drawn[:1]).all()


@pytest.mark.parametrize("alpha", [-0.1, 1.1, float("nan")])
def test_bad_alphas_are_refused(alpha):
    with pytest.raises(ValueError, match=r"`alpha` must be in 0\.\.1; received"):
        colormaps.overlay(np.zeros((2, 2, 3), "uint8"), np.zeros((2, 2)), alpha)


def test_inputs_stay_unchanged():
    image, map_ = (noise(4, 4, 3) * 255).astype("uint8"), noise(4, 4) - 0.5
    map_[0, 0] = np.nan
    before = image.copy(), map_.copy()
    colormaps.overlay(image, map_)
    np.testing.assert_array_equal(image, before[0])
    np.testing.assert_array_equal(map_, before[1])


@pytest.mark.parametrize(
    ("module", "package"), [("matplotlib", "matplotlib"), ("PIL.Image", "Pillow")]
)
def test_missing_packages_are_named(monkeypatch, module, package):
    monkeypatch.setitem(sys.modules, module, None)
    message = f'needs {package}, .*pip install "keras-explainable.plot."'
    with pytest.raises(ImportError, match=message):
        colormaps.overlay(np.zeros((4, 4, 3), "uint8"), noise(2, 2))
