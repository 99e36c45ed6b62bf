"""Controls: maps that know nothing of the model, which a method should beat.

They are methods like others, and run on the host: they only look at the input.
"""

import inspect
from collections.abc import Callable
from functools import partial, wraps
from typing import Any

import numpy as np
from keras import ops
from numpy.typing import NDArray

from keras_explainable.common.optional_packages import require
from keras_explainable.metrics.random_draws import MAPS, generator
from keras_explainable.network import output_units
from keras_explainable.types import Method, Model, Tensor

Array = NDArray[Any]

#: Standard deviation of the centred Gaussian, as a fraction of each side.
WIDTH = 0.25


def control(function: Callable[..., Array]) -> Method:
    """Return the method whose maps are a function of inputs (B, ..., C), and of more.

    Args:
        function: Function to maps (B, ...), the same for all units. It takes ``ids``
            and ``seed``, or ignores them.
    """

    @wraps(function)
    def method(
        model: Model,
        inputs: Tensor,
        indices: Any = None,
        *,
        rows: int = 32,
        ids: Any = None,
        seed: int = 0,
    ) -> tuple[Tensor, Tensor]:
        outputs = output_units.forward(model, inputs, rows)
        indices = output_units.as_indices(indices, len(inputs), outputs.shape[-1])
        logits = output_units.gather_units(outputs, indices)
        ids = np.arange(len(inputs)) if ids is None else ids
        maps = function(ops.convert_to_numpy(inputs), ids=ids, seed=seed)
        repeated = np.repeat(maps[..., None], logits.shape[-1], axis=-1)
        return logits, ops.convert_to_tensor(repeated, "float32")

    del method.__wrapped__  # Its signature is its own.
    draws = "seed" in inspect.signature(function).parameters
    return method if draws else partial(method, seed=0)  # Not to be repeated.


@control
def random(inputs: Array, *, ids: Any, seed: int) -> Array:
    """Return uniform noise, a function of the id and the seed."""
    shape = inputs.shape[1:-1]
    return np.array([generator(MAPS, seed, each).uniform(size=shape) for each in ids])


@control
def edges(inputs: Array, **_: Any) -> Array:
    """Return the magnitude of the Sobel filter's gradient of the brightness."""
    ndimage = require("scipy.ndimage", "metrics")
    images = inputs.mean(axis=-1, dtype="float64")
    found = [ndimage.generic_gradient_magnitude(x, ndimage.sobel) for x in images]
    return np.array(found)


@control
def brightness(inputs: Array, **_: Any) -> Array:
    """Return the mean of the channels."""
    return inputs.mean(axis=-1, dtype="float64")


@control
def centred(inputs: Array, **_: Any) -> Array:
    """Return a Gaussian in the middle of the input."""
    shape = inputs.shape[1:-1]
    axes = np.meshgrid(*map(np.arange, shape), indexing="ij")
    sides = zip(axes, shape, strict=True)
    squares = [((at + 0.5) / side - 0.5) ** 2 for at, side in sides]
    one = np.exp(-sum(squares) / (2 * WIDTH**2))
    return np.broadcast_to(one, inputs.shape[:-1])


#: Controls by the names that tables show.
CONTROLS: dict[str, Method] = {
    "random map": random,
    "edges": edges,
    "brightness": brightness,
    "centred Gaussian": centred,
}
