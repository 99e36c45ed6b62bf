import os
import pathlib

import numpy as np

from keras_explainable import demo
from keras_explainable.cli import find_images


def test_names_are_relative_to_the_working_directory(here, picture):
    name = picture("trip/cat.png", number=1)
    (source,) = find_images.file_sources([here / name])
    assert source.name == "trip/cat.png"
    assert source.read(None).pixels.shape == (20, 16, 3)
    assert source.read((5, 7)).pixels.shape == (5, 7, 3)


def test_paths_elsewhere_are_shortened(here):
    assert (
        find_images.display_name("/home/somebody/private/trip/cat.png")
        == "trip/cat.png"
    )
    assert find_images.display_name("cat.png") == "cat.png"


def test_unprintable_characters_are_replaced(here):
    odd = pathlib.Path(os.fsdecode(b"a\xff\x1b[31m\nb.png"))
    assert find_images.display_name(odd) == "a\ufffd\ufffd[31m\ufffdb.png"


def test_the_demo_has_bundled_images():
    samples = demo.load_samples()
    found = find_images.demo_sources()
    assert len(found) == 12
    assert found[3].name == f"sample 4 (digit {samples.labels[3]})"
    for source, image in zip(found, samples.images, strict=True):
        np.testing.assert_array_equal(source.read((96, 96)).pixels, image)
