"""Masks in files: which belong to which image, and what is inside."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from keras_explainable.cli import read_masks

INSIDE = np.zeros((12, 20), bool)
INSIDE[2:6, 3:9] = True


@pytest.fixture
def image(here):
    Image.new("RGB", (20, 12)).save("cat.jpg")
    return "cat.jpg"


def values(kind):
    """Return an image with INSIDE of any kind."""
    if kind == "1":
        return Image.fromarray(INSIDE)
    if kind == "P":
        found = Image.fromarray(INSIDE.astype("uint8"))
        found.putpalette([200, 0, 0, 0, 0, 0])  # The colour of index 1 is black.
        return found
    if kind == "RGBA":
        solid = np.full((12, 20, 4), 9, "uint8")
        solid[..., 3] = 255 * INSIDE
        return Image.fromarray(solid)
    if kind == "RGB":
        blue = np.zeros((12, 20, 3), "uint8")
        blue[..., 2] = 3 * INSIDE
        return Image.fromarray(blue)
    return Image.fromarray((INSIDE * 700).astype("uint16"))


@pytest.mark.parametrize("kind", ["1", "P", "RGB", "RGBA", "I;16"])
def test_what_is_not_0_is_inside(image, kind):
    values(kind).save("mask.png")
    found = read_masks.read("mask.png", image, (12, 20), "crop")
    np.testing.assert_array_equal(found, INSIDE)
    cropped = read_masks.read("mask.png", image, (12, 12), "crop")
    np.testing.assert_array_equal(cropped, INSIDE[:, 4:16])
    padded = read_masks.read("mask.png", image, (20, 20), "pad")
    np.testing.assert_array_equal(padded[4:16], INSIDE)
    assert not padded[:4].any()


def test_masks_are_turned_with_their_images(here):
    """A photo whose EXIF turns it, and a mask of the photo as it is shown."""
    exif = Image.Exif()
    exif[274] = 6
    Image.new("RGB", (12, 20)).save("turned.jpg", exif=exif)
    values("1").save("mask.png")
    found = read_masks.read("mask.png", "turned.jpg", (12, 20), "crop")
    np.testing.assert_array_equal(found, INSIDE)


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (
            Image.new("1", (19, 12)),
            "size of its mask mask.png, 19 x 12; it has 20",
        ),
        (Image.new("1", (20, 12)), "mask mask.png, which is empty where the model"),
    ],
)
def test_masks_that_do_not_fit_are_refused(image, mask, message):
    mask.save("mask.png")
    with pytest.raises(ValueError, match=message):
        read_masks.read("mask.png", image, (12, 12), "crop")


def test_masks_that_are_no_masks_are_refused(image):
    with pytest.raises(ValueError, match=r"mask cat\.jpg, which .*is a JPEG"):
        read_masks.read(image, image, (12, 12), "crop")
    Path("mask.png").write_bytes(b"none")
    with pytest.raises(ValueError, match=r"mask mask\.png, which is not an image"):
        read_masks.read("mask.png", image, (12, 12), "crop")


def test_masks_lie_where_images_do(here):
    folder, paths = Path("masks"), [Path("photos"), Path("single.jpg")]
    images = [Path("photos/a/x.jpg"), Path("photos/b/x.jpg"), Path("single.jpg")]
    wanted = [folder / name for name in ("a/x.png", "b/x.gif", "single.png")]
    for each in wanted:
        each.parent.mkdir(parents=True, exist_ok=True)
        each.touch()
    assert read_masks.find(images, paths, folder) == dict(
        zip(images, wanted, strict=True)
    )
    (folder / "x.png").touch()
    both = [Path("c/x.jpg"), Path("d/x.jpg")]
    with pytest.raises(ValueError, match="another mask for each image"):
        read_masks.find(both, both, folder)
    with pytest.raises(ValueError, match=r"no masks/y\.png for y\.jpg\."):
        read_masks.find([Path("y.jpg")], [Path("y.jpg")], folder)
