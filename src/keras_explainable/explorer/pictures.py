"""Pictures as a page shows them."""

import io

from keras_explainable.common.optional_packages import require
from keras_explainable.explorer.explored_model import Pixels


def png(pixels: Pixels) -> bytes:
    """Return a picture as a PNG file, which is written fast."""
    buffer = io.BytesIO()
    require("PIL.Image").fromarray(pixels).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()
