"""Signals, volumes, labels of rows and the note in ``ke.utils.visualize``."""

import matplotlib
import numpy as np
import pytest
from support.example_images import MAPS, PHOTOS, RNG

from keras_explainable import utils
from keras_explainable.plotting import clipping, colormaps

SIGNALS = RNG.normal(size=(2, 50, 3)).astype("float32")
OF_SIGNALS = RNG.normal(size=(2, 50, 2)).astype("float32")
VOLUMES = RNG.normal(size=(2, 9, 6, 5, 1))
OF_VOLUMES = RNG.random((2, 9, 6, 5, 1))
LARGE = RNG.random((40, 50)) ** 30


def test_signals_are_lines_coloured_by_their_maps(figure):
    shown = figure(SIGNALS, overlays=OF_SIGNALS, kind="signal")
    assert len(shown.axes) == 4  # Two signals with two units each.
    map_ = clipping.clip_highest(OF_SIGNALS[1, :, 0])
    lines = shown.axes[2].collections
    assert len(lines) == len(shown.axes[2].lines) == 3  # Channels.
    colors = lines[0].get_colors()[:, :3]
    cmap = matplotlib.colormaps[colormaps.DIVERGING]
    expected = cmap(0.5 + 0.5 * map_ / np.abs(map_).max(), bytes=True)[:, :3]
    np.testing.assert_allclose(colors * 255, expected, atol=2)
    middles = [each.vertices[1] for each in lines[0].get_paths()]
    np.testing.assert_allclose(middles, shown.axes[2].lines[0].get_xydata(), atol=1e-5)


def test_channels_have_their_own_colours_or_share_them(figure):
    of_channels = RNG.random((2, 50, 3, 2)) * [[1], [0], [0.1]]
    shown = figure(SIGNALS, overlays=of_channels, kind="signal")
    assert len(shown.axes) == 4
    strong, zero, weak = shown.axes[1].collections
    widths = [np.max(each.get_linewidths()) for each in (strong, zero, weak)]
    assert widths[0] > widths[2] > widths[1]
    assert not zero.get_colors()[:, 3].any()
    assert not shown.texts
    (note,) = figure(SIGNALS, overlays=OF_SIGNALS, kind="signal").texts
    assert note.get_text().startswith("All channels of a signal are coloured by")
    assert not figure(SIGNALS[:1, :, 0], overlays=OF_SIGNALS[:1], kind="signal").texts
    with pytest.raises(ValueError, match="a map for each of 3 channels; received"):
        figure(SIGNALS, overlays=of_channels[:, :, :2], kind="signal")


def test_signals_are_recognized(figure):
    one = OF_SIGNALS[..., :1]
    lists, single = ([*SIGNALS], [*one]), (SIGNALS[0], one[0])
    for images, overlays in ((SIGNALS, OF_SIGNALS), lists, single):
        shown = figure(images, overlays=overlays)
        assert all(axes.lines and axes.collections for axes in shown.axes)
    assert len(figure([*SIGNALS, *OF_SIGNALS[..., :1]]).axes[3].lines) == 1
    with pytest.raises(ValueError, match=r'`kind` must be given .* kind="signal"'):
        figure([*SIGNALS, *OF_SIGNALS])
    assert not figure([*SIGNALS, *OF_SIGNALS], kind="image").axes[0].lines
    # What may be an image, is one.
    assert not figure(PHOTOS[0], overlays=MAPS[0]).axes[0].lines


def test_shapes_of_no_image_point_to_signals():
    with pytest.raises(ValueError, match=r'shape \(9, 6, 5\)\. .*kind="signal"'):
        utils.visualize([VOLUMES[0, ..., 0]], overlays=[VOLUMES[0, ..., 0]])


@pytest.mark.parametrize("signals", [SIGNALS[..., 0], [*SIGNALS], SIGNALS[0, :, 0]])
def test_signals_alone_are_plain_lines(figure, signals):
    shown = figure(signals, kind="signal")
    assert len(shown.axes) == (1 if np.ndim(signals) == 1 else 2)
    assert not any(axes.collections for axes in shown.axes)
    if np.ndim(signals) == 1:
        np.testing.assert_allclose(shown.axes[0].lines[0].get_ydata(), signals)


@pytest.mark.parametrize("map_", [np.ones(50), np.ones((25, 1)), np.zeros((1, 50, 1))])
def test_one_signal_has_one_map_of_any_length(figure, map_):
    (axes,) = figure(SIGNALS[0, :, 0], overlays=map_, kind="signal").axes
    strong = np.any(map_) * np.ones(50)
    np.testing.assert_allclose(axes.collections[0].get_colors()[:, 3], strong)


