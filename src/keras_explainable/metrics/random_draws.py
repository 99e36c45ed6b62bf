"""Random draws of metrics: pure functions of the seed, the image's id and a number.

They do not depend on batches or on the maps, so that different maps of an image are
scored by the same copies of it.
"""

import numpy as np

#: What is drawn. Different draws of an image are independent.
TIES, NOISE, SUBSETS, WINDOWS, NEIGHBOURS, MAPS, WEIGHTS, UNITS = range(8)


def generator(
    kind: int, seed: int, image_id: int, draw: int = 0
) -> np.random.Generator:
    """Return the generator of one draw of an image; padding has the id -1."""
    return np.random.default_rng([kind, draw, max(int(image_id), 0), seed])
