import numpy as np
import pytest

from keras_explainable.plotting import colormaps
from keras_explainable.plotting.seen_part import SeenPart
from keras_explainable.report import panel_image


def tiles(explanation):
    return panel_image.tiles(explanation.image, explanation.maps[0].values[..., 0])


def test_the_map_and_the_overlay_are_bright_where_the_map_is_large(explanation):
    image, map_, overlay = tiles(explanation())
    np.testing.assert_array_equal(image, explanation().image)
    brightest = colormaps.colorize(np.array([[0.0, 1.0]]))[0, 1]
    np.testing.assert_array_equal(map_[1, 2], brightest)
    assert map_[0, 0].sum() < 10
    np.testing.assert_allclose(overlay[1, 2], brightest, atol=20)
    # Elsewhere: the image, dimmed but still red.
    assert overlay[0, 0, 0] > overlay[0, 0, 1] == overlay[0, 0, 2] > 0


def test_the_highest_percent_is_clipped(explanation):
    maps = np.linspace(0, 1, 1000, dtype="float32").reshape(20, 50, 1)
    maps[0, 0] = 1000
    _, map_, _ = tiles(explanation(size=(20, 50), maps=maps))
    np.testing.assert_array_equal(map_[0, 0], map_[-1, -1])
    halfway = colormaps.colorize(np.array([[0.5, 1.0]]))[0, 0]
    np.testing.assert_allclose(map_[10, 0].astype(int), halfway, atol=8)


def test_a_map_of_zeros_is_dark(explanation):
    _, map_, overlay = tiles(explanation(maps=np.zeros((4, 6, 1), "float32")))
    assert map_.max() < 10
    assert np.isfinite(overlay).all()


def test_the_map_lies_where_the_network_saw_the_picture(explanation):
    """The middle third of a wide picture is seen; its map has one bright point."""
    picture = np.full((60, 180, 3), 100, "uint8")
    values = np.zeros((30, 30), "float32")
    values[6, 21] = 1
    image, map_, overlay = panel_image.tiles(
        picture, values, SeenPart(1 / 3, 0, 2 / 3, 1)
    )
    assert (map_[:, :60] == colormaps.MISSING).all()
    assert (map_[:, 120:] == colormaps.MISSING).all()
    brightness = map_[:, 60:120].astype(int).sum(axis=-1)
    bright = np.argwhere(brightness > 0.9 * brightness.max())
    np.testing.assert_allclose(bright.mean(axis=0), [12.5, 42.5])
    assert np.ptp(overlay[12, 102]) > 50 > np.ptp(overlay[40, 80]) == 0
    assert (image[:, 62:118] == 100)[2:-2].all()
    assert (image[:, :60] == 35).all()  # darkened
    assert (image[:, 60] == 255).all()  # the frame
    assert overlay[:, :60].max() < 35


def test_a_picture_smaller_than_the_map_keeps_the_details_of_the_map():
    values = np.zeros((24, 36), "float32")
    values[::2] = 1
    image, map_, _ = panel_image.tiles(np.zeros((4, 6, 3), "uint8"), values)
    assert image.shape == map_.shape == (24, 36, 3)
    np.testing.assert_array_equal(map_, colormaps.colorize(values))


def test_captions_say_that_a_part_was_not_seen(explanation):
    whole = panel_image.panel(explanation())
    part = panel_image.panel(explanation(seen=SeenPart(0.2, 0, 0.8, 1)))
    assert part.size == whole.size
    assert explanation().part_text == ""
    part = explanation(seen=SeenPart(0.2, 0, 0.8, 1)).part_text
    assert part == "the network saw the framed part (60 %)"


@pytest.mark.parametrize(
    ("shape", "enlarged"),
    [
        ((96, 96), (384, 384)),
        ((28, 14), (336, 168)),
        ((320, 320), (320, 320)),
        ((224, 512), (224, 512)),
        ((1, 1), (320, 320)),
    ],
)
def test_small_images_are_enlarged_by_whole_factors(shape, enlarged, rng):
    pixels = rng.integers(0, 256, (*shape, 3), "uint8")
    large = np.asarray(panel_image.enlarge(pixels))
    assert large.shape == (*enlarged, 3)
    factor = enlarged[0] // shape[0]
    # Each pixel becomes a square of exactly its colour.
    np.testing.assert_array_equal(large[::factor, ::factor], pixels)
    np.testing.assert_array_equal(large[factor - 1 :: factor, ::factor], pixels)


def test_a_panel_has_image_map_and_overlay_side_by_side(explanation):
    made = explanation()
    pixels = np.asarray(panel_image.panel(made))
    for pixels_ in tiles(made):
        tile = np.asarray(panel_image.enlarge(pixels_))
        assert holds(pixels, tile)


def test_a_panel_has_a_row_for_each_class(explanation):
    one = panel_image.panel(explanation(classes=("a",)))
    three = panel_image.panel(explanation(classes=("a", "b", "c")))
    assert three.width == one.width
    head = (3 * one.height - three.height) / 2
    assert 0 < head < 60  # the image's name is there only once


def test_a_panel_has_a_row_for_each_method(explanation):
    one = panel_image.panel(explanation(classes=("a", "b")))
    two = panel_image.panel(
        explanation(classes=("a", "b"), methods=("gradcam", "rise"))
    )
    assert 2 * one.height - 60 < two.height < 2 * one.height


def test_titles_contain_class_and_score(explanation):
    texts = [
        panel_image.panel(explanation(classes=(label,), scores=[score]))
        for label, score in (("cat", 0.5), ("dog", 0.5), ("cat", 0.6))
    ]
    assert len({text.tobytes() for text in texts}) == 3


def test_long_and_unusual_names_keep_the_size(explanation):
    plain = panel_image.panel(explanation())
    for name in (
        "x" * 5000,
        "\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16"),
        "",
        "日本語",
    ):
        assert (
            panel_image.panel(explanation(name=name, classes=(name,))).size
            == plain.size
        )


def holds(pixels, tile):
    """Return whether an image contains another one exactly."""
    height, width = tile.shape[:2]
    windows = np.lib.stride_tricks.sliding_window_view(pixels[..., 0], (1, width))
    corners = np.argwhere((windows[:, :, 0] == tile[0, :, 0]).all(axis=-1))
    return any(
        np.array_equal(pixels[top : top + height, left : left + width], tile)
        for top, left in corners
    )