def test_volumes_are_slices_whose_colours_mean_the_same(panels, drawn):
    shown = panels(VOLUMES, overlays=OF_VOLUMES, kind="volume", slices=3)
    assert [axes.get_title() for axes in drawn[-1].axes][:4] == [
        *("slice 1", "slice 4", "slice 7"),
        "",
    ]
    clipped = clipping.clip_highest(OF_VOLUMES[1, ..., 0].astype("float32"))
    values = VOLUMES[1, ..., 0]
    grey = (values - values.min()) / np.ptp(values)
    scale = colormaps.Scale.of(clipped)
    for pixels, number in zip(shown[3:], (1, 4, 7), strict=True):
        expected = colormaps.overlay(grey[number], clipped[number], scale=scale)
        np.testing.assert_array_equal(pixels, expected)


def test_volumes_alone_are_maps_or_greys(panels):
    (shown,) = panels(OF_VOLUMES[0], kind="volume", slices=1)
    clipped = clipping.clip_highest(OF_VOLUMES[0, ..., 0])
    scale = colormaps.Scale.of(clipped)
    np.testing.assert_array_equal(shown, colormaps.colorize(clipped[4], None, scale))
    (grey,) = panels(OF_VOLUMES[0], kind="volume", slices=1, maps=False)
    assert (grey == grey[..., :1]).all()
    (pixels,) = panels([PHOTOS[:3]], kind="volume", slices=1)
    np.testing.assert_array_equal(pixels, PHOTOS[1])


def test_maps_of_fewer_slices_are_spread(panels):
    map_ = np.arange(3.0)[:, None, None] * np.ones((3, 6, 5))
    shown = panels(VOLUMES[:1], overlays=[map_], kind="volume", slices=9, maps=False)
    plain = panels(VOLUMES[:1], kind="volume", slices=9, maps=False)
    same = [np.array_equal(a, b) for a, b in zip(shown, plain, strict=True)]
    assert same == [True] * 3 + [False] * 6


def test_maps_are_clipped_as_in_the_report_and_the_picture_says_so(panels, drawn):
    (shown,) = panels(LARGE)
    clipped = clipping.clip_highest(LARGE.astype("float32"))
    np.testing.assert_array_equal(shown, colormaps.colorize(clipped))
    note = "The highest 1 % of each map’s values share the strongest colour."
    assert [text.get_text().replace("\n", " ") for text in drawn[-1].texts] == [note]
    (whole,) = panels(LARGE, percentile=100)
    np.testing.assert_array_equal(whole, colormaps.colorize(LARGE))
    assert drawn[-1].texts == []


def test_labels_set_the_number_of_rows_that_they_fill(figure):
    panels = [*PHOTOS, *PHOTOS[:2], *[*MAPS, *MAPS[:2]] * 3]
    shown = figure(panels, row_labels=["image", "a", "b", "c"])
    tops = {round(axes.get_position().y1, 3) for axes in shown.axes}
    assert (len(shown.axes), len(tops), len(shown.texts)) == (24, 4, 4)
    with pytest.raises(ValueError, match="rows, 2, which `cols` sets; received 5"):
        utils.visualize(panels, row_labels=[*"abcde"], cols=12)
    with pytest.raises(ValueError, match="which `cols` sets; received 5"):
        utils.visualize(panels, row_labels=[*"abcde"])


def test_rows_have_labels_beside_them(figure):
    labels = ["images", "maps with a long name that is broken into lines"]
    shown = figure([*PHOTOS, *MAPS], row_labels=labels, cols=4)
    assert [text.get_text().replace("\n", " ") for text in shown.texts] == labels
    boxes = [text.get_window_extent() for text in shown.texts]
    for box, axes in zip(boxes, shown.axes[::4], strict=True):
        panel = axes.get_window_extent()
        assert 0 <= box.x0 < box.x1 <= panel.x0
        assert panel.y0 < (box.y0 + box.y1) / 2 < panel.y1


@pytest.mark.parametrize("figsize", [None, (3.0, 4.0)])
def test_nothing_overlaps_or_is_cut_off(figure, figsize):
    shown = figure([LARGE] * 4, row_labels=["a", "b"], cols=2, figsize=figsize)
    *labels, note = [text.get_window_extent() for text in shown.texts]
    panels = [axes.get_window_extent() for axes in shown.axes]
    assert max(label.x1 for label in labels) < min(panel.x0 for panel in panels)
    assert 0 < note.y0 < note.y1 < min(panel.y0 for panel in panels)
    assert note.x1 <= shown.bbox.width


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"kind": "video"}, "`kind` must be one of"),
        ({"row_labels": ["a"]}, "`row_labels` must be as many as the rows, 2, wh"),
        ({"percentile": 0}, "`percentile` must be above 0"),
        ({"slices": 0, "kind": "volume"}, "`slices` must be at least 1"),
    ],
)
def test_wrong_parameters_are_refused(params, message):
    with pytest.raises(ValueError, match=message):
        utils.visualize(PHOTOS, rows=2, **params)


def test_other_ranks_are_refused():
    message = r"`images` must be .*; received shape"
    for kind, rank in (("signal", 4), ("volume", 2), ("image", 5)):
        for images in (np.zeros((2,) * rank), [np.zeros((2,) * rank)]):
            with pytest.raises(ValueError, match=message):
                utils.visualize(images, kind=kind)
