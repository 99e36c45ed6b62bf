"""The one seam to TensorFlow, JAX and PyTorch: a few functions, one file for each.

Everything else in the package is written once, in ``keras.ops``. The backend is
Keras' own choice (``KERAS_BACKEND``) and is fixed when the package is imported.

- ``vjp(function, inputs)``: the outputs, their pullback to the inputs (a tensor or a
  structure of them), and what else there is: ``function(inputs) -> (outputs, others)``.
- ``stack_units(function, count)``: ``function(k)``, a tensor or a structure of them,
  for each unit, on a last axis.
- ``jit(function)``: a function of tensors, compiled once per shape.
- ``compiled(function, model)``: ``function(model, *tensors)`` likewise, without the
  model's weights becoming constants or being differentiated.
- ``fused(function)``: a function of tensors, done value by value in one go, where else
  it would be done operation by operation; it is called while something is compiled.
- ``weighted_sums(function, weights, values)``: the sums (groups, ...) of each tensor
  that a function makes of values (R, ...), a row of it of a row of them, which belong
  to the groups in turn; with weights (R / groups, groups).
- ``power_sums(weights, x)``: those of x (R, ...) and of its squares.
- ``value_counts(weights, numbers, count)``: how often each of the whole numbers below a count
  stands in rows (R, ...) of them, likewise weighted; they are not above it.
- ``normal(keys, shape)``: standard normal noise, a pure function of each row's key.
- ``convolution(inputs, kernel, bias, limit, strides, padding, dilation)``: channels
  last, with a `relu`, the way that is fastest, with a kernel in the layout that
  ``kernel_layout`` gives it; ``convolution_is_faster(layer)`` says whether it beats Keras' layer.
- ``max_pool(inputs, size, strides, padding)``: the maxima, likewise where
  ``max_pool_is_faster(layer)``; ``max_pool_and_counts(weights, inputs, limit, ...)``: these, and
  how often each place of a window has the first of its largest values, summed like
  ``value_counts``, unless the ReLU before it (None if there is none) is closed.
- ``RUNS_EAGERLY``: whether operations run one by one, so that what is done with early goes
  early.
- ``affine(x, scale, shift)``: ``x * scale + shift``.
- ``relu(x, limit)``: ReLU up to 6 or infinity, which may overwrite ``x``; ``x`` itself
  if the limit is None.
- ``host_buffer(variable)``: its values as a buffer, uncopied where they lie on the host;
  ``COPIES_ON_WRITE`` says whether it never changes while it is held.
- ``is_out_of_memory(error)``: whether that is what the error says.
- ``free_memory()``: bytes free on the accelerator; None if there is none, or no saying.
- ``ROWS_ON_CPU``: how many rows at once are fastest on a CPU, of a network whose
  activations take little memory, and of one whose take much.
- ``is_symbolic(x)``: whether ``x`` is being traced and has no value yet.
- ``block_until_ready(x)``: returns when ``x`` has been computed.
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
fused = _backend.fused
weighted_sums = _backend.weighted_sums
power_sums = _backend.power_sums
value_counts = _backend.value_counts
normal = _backend.normal
convolution_is_faster = _backend.convolution_is_faster
kernel_layout = _backend.kernel_layout
convolution = _backend.convolution
max_pool_is_faster = _backend.max_pool_is_faster
max_pool: Any = getattr(_backend, "max_pool", None)  # Where it is faster.
max_pool_and_counts: Any = getattr(_backend, "max_pool_and_counts", None)  # Likewise.
RUNS_EAGERLY: bool = _backend.RUNS_EAGERLY
affine = _backend.affine
relu = _backend.relu
host_buffer = _backend.host_buffer
COPIES_ON_WRITE: bool = _backend.COPIES_ON_WRITE
is_out_of_memory = _backend.is_out_of_memory
free_memory = _backend.free_memory
ROWS_ON_CPU: tuple[int, int] = _backend.ROWS_ON_CPU
is_symbolic = _backend.is_symbolic
block_until_ready = _backend.block_until_ready
TRACING_ERRORS: tuple[type[Exception], ...] = _backend.TRACING_ERRORS
