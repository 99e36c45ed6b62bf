import contextlib
import io
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from keras_explainable.cli import read_images

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)

# How a camera stores the upright image `u` for each EXIF orientation.
STORED = {
    1: lambda u: u,
    2: lambda u: u[:, ::-1],
    3: lambda u: u[::-1, ::-1],
    4: lambda u: u[::-1],
    5: lambda u: u.transpose(1, 0, 2),
    6: lambda u: np.rot90(u, 1),
    7: lambda u: u[::-1, ::-1].transpose(1, 0, 2),
    8: lambda u: np.rot90(u, -1),
}


@pytest.fixture
def save(tmp_path):
    def save(image, name="picture.png", **options):
        path = tmp_path / name
        if not isinstance(image, Image.Image):
            image = Image.fromarray(np.ascontiguousarray(image))
        image.save(path, **options)
        return path

    return save


def stripes(*colors, width=4, height=4):
    columns = np.repeat(np.array(colors, "uint8"), width, axis=0)
    return np.tile(columns, (height, 1, 1))


@pytest.mark.parametrize("orientation", STORED)
def test_pictures_are_turned_upright(orientation, save, rng):
    upright = rng.integers(0, 256, (2, 3, 3), "uint8")
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(STORED[orientation](upright), exif=exif)
    np.testing.assert_array_equal(read_images.read(path), upright)


def test_jpegs_are_turned_upright(save):
    exif = Image.Exif()
    exif[0x0112] = 6
    path = save(stripes(RED, BLUE, width=16, height=8), "a.jpg", exif=exif, quality=95)
    read = read_images.read(path)
    assert read.shape == (32, 8, 3)
    assert read[2, 4, 0] > 200 > 50 > read[-2, 4, 0]  # red above, blue below


@pytest.mark.parametrize(
    "exif",
    [
        b"garbage",
        b"II*\0\xff\xff\xff\xffxx",
        b"MM\0*\0\0\0\x08\xff\xff",
        b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0",
        b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x05\0\0\0\x01\0\0\0\x1a" + bytes(8),
    ],
)
def test_damaged_exif_is_ignored(exif, save):
    path = save(stripes(RED, BLUE), "a.jpg", exif=b"Exif\0\0" + exif)
    assert read_images.read(path).shape == (4, 8, 3)


@pytest.mark.parametrize(("turned", "size"), [(False, (4, 4)), (True, (4, 4))])
def test_the_middle_of_the_longer_side_is_kept(save, turned, size):
    picture = stripes(RED, GREEN, BLUE)
    picture = picture.transpose(1, 0, 2) if turned else picture
    read = read_images.read(save(picture), size)
    np.testing.assert_array_equal(read, np.broadcast_to(GREEN, (4, 4, 3)))


def test_an_odd_number_of_pixels_is_cropped_evenly(save):
    columns = np.arange(0, 50, 10, dtype="uint8")
    picture = np.tile(columns[None, :, None], (4, 1, 3))
    # Half a pixel is cropped on each side, so values are halfway between neighbours.
    assert read_images.read(save(picture), (4, 4))[0, :, 0].tolist() == [5, 15, 25, 35]


def test_the_shorter_side_is_scaled_to_fit(save):
    picture = stripes(RED, GREEN, BLUE, width=40, height=40)
    read = read_images.read(save(picture), (10, 10))
    np.testing.assert_array_equal(read[:, 2:-2], np.broadcast_to(GREEN, (10, 6, 3)))
    wide = read_images.read(save(picture), (10, 30))
    np.testing.assert_array_equal(wide[:, [5, 15, 25]][0], [RED, GREEN, BLUE])


def test_scaling_down_averages(save):
    checks = np.indices((64, 64)).sum(axis=0) % 2 * 255
    read = read_images.read(save(checks.astype("uint8")), (8, 8))
    assert np.abs(read[2:-2, 2:-2].astype(int) - 127).max() <= 2


def test_a_thin_strip_is_cropped_before_resizing(save):
    assert read_images.read(save(np.zeros((1, 5000), "uint8")), (224, 224)).shape == (
        *(224, 224),
        3,
    )


@pytest.mark.parametrize(
    ("shape", "kept"),
    [((20, 30), (20, 30)), ((256, 1024), (128, 512)), ((2000, 1), (512, 1))],
)
def test_without_a_size_only_large_pictures_shrink(save, shape, kept):
    assert read_images.read(save(np.zeros(shape, "uint8"))).shape == (*kept, 3)


@pytest.mark.parametrize(
    ("mode", "color", "expected"),
    [
        ("1", 1, (255, 255, 255)),
        ("L", 100, (100, 100, 100)),
        ("LA", (100, 255), (100, 100, 100)),
        ("LA", (100, 0), (255, 255, 255)),
        ("RGB", (1, 2, 3), (1, 2, 3)),
        ("RGBA", (0, 0, 255, 0), (255, 255, 255)),
        ("RGBA", (0, 0, 255, 51), (204, 204, 255)),  # a fifth of blue on white
        ("CMYK", (0, 0, 0, 0), (255, 255, 255)),
        ("CMYK", (255, 0, 0, 0), (0, 255, 255)),
        ("I;16", 65535, (255, 255, 255)),
        ("I;16", 257 * 100, (100, 100, 100)),
        ("I", 257 * 100, (100, 100, 100)),
    ],
)
def test_every_kind_of_pixel_becomes_rgb(mode, color, expected, save):
    path = save(Image.new(mode, (2, 2), color), "a.tif")
    np.testing.assert_array_equal(read_images.read(path)[0, 0], expected)


