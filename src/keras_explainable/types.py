"""The words the package's signatures are written in."""

from collections.abc import Callable
from typing import Any

#: A tensor of Keras' backend; where an input, also NumPy or nested lists.
Tensor = Any

#: A Keras model, or anything called ``model(inputs, training=False)``.
Model = Any

#: ``method(model, inputs, indices=None, **params) -> (logits, maps)``.
Method = Callable[..., tuple[Any, ...]]
