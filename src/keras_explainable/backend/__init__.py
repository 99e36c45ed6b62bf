"""The one seam to TensorFlow, JAX and PyTorch: a few functions, one file for each.

Everything else in the package is written once, in ``keras.ops``. The backend is
Keras' own choice (``KERAS_BACKEND``) and is fixed when the package is imported.

- ``vjp(function, inputs)``: outputs, and their pullback to the inputs.
- ``stack_units(function, count)``: ``function(k)`` for each unit, on a last axis.
- ``jit(function)``: a function of tensors, compiled once per shape.
- ``compiled(function, model)``: ``function(model, *tensors)`` likewise, without the
  model's weights becoming constants or being differentiated.
- ``normal(keys, shape)``: standard normal noise, a pure function of each row's key.
- ``is_symbolic(x)``: whether ``x`` is being traced and has no value yet.
- ``wait(x)``: returns when ``x`` has been computed.
- ``TRACING_ERRORS``: what a function that cannot be traced raises.
"""

from importlib import import_module
from typing import Any

import keras

_backend: Any = import_module(f"{__name__}.{keras.backend.backend()}")

vjp = _backend.vjp
stack_units = _backend.stack_units
jit = _backend.jit
compiled = _backend.compiled
normal = _backend.normal
is_symbolic = _backend.is_symbolic
wait = _backend.wait
TRACING_ERRORS: tuple[type[Exception], ...] = _backend.TRACING_ERRORS
