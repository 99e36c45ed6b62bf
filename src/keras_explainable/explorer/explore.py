"""The explorer in a notebook."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from keras_explainable.common.optional_packages import require
from keras_explainable.common.unit_names import (
    Names,
    hint_of_units,
    names_of_units,
)
from keras_explainable.engine.data_iterators import as_numpy
from keras_explainable.explorer.explored_model import ExploredModel, Scores
from keras_explainable.explorer.given_images import GivenImages
from keras_explainable.explorer.session import Session
from keras_explainable.network.output_units import as_indices
from keras_explainable.types import Model

#: What the lines that reproduce a map say in place of the model.
_CODE = "...  # The model that you passed to `ke.explore`."


def explore(
    model: Model,
    images: Any,
    y: Any = None,
    *,
    class_names: Names | None = None,
) -> Any:
    """Return a widget on which the map of an image sharpens while one looks.

    It is the page of ``keras-explainable explore`` in a notebook: noise, number of
    samples, class, method, statistic and colours are changed on it. Maps are computed
    beside the notebook, whose kernel stays usable, and appear while no cell runs.
    Their noise is that of ``ke.smoothgrad(model, images, ...)`` with the same seed.

    Args:
        model: Keras model with one output of shape (B, units).
        images: Images (B, H, W, C), or one (H, W, C), as the model takes them. What is
            shown of them is scaled by their range, unless that is 0..1 or 0..255.
        y: Units to offer first, (B,) or (B, K); the first is explained at the
            beginning. None for the likeliest units.
        class_names: A list of the names of all units of the model, in their order, or a
            dictionary by unit; None for their numbers. The only unit of a binary
            classifier has the second of two names.

    Returns:
        A widget, which a notebook shows if it is the last line of a cell.

    Raises:
        ValueError: If an argument is invalid.
        ImportError: If the extra ``notebook`` is not installed.

    Example::

        ke.explore(model, x_test[:20], y_test[:20])
    """
    require("anywidget", "notebook")
    inputs = _checked(as_numpy(images, "images"))
    units = len(Scores.of(model, inputs[:1]).values)
    names = _names(class_names, units)
    offered = _offered(y, len(inputs), units)
    explored = ExploredModel(getattr(model, "name", "the model"), _CODE, model, names)
    from keras_explainable.explorer.widget import ExplorerWidget

    return ExplorerWidget(Session(model), GivenImages(explored, inputs, offered))


def _checked(images: NDArray[Any]) -> NDArray[Any]:
    batch = images[None] if images.ndim == 3 else images
    if batch.ndim != 4 or not batch.size:
        raise ValueError(
            "`images` must be of shape (B, H, W, C), or (H, W, C) for one; received "
            f"shape {images.shape}."
        )
    return batch


def _offered(y: Any, count: int, units: int) -> NDArray[np.int_]:
    if y is None:
        return np.empty((count, 0), int)
    return np.asarray(keras.ops.convert_to_numpy(as_indices(y, count, units)), int)


def _names(given: Any, units: int) -> tuple[str, ...]:
    given = None if given is None else names_of_units(given, units)
    if given is None or isinstance(given, Mapping):
        return tuple(str((given or {}).get(unit, unit)) for unit in range(units))
    if isinstance(given, str) or len(given) != units:
        raise ValueError(
            f"`class_names` must be a name for each of the model's {units} units, or a "
            f"dictionary by unit; received {len(given)}.{hint_of_units(units)}"
        )
    return tuple(map(str, given))
