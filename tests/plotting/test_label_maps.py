"""Label maps: seeds from maps, their colours, boxes and legend."""

import keras
import numpy as np
import pytest
from PIL import Image

import keras_explainable as ke
from keras_explainable.utils import bounding_boxes, color_labels, label_map, legend

pytestmark = pytest.mark.backend_independent  # NumPy and SciPy compute everything.

RED, BLUE, NOTHING = (1, 0, 0), (0, 0, 1), (0, 0, 0)


def test_the_largest_map_above_the_threshold_gives_the_label():
    maps = np.array([[[0.5, 0.9], [0.5, 0.3], [0.4, 0.4], [0.1, 0.2]]])
    np.testing.assert_array_equal(label_map(maps), [[2, 1, 0, 0]])
    np.testing.assert_array_equal(label_map(maps, 0.8), [[2, 0, 0, 0]])
    tensors = keras.ops.convert_to_tensor(maps[None])
    assert label_map(tensors).shape == (1, 1, 4)


def test_classes_that_an_image_does_not_have_are_left_out():
    maps = np.ones((2, 1, 1, 2)) * [0.5, 0.9]
    found = label_map(maps, units=[[True, False], [False, False]])
    np.testing.assert_array_equal(found, [[[1]], [[0]]])


@pytest.mark.parametrize(
    ("maps", "units", "message"),
    [
        (np.ones((2, 2)), None, r"`maps` must be \(\.\.\., H, W, K\); .* \(2, 2\)"),
        (np.ones((1, 2, 2, 3)), [1, 0, 0], r"`units` must be \(1, 3\).*\(3,\)"),
    ],
)
def test_wrong_maps(maps, units, message):
    with pytest.raises(ValueError, match=message):
        label_map(maps, units=units)


def regions():
    mask = np.zeros((6, 8))
    mask[0, 0] = 1  # Touches the next one by a corner only.
    mask[1:3, 1:4] = 0.8
    mask[5, 4:8] = 0.6
    return mask


def test_boxes_of_regions_the_largest_first():
    expected = [[1, 1, 3, 4], [5, 4, 6, 8], [0, 0, 1, 1]]
    np.testing.assert_array_equal(bounding_boxes(regions()), expected)
    np.testing.assert_array_equal(bounding_boxes(regions()[..., None]), expected)
    np.testing.assert_array_equal(bounding_boxes(regions(), smallest=2), expected[:2])
    np.testing.assert_array_equal(bounding_boxes(regions(), 0.7)[0], [1, 1, 3, 4])


def test_a_box_cuts_its_region_out():
    top, left, bottom, right = bounding_boxes(regions())[0]
    assert (regions()[top:bottom, left:right] == 0.8).all()


def test_no_region_has_no_box():
    assert bounding_boxes(np.zeros((3, 3))).shape == (0, 4)


@pytest.mark.parametrize("smallest", [0, -1])
def test_a_region_has_pixels(smallest):
    with pytest.raises(ValueError, match="`smallest` must be at least 1"):
        bounding_boxes(regions(), smallest=smallest)


def test_scipy_is_named_if_it_is_missing(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "scipy.ndimage", None)
    with pytest.raises(ImportError, match="needs SciPy, which is not installed"):
        bounding_boxes(regions())


def test_labels_have_their_colours():
    found = color_labels([[0, 1], [2, 1]], colors=[NOTHING, RED, BLUE])
    np.testing.assert_array_equal(
        found, [[[0, 0, 0], [255, 0, 0]], [[0, 0, 255], [255, 0, 0]]]
    )
    assert found.dtype == np.uint8


def test_colours_are_blended_with_the_image_but_for_the_background():
    image = np.full((1, 2, 3), 100, "uint8")
    found = color_labels([[0, 1]], image, colors=[NOTHING, RED], alpha=0.5)
    np.testing.assert_array_equal(found, [[[100, 100, 100], [178, 50, 50]]])
    grey = color_labels([[0, 1]], image[..., 0], colors=[NOTHING, RED], alpha=0.5)
    np.testing.assert_array_equal(grey, found)
    pictured = Image.fromarray(image)
    np.testing.assert_array_equal(
        color_labels([[0, 1]], pictured, colors=[NOTHING, RED], alpha=0.5), found
    )
    assert (image == 100).all()


def test_eighteen_classes_have_different_colours_and_none_is_grey():
    row = color_labels(np.arange(19)[None])[0]
    assert len({tuple(colour) for colour in row}) == 19
    assert all(len({*colour.tolist()}) > 1 for colour in row[1:])
    again = color_labels(np.array([[1, 19]]))[0]
    np.testing.assert_array_equal(again[0], again[1])


def test_boxes_are_outlined_within():
    found = color_labels(np.zeros((5, 6), int), boxes=[(1, 2, 4, 5)])
    white = (found == 255).all(axis=-1)
    expected = np.zeros((5, 6), bool)
    expected[1:4, 2:5] = True
    expected[2, 3] = False
    np.testing.assert_array_equal(white, expected)


@pytest.mark.parametrize(
    ("labels", "options", "message"),
    [
        (np.zeros((2, 2)), {}, "`labels` must be integers .*float64"),
        (np.zeros((2, 2, 1), int), {}, r"`labels` must be .*\(2, 2, 1\)"),
        ([[-1]], {}, "`labels` must be at least 0; received -1"),
        ([[1]], {"alpha": 2}, r"`alpha` must be in 0\.\.1; received 2"),
        ([[3]], {"colors": [NOTHING, RED]}, r"`colors` must be \(4, 3\).*\(2, 3\)"),
        ([[0]], {"colors": [(0, 0, 255)]}, "`colors` must be from 0 to 1; .*255"),
        ([[1]], {"image": np.zeros((2, 2))}, r"`image` must have the size of `labels`"),
    ],
)
def test_wrong_labels(labels, options, message):
    with pytest.raises(ValueError, match=message):
        color_labels(labels, **options)


def test_a_legend_has_a_line_and_a_colour_for_each_class():
    picture = legend(["cat", "dog"], colors=[NOTHING, RED, BLUE], width=60)
    assert picture.shape == (28, 60, 3)
    np.testing.assert_array_equal(picture[7, 7], [255, 0, 0])
    np.testing.assert_array_equal(picture[21, 7], [0, 0, 255])
    assert (picture[:14, 16:].min(axis=-1) < 100).any()  # Text.


def test_a_legend_and_labels_are_drawn_side_by_side(tmp_path):
    panels = [color_labels(np.eye(20, dtype=int)), legend(["one"])]
    ke.utils.visualize(panels, to_file=tmp_path / "labels.png")
    assert (tmp_path / "labels.png").stat().st_size > 1000
