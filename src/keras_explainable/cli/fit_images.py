"""Brings images to the size of a model's input, and says which part of them it sees."""

from PIL import Image, ImageOps

from keras_explainable.plotting.seen_part import SeenPart

#: Longest side in pixels, for models that take images of any size.
LONGEST_SIDE = 512


def fitted(
    image: Image.Image, size: tuple[int, int] | None, resizing: str
) -> Image.Image:
    """Return an image in a size, as ``read_images.read`` describes it."""
    if size is None:
        return shrunk(image, LONGEST_SIDE)
    if resizing == "stretch":
        return image.resize(size[::-1], Image.Resampling.BILINEAR)
    if resizing == "pad":
        return _padded(image, size)
    # `fit` crops first, to fractions of a pixel, and then resizes: the result is
    # the same, without a huge intermediate image for a strip of 1 x 5000 pixels.
    return ImageOps.fit(image, size[::-1], Image.Resampling.BILINEAR)


def seen_part(
    image: Image.Image, size: tuple[int, int] | None, resizing: str
) -> SeenPart:
    """Return the part of an image that ``fitted`` leaves, with the padding it adds."""
    if size is None or resizing == "stretch":
        return SeenPart()
    height, width = size
    if resizing == "pad":
        inner_width, inner_height = _inner_size(image, size)
        left = (width - inner_width) // 2 / inner_width
        top = (height - inner_height) // 2 / inner_height
        return SeenPart(
            -left, -top, width / inner_width - left, height / inner_height - top
        )
    # The fraction of each side that has the shape of the input; one of them is 1.
    across = min(1.0, width / height * image.height / image.width)
    down = min(1.0, height / width * image.width / image.height)
    return SeenPart((1 - across) / 2, (1 - down) / 2, (1 + across) / 2, (1 + down) / 2)


def shrunk(image: Image.Image, longest: int) -> Image.Image:
    """Return an image, scaled down if a side is longer than ``longest`` pixels."""
    return _scaled(image, _scaled_size(image, min(1, longest / max(image.size))))


def _padded(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    height, width = size
    inner = _scaled(image, _inner_size(image, size))
    canvas = Image.new("RGB", (width, height))
    canvas.paste(inner, ((width - inner.width) // 2, (height - inner.height) // 2))
    return canvas


def _inner_size(image: Image.Image, size: tuple[int, int]) -> tuple[int, int]:
    height, width = size
    return _scaled_size(image, min(width / image.width, height / image.height))


def _scaled_size(image: Image.Image, scale: float) -> tuple[int, int]:
    width, height = (max(1, round(side * scale)) for side in image.size)
    return width, height


def _scaled(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    if size == image.size:
        return image
    return image.resize(size, Image.Resampling.BILINEAR)
