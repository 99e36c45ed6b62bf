"""Overlays as arrays and files, and maps put back on pictures."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from support.example_images import RNG

from keras_explainable import utils
from keras_explainable.plotting import colormaps
from keras_explainable.plotting.seen_part import SeenPart, put_back

PHOTO = RNG.integers(0, 256, (40, 60, 3), "uint8")
GRADIENTS = RNG.random((20, 30)).astype("float32")
GRADIENTS[3, :4] = 20  # As a few pixels of real ones.


def test_an_overlay_has_the_resolution_of_the_image():
    drawn = utils.overlay(Image.fromarray(PHOTO), GRADIENTS[..., None])
    assert drawn.dtype == np.uint8
    assert drawn.shape == PHOTO.shape
    zero = np.zeros((2, 2))
    np.testing.assert_array_equal(utils.overlay(PHOTO, zero), PHOTO)
    assert utils.overlay(PHOTO, GRADIENTS, size=(10, 15)).shape == (10, 15, 3)


def test_gradients_are_visible_as_they_are_clipped():
    def opacity(**params):
        black = np.zeros((20, 30, 3), "uint8")
        return (utils.overlay(black, GRADIENTS, cmap="gray", **params) > 20).mean()

    assert opacity() > 0.5 > 0.1 > opacity(percentile=100)


def test_the_map_of_a_crop_lies_on_the_crop():
    map_ = np.ones((5, 5))
    drawn = utils.overlay(PHOTO, map_, seen=(1 / 6, 0, 5 / 6, 1), alpha=1)
    brightest = colormaps.colorize(np.array([[0.0, 1.0]]))[0, 1]
    np.testing.assert_array_equal(drawn[:, :10], PHOTO[:, :10])
    np.testing.assert_array_equal(drawn[:, 50:], PHOTO[:, 50:])
    assert (drawn[:, 10:50] == brightest).all()


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.data())
def test_a_map_is_put_back_where_it_was(data):
    """The map is a ramp of the picture's own coordinates, which resizing keeps."""
    low = data.draw(st.tuples(*2 * [st.floats(-0.5, 0.4)]))
    high = data.draw(st.tuples(*2 * [st.floats(0.6, 1.5)]))
    size = data.draw(st.tuples(*2 * [st.integers(8, 30)]))
    cells = data.draw(st.tuples(*2 * [st.integers(8, 30)]))
    part = SeenPart(low[1], low[0], high[1], high[0])
    ramps = [
        low[axis]
        + (high[axis] - low[axis]) * (np.arange(cells[axis]) + 0.5) / cells[axis]
        for axis in (0, 1)
    ]
    centres = [(np.arange(size[axis]) + 0.5) / size[axis] for axis in (0, 1)]
    for axis in (0, 1):
        ramp = np.expand_dims(ramps[axis], 1 - axis)
        map_ = np.broadcast_to(ramp, cells).astype("float32")
        found = put_back(map_, part, size)
        inside = [
            (c >= a) & (c < b) for c, a, b in zip(centres, low, high, strict=True)
        ]
        np.testing.assert_array_equal(np.isfinite(found), np.outer(*inside))
        # At the edges, half a cell or pixel has no second neighbour.
        step = (high[axis] - low[axis]) / cells[axis] + 1 / size[axis]
        expected = np.broadcast_to(np.expand_dims(centres[axis], 1 - axis), size)
        assert np.nanmax(np.abs(found - expected)) <= 0.51 * step + 1e-6


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp"])
def test_overlays_are_written(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    utils.save_overlay(path, PHOTO, GRADIENTS, alpha=0.5)
    with Image.open(path) as found:
        pixels = np.asarray(found.convert("RGB"))
    assert pixels.shape == PHOTO.shape
    if suffix == "png":
        expected = utils.overlay(PHOTO, GRADIENTS, alpha=0.5)
        np.testing.assert_array_equal(pixels, expected)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"size": "large"}, '`size` must be "original" or .height, width.; received'),
        ({"size": (0, 5)}, '`size` must be "original" or'),
        ({"seen": (0.6, 0, 0.4, 1)}, "`seen` must be .left, top, right, bottom."),
        ({"seen": (2, 0, 3, 1)}, "`seen` must be .left, top, right, bottom."),
        ({"percentile": 0}, "`percentile` must be above 0"),
    ],
)
def test_wrong_parameters_are_refused(params, message):
    with pytest.raises(ValueError, match=message):
        utils.overlay(PHOTO, GRADIENTS, **params)


def test_paths_that_cannot_be_written_are_refused(tmp_path):
    with pytest.raises(ValueError, match="`path` must end in the suffix of a picture"):
        utils.save_overlay(tmp_path / "a.text", PHOTO, GRADIENTS)
    with pytest.raises(FileNotFoundError, match="`path` must be in a folder"):
        utils.save_overlay(tmp_path / "no" / "a.png", PHOTO, GRADIENTS)
