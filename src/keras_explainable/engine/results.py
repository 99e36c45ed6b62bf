"""The results of batches, and how they are joined into what ``explain`` returns."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_explainable.common.structures import map_structure
from keras_explainable.sampling.stats import concatenated

#: Logits and maps, and ``Stats`` if they are asked for.
Result = tuple[Any, ...]


def joined(results: Sequence[Result]) -> Result:
    """Return the results of several batches as one."""
    logits, maps, *stats = zip(*results, strict=True)
    joined_stats = (
        map_structure(lambda *parts: concatenated(parts), *batches) for batches in stats
    )
    return np.concatenate(logits), map_structure(_joined_maps, *maps), *joined_stats


def _joined_maps(*parts: Any) -> Any:
    """Return the maps of all images (N, ...), or a list of them if sizes differ."""
    if len({np.shape(part)[1:] for part in parts}) == 1:
        return np.concatenate(parts)
    return [image for part in parts for image in part]
