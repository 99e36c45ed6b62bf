"""The panels that ``ke.utils.visualize`` draws."""

import numpy as np
import pytest
from keras import ops
from PIL import Image
from support.example_images import MAPS, PHOTOS, RNG

from keras_explainable import filters
from keras_explainable.plotting import clipping, colormaps


def colorize(map_, cmap=None):
    return colormaps.colorize(clipped(map_), cmap)


def overlay(image, map_, alpha=0.75, cmap=None):
    return colormaps.overlay(image, clipped(map_), alpha, cmap)


def clipped(map_):
    return clipping.clip_highest(colormaps.single_map(map_))


def columns(figure):
    return len({round(axes.get_position().x0, 3) for axes in figure.axes})


def photo_like(*shape):
    """Floats in 0..1 that are not multiples of 1/255."""
    return 0.1 + 0.8 * RNG.random(shape)


def test_the_seed_page(panels, drawn):
    smoothed = filters.absolute_normalize(MAPS)
    smoothed = ops.convert_to_numpy(smoothed)
    pixels = panels([*PHOTOS, *MAPS, *smoothed])
    assert len(pixels) == 12
    assert columns(drawn[-1]) == 4
    for image, shown in zip(PHOTOS, pixels[:4], strict=True):
        np.testing.assert_array_equal(shown, image)
    for map_, shown in zip([*MAPS, *smoothed], pixels[4:], strict=True):
        np.testing.assert_array_equal(shown, colorize(map_))


def test_all_kinds_in_one_list(panels):
    items = [
        PHOTOS[0],
        PHOTOS[0] / 255,
        PHOTOS[0].astype("float32"),
        Image.fromarray(PHOTOS[0]),
        ops.convert_to_tensor(PHOTOS[0]),
        photo_like(12, 10, 3),
        MAPS[0],
        MAPS[0, ..., 0],
        ops.convert_to_tensor(MAPS[0]),
    ]
    pixels = panels(items)
    assert len(pixels) == 9
    for shown in pixels[:5]:
        np.testing.assert_array_equal(shown, PHOTOS[0])
    np.testing.assert_array_equal(pixels[5], colormaps.to_rgb(items[5]))
    for shown in pixels[6:]:
        np.testing.assert_array_equal(shown, colorize(MAPS[0]))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_8_bit_photos_as_floats_are_images(panels, dtype):
    image = PHOTOS[0].copy()
    image[0, 0], image[0, 1] = (
        0,
        255,
    )  # Each channel reaches 0 and 1, like a normalised map.
    (shown,) = panels([(image / 255).astype(dtype)])
    np.testing.assert_array_equal(shown, image)


@pytest.mark.parametrize("units", [1, 2, 3, 4, 5])
@pytest.mark.parametrize(
    "make",
    [
        lambda x: filters.normalize(x),
        lambda x: filters.percentile_normalize(x),
        lambda x: filters.normalize(x * (np.arange(x.shape[-1]) > 0)),
        lambda x: x / 20,
        lambda x: x - 0.5,
        lambda x: x * 40,
        lambda x: filters.absolute_normalize(ops.cast(x, "float16")),
    ],
    ids=["normalized", "percentile", "constant", "raw", "signed", "large", "half"],
)
def test_units_are_panels_never_rgb(panels, units, make):
    maps = ops.convert_to_numpy(make(RNG.random((1, 12, 10, units), "float32")))[0]
    pixels = panels([PHOTOS[0], maps])
    assert len(pixels) == 1 + units
    for unit, shown in enumerate(pixels[1:]):
        np.testing.assert_array_equal(shown, colorize(maps[..., unit]))


def test_the_maps_parameter_overrides_the_values(panels):
    three = photo_like(12, 10, 3)
    assert len(panels([three])) == 1
    assert len(panels([three], maps=True)) == 3
    assert len(panels([PHOTOS[0], three], maps=True)) == 4
    normalized = ops.convert_to_numpy(filters.normalize(three))
    assert len(panels([normalized])) == 3
    assert len(panels([normalized], maps=False)) == 1


def test_the_maps_parameter_may_be_given_for_each_element(panels):
    grey = photo_like(12, 10, 1)
    images = maps = np.stack([grey] * 2)
    shown = panels([images, maps], maps=[False, True])
    for picture in shown[:2]:
        np.testing.assert_array_equal(picture, colormaps.to_rgb(grey))
    for picture in shown[2:]:
        np.testing.assert_array_equal(picture, colorize(grey))
    assert len(panels([images], maps=[False])) == 2
    with pytest.raises(ValueError, match="each of 2 elements of `images`; received 1"):
        panels([images, maps], maps=[False])


@pytest.mark.parametrize(
    "scaled",
    [
        lambda x: x,
        lambda x: x / 255 * 1.02,
        lambda x: x / 255 * 3,
        lambda x: x / 127.5 - 1,
        lambda x: (x / 255 - 0.45) / 0.22,
    ],
)
@pytest.mark.parametrize("channels", [1, 3])
def test_8_bit_images_are_recognized_in_any_range(panels, scaled, channels):
    image = RNG.integers(0, 40, (40, 40, channels)) * 6
    values = scaled(image.astype("float32")).astype("float32")
    (alone,) = panels([values])
    np.testing.assert_array_equal(alone, colormaps.to_rgb(values))
    assert (alone.max(), np.ptp(alone)) > (200, 200)
    blank = np.zeros((40, 40))
    (over,) = panels([values], overlays=[blank])
    np.testing.assert_array_equal(over, alone)


