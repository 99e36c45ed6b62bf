"""Images and maps to draw, and the size of a drawn image."""

import io

import numpy as np
from PIL import Image

RNG = np.random.default_rng(5)
PHOTOS = RNG.integers(0, 256, (4, 12, 10, 3), "uint8")
MAPS = RNG.random((4, 12, 10, 1), "float32")


def size_of(data):
    image = Image.open(io.BytesIO(data))
    image.load()
    return image.format, image.size
