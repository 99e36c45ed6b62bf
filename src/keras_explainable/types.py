"""Type aliases that the package's signatures share."""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

#: A tensor of Keras' backend; as an input also a NumPy array or nested lists.
Tensor = Any

#: A Keras model, or any callable ``model(inputs, training=False)``.
Model = Any

#: ``method(model, inputs, indices=None, **params) -> (logits, maps)``.
Method = Callable[..., tuple[Any, ...]]

#: What is returned to users: logits, maps, errors.
Array: TypeAlias = npt.NDArray[np.floating[Any]]
