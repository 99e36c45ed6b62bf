"""Resizing and blur equal those of SciPy and Pillow on every backend and any rank."""

import numpy as np
import pytest
from keras import ops
from PIL import Image
from support.small_models import numpy

from keras_explainable import filters
from keras_explainable.common.interpolation import interpolated

ndimage = pytest.importorskip("scipy.ndimage", reason="SciPy comes with JAX")

#: Spatial sizes, with uneven sides and single rows, and sizes to change them to.
SIZES = [
    ((5,), (11,)),
    ((1,), (4,)),
    ((5, 8), (7, 19)),
    ((1, 6), (3, 13)),
    ((7, 1), (14, 2)),
    ((3, 1, 4), (5, 2, 9)),
    ((2, 3, 5), (7, 3, 11)),
]


def images(rng, size):
    """Return two images of three channels."""
    return rng.normal(size=(2, *size, 3)).astype("float32")


def check_zoom(x, size):
    """Compare images (2, *spatial, 3) of another size with those of SciPy."""
    factors = (1, *np.divide(size, x.shape[1:-1]), 1)
    options = {"order": 1, "mode": "nearest", "grid_mode": True}
    expected = ndimage.zoom(x.astype("float64"), factors, **options)
    found = numpy(interpolated(ops.convert_to_tensor(x), size))
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize(("size", "larger"), SIZES)
def test_maps_are_enlarged_like_scipy(size, larger, rng):
    check_zoom(images(rng, size), larger)


@pytest.mark.parametrize(("size", "smaller"), [((5, 8), (3, 5)), ((9, 1), (4, 1))])
def test_images_are_reduced_like_scipy(size, smaller, rng):
    """Pixels in between are left out, as by `keras.ops.image.resize`."""
    check_zoom(images(rng, size), smaller)


@pytest.mark.parametrize(("pixels", "fewer"), [(11, 4), (7, 3), (6, 1), (8, 7)])
def test_sequences_are_reduced_like_pillow(pixels, fewer, rng):
    """All pixels count."""
    x = images(rng, (pixels,))
    rows = Image.fromarray(np.moveaxis(x, -1, 1).reshape(6, pixels))
    expected = np.asarray(rows.resize((fewer, 6), Image.Resampling.BILINEAR))
    found = numpy(interpolated(ops.convert_to_tensor(x), (fewer,)))
    found = np.moveaxis(found, -1, 1).reshape(6, fewer)
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("sigma", [0.4, 2.0])
@pytest.mark.parametrize("size", [size for size, _ in SIZES])
def test_a_blur_is_that_of_scipy_without_what_lies_outside(size, sigma, rng):
    x = images(rng, size)

    def blurred(values):
        options = {"mode": "constant", "truncate": 99}
        sigmas = (0, *[sigma] * len(size), 0)
        return ndimage.gaussian_filter(values.astype("float64"), sigmas, **options)

    expected = blurred(x) / blurred(np.ones_like(x))
    found = numpy(filters.blur(ops.convert_to_tensor(x), sigma))
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("percentile", [1, 50, 97.5, 100])
@pytest.mark.parametrize("size", [size for size, _ in SIZES])
def test_percentiles_are_those_of_numpy(size, percentile, rng):
    x = images(rng, size)
    axes = tuple(range(1, len(size) + 1))
    found = filters.percentile_normalize(
        ops.convert_to_tensor(x), axis=axes, percentile=percentile
    )
    low = x.min(axis=axes, keepdims=True)
    high = np.percentile(x, percentile, axis=axes, keepdims=True)
    expected = np.clip((x - low) / np.where(high > low, high - low, 1), 0, 1)
    np.testing.assert_allclose(numpy(found), expected, atol=1e-4)