def test_digits_of_few_pixels_and_levels_are_images(panels):
    """As those of scikit-learn: 8 x 8 pixels, of 0 to 16."""
    digits = np.clip(RNG.integers(-16, 17, (20, 8, 8, 1)), 0, 16)
    for values in (digits / 16, digits * 1.0):
        for shown in panels(values):
            assert (shown[..., 0] == shown[..., 2]).all()


@pytest.mark.parametrize("scale", [1.02, 255])
def test_resized_photos_are_images(panels, scale):
    (shown,) = panels([(photo_like(12, 10, 3) * scale).astype("float32")])
    assert shown.mean() > 100


@pytest.mark.parametrize(
    "map_",
    [
        np.zeros((8, 8)),
        np.eye(8),
        np.linspace(0, 1, 64).reshape(8, 8),
        RNG.integers(0, 9, (8, 8)),
        RNG.random((40, 40)).astype("float16"),
        np.kron(RNG.random((4, 4)), np.ones((4, 4))),
    ],
    ids=["zero", "binary", "ramp", "labels", "half", "patches"],
)
def test_maps_of_few_levels_are_maps(panels, map_):
    (shown,) = panels([map_])
    np.testing.assert_array_equal(shown, colorize(map_))


def test_single_images_and_maps(panels):
    assert len(panels(PHOTOS[0])) == 1
    assert len(panels(PHOTOS[0, ..., 0])) == 1
    assert len(panels(MAPS[0])) == 1
    assert len(panels(Image.fromarray(PHOTOS[0]))) == 1
    assert len(panels(ops.convert_to_tensor(MAPS[0, ..., 0]))) == 1


def test_batches_alone_in_lists_and_from_generators(panels):
    expected = panels([*PHOTOS, *MAPS])
    for images in ([PHOTOS, MAPS], (x for x in [*PHOTOS, *MAPS])):
        for one, other in zip(panels(images), expected, strict=True):
            np.testing.assert_array_equal(one, other)
    assert len(panels(PHOTOS)) == 4
    assert len(panels(ops.convert_to_tensor(MAPS))) == 4
    assert len(panels(RNG.random((2, 6, 6, 4)))) == 8


def test_grey_8_bit_images_are_not_maps(panels):
    (shown,) = panels([PHOTOS[0, ..., :1]])
    assert (shown == PHOTOS[0, ..., :1]).all()


def test_color_maps_may_be_chosen(panels):
    _, shown = panels([PHOTOS[0], MAPS[0]], cmap="gray")
    np.testing.assert_array_equal(shown, colorize(MAPS[0], "gray"))
    (shown,) = panels([PHOTOS[0]], overlays=[MAPS[0]], overlay_cmap="gray")
    np.testing.assert_array_equal(shown, overlay(PHOTOS[0], MAPS[0], 0.75, "gray"))


def test_overlays(panels):
    pixels = panels(PHOTOS, overlays=MAPS, overlay_alpha=0.3)
    for image, map_, shown in zip(PHOTOS, MAPS, pixels, strict=True):
        np.testing.assert_array_equal(shown, overlay(image, map_, 0.3))


def test_overlays_of_some_images_and_of_several_units(panels):
    units = RNG.random((6, 5, 2))
    pixels = panels([*PHOTOS[:2], PHOTOS[2] / 255], overlays=[None, units, MAPS[2]])
    assert len(pixels) == 4
    np.testing.assert_array_equal(pixels[0], PHOTOS[0])
    for unit, shown in enumerate(pixels[1:3]):
        np.testing.assert_array_equal(shown, overlay(PHOTOS[1], units[..., unit]))
    np.testing.assert_array_equal(pixels[3], overlay(PHOTOS[2], MAPS[2]))


def test_one_overlay_for_one_image(panels):
    (shown,) = panels(PHOTOS[0], overlays=MAPS[0])
    np.testing.assert_array_equal(shown, overlay(PHOTOS[0], MAPS[0]))


def test_titles_are_shown_as_they_are(panels, drawn):
    titles = ["$x_1$ & y", "100 %", "<b>", ""]
    panels(PHOTOS, titles=titles)
    assert [axes.get_title() for axes in drawn[-1].axes] == titles
    panels(PHOTOS[0], titles="one")
    assert drawn[-1].axes[0].get_title() == "one"


def test_title_fontsize(panels, drawn):
    panels(PHOTOS[0], titles=["one"], title_fontsize=17)
    assert drawn[-1].axes[0].title.get_fontsize() == 17


def test_axes_have_no_ticks_and_panels_keep_their_shape(panels, drawn):
    panels([PHOTOS[0], RNG.random((5, 40))], figsize=(7, 2))
    for axes in drawn[-1].axes:
        assert not axes.axison
        assert axes.get_aspect() == 1


def test_rows_and_cols_are_honoured(panels, drawn):
    for rows, cols, expected in [(1, None, 8), (None, 3, 3), (2, 4, 4), (8, 1, 1)]:
        panels([*PHOTOS, *MAPS], rows=rows, cols=cols)
        assert columns(drawn[-1]) == expected


def test_titles_of_columns(panels, drawn):
    panels(PHOTOS, titles=["left", "right"], cols=2)
    titles = [axes.get_title() for axes in drawn[-1].axes]
    assert titles == ["left", "right", "", ""]