def test_palettes_are_looked_up_and_their_transparency_is_white(save):
    picture = Image.new("P", (2, 1))
    picture.putpalette([*RED, *GREEN])
    picture.putpixel((1, 0), 1)
    assert read_images.read(save(picture))[0].tolist() == [list(RED), list(GREEN)]
    clear = read_images.read(save(picture, transparency=1))
    assert clear[0].tolist() == [list(RED), [255, 255, 255]]


def test_sixteen_bit_greys_keep_their_order(save):
    ramp = np.linspace(0, 65535, 256).astype("uint16")[None]
    read = read_images.read(save(ramp))[0, :, 0]
    np.testing.assert_array_equal(read, np.arange(256))


def test_animations_show_their_first_frame(save):
    frames = [Image.new("RGB", (4, 4), color) for color in (RED, BLUE)]
    path = save(frames[0], "a.gif", save_all=True, append_images=frames[1:])
    assert read_images.read(path)[0, 0].tolist() == list(RED)


def truncated(suffix):
    buffer = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), "uint8")
    Image.fromarray(noise).save(buffer, suffix)
    return buffer.getvalue()[: buffer.tell() // 2]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not an image"),
        (b"hello", "is not an image"),
        (truncated("jpeg"), "cannot be read as an image .*truncated"),
        (truncated("png"), "cannot be read as an image"),
        (truncated("tiff"), "cannot be read as an image|is not an image"),
        (truncated("webp"), "cannot be read as an image|is not an image"),
    ],
)
def test_unreadable_files_raise_a_clear_error(tmp_path, content, message):
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_images.read(path)


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_damaged_files_raise_nothing_but_value_errors(tmp_path_factory, data):
    suffix = data.draw(st.sampled_from(["png", "jpeg", "gif", "tiff", "bmp", "webp"]))
    buffer = io.BytesIO()
    Image.fromarray(stripes(RED, GREEN, BLUE)).save(buffer, suffix)
    content = bytearray(buffer.getvalue())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("damaged") / "a"
    path.write_bytes(content)
    with contextlib.suppress(ValueError):
        assert read_images.read(path, (4, 4)).shape == (4, 4, 3)


def test_missing_files_and_folders_are_value_errors(tmp_path):
    with pytest.raises(ValueError, match="does not exist"):
        read_images.read(tmp_path / "nothing.png")
    with pytest.raises(ValueError, match="cannot be read"):
        read_images.read(tmp_path)


def test_floating_point_pixels_are_refused(save):
    with pytest.raises(ValueError, match="floating-point"):
        read_images.read(save(Image.new("F", (2, 2)), "a.tif"))


def test_decompression_bombs_are_refused_before_decoding(save, monkeypatch):
    path = save(np.zeros((100, 100), "uint8"))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100 * 100 // 2 - 1)
    with pytest.raises(ValueError, match="more pixels than can safely"):
        read_images.read(path)


def test_large_but_safe_pictures_are_read_without_a_warning(save, monkeypatch):
    path = save(np.zeros((100, 100), "uint8"))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100 * 100 - 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_images.read(path).shape == (100, 100, 3)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("none", [255, 128, 0]),
        ("unit", [1, 128 / 255, 0]),
        ("tf", [1, 128 / 127.5 - 1, -1]),
        (
            "torch",
            [(1 - 0.485) / 0.229, (128 / 255 - 0.456) / 0.224, -0.406 / 0.225],
        ),
        ("caffe", [0 - 103.939, 128 - 116.779, 255 - 123.68]),
    ],
)
def test_preprocessing_formulas(kind, expected):
    pixel = np.array([[[[255, 128, 0]]]], "uint8")
    ready = read_images.preprocess(pixel, kind)
    assert ready.dtype == "float32"
    np.testing.assert_allclose(ready[0, 0, 0], expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("kind", ["tf", "torch", "caffe"])
def test_preprocessing_equals_that_of_keras(kind, rng):
    import keras

    pixels = rng.integers(0, 256, (2, 5, 4, 3), "uint8")
    theirs = keras.applications.imagenet_utils.preprocess_input(
        pixels.astype("float32"), mode=kind
    )
    np.testing.assert_allclose(read_images.preprocess(pixels, kind), theirs, atol=1e-4)


def test_models_with_one_channel_receive_luma():
    pixels = np.array([[[[10, 20, 30], [255, 255, 255]]]], "uint8")
    grey = read_images.preprocess(pixels, "none", channels=1)
    assert grey.shape == (1, 1, 2, 1)
    np.testing.assert_allclose(
        grey.ravel(), [0.299 * 10 + 0.587 * 20 + 0.114 * 30, 255], rtol=1e-6
    )


def test_invalid_preprocessing():
    pixels = np.zeros((1, 1, 1, 3), "uint8")
    with pytest.raises(ValueError, match="must be one of none, unit, tf"):
        read_images.preprocess(pixels, "zero")
    with pytest.raises(ValueError, match="one channel"):
        read_images.preprocess(pixels, "caffe", channels=1)
