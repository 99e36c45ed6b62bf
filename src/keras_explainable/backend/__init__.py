"""The only package that imports TensorFlow, JAX or PyTorch: one module for each.

Everything else is written once, in ``keras.ops``. Keras chooses the backend
(``KERAS_BACKEND``), and the choice is fixed when this package is imported. Its
functions receive and return tensors or functions of tensors; they know nothing of
graphs, methods or noise. What the backends have in common is in ``shared``.
"""

from contextlib import nullcontext
from functools import partial
from importlib import import_module
from typing import Any

import keras

from keras_explainable.backend import shared

_backend: Any = import_module(f"{__name__}.{keras.backend.backend()}")

#: ``vjp(function, inputs)`` returns the outputs, their pullback to the inputs (a tensor
#: or a structure of tensors), and the other results, given
#: ``function(inputs) -> (outputs, others)``. Integers and booleans have no derivatives;
#: zeros stand for them.
vjp = partial(shared.vjp_of_floats, _backend.vjp)

#: ``stack_units(function, count)`` calls ``function(k)`` for each unit ``k`` and stacks
#: the results, tensors or structures of tensors, along a new last axis.
stack_units = _backend.stack_units

#: ``jit(function)`` compiles a function of tensors once for each shape.
jit = _backend.jit

#: ``compiled(function, model)`` does so for ``function(model, *tensors)``, without
#: making constants of the model's weights or differentiating by them.
compiled = _backend.compiled

#: ``compiled_on_replicas(function, model, divide, join)`` does so for what the replicas
#: of a model share, if it has any. ``divide(tensors, count)`` returns the arguments for
#: each replica, or None if there are too few; ``join(tensors, *results)`` makes one
#: result of theirs.
compiled_on_replicas: Any = getattr(
    _backend,
    "compiled_on_replicas",
    lambda function, model, *_: compiled(function, model),
)

#: ``replica_scope(model)`` is a context in which new variables have a copy for each
#: replica of a model, as its own have.
replica_scope: Any = getattr(_backend, "replica_scope", lambda model: nullcontext())

#: ``state_kept()`` is a context in which what a network writes to its variables, such
#: as seeds and recurrent states, is dropped. ``vjp`` and ``compiled`` are within one.
state_kept = getattr(_backend, "state_kept", shared.state_kept)

#: ``eagerly()`` is a context in which operations on known values are computed at once,
#: also while a function is being compiled.
eagerly: Any = getattr(_backend, "eagerly", nullcontext)

#: ``fused(function)`` evaluates an elementwise function of tensors in one pass where
#: the framework would run it operation by operation. Call it only while compiling.
fused = _backend.fused

#: ``weighted_sums(function, weights, values)`` returns the weighted sum (groups, ...)
#: of each tensor that a row-wise function returns for values (R, ...). Rows belong to
#: the groups in turn; the weights have shape (R / groups, groups).
weighted_sums = _backend.weighted_sums

#: ``power_sums(weights, x)`` returns the weighted sums of x (R, ...) and its squares.
power_sums = _backend.power_sums

#: ``value_counts(weights, numbers, count)`` returns how often, weighted likewise, each
#: integer below ``count`` occurs in rows (R, ...) of integers up to ``count``.
value_counts = _backend.value_counts

#: ``normal(keys, shape)`` returns standard normal noise, a pure function of each row's
#: key.
normal = _backend.normal

#: ``convolution_is_faster(layer)`` returns whether ``convolution`` beats Keras' layer.
convolution_is_faster = _backend.convolution_is_faster

#: ``kernel_layout(kernel)`` returns a kernel in the layout that ``convolution`` takes.
kernel_layout = _backend.kernel_layout

#: ``convolution(inputs, kernel, bias, limit, strides, padding, dilation)`` returns the
#: channels-last convolution, followed by ``relu``, computed in the fastest way.
convolution = _backend.convolution

#: ``max_pool_is_faster(layer)`` returns whether ``max_pool`` beats Keras' layer.
max_pool_is_faster = _backend.max_pool_is_faster

#: ``max_pool(inputs, size, strides, padding)`` returns the maxima; None where it would
#: not be faster.
max_pool: Any = getattr(_backend, "max_pool", None)

#: ``max_pool_and_counts(weights, inputs, limit, size, strides, padding)`` also returns
#: how often each position of a window holds the first of its maxima, summed as by
#: ``value_counts``; windows where the preceding ReLU is closed do not count. ``limit``
#: is that of the ReLU; None if there is none.
max_pool_and_counts: Any = getattr(_backend, "max_pool_and_counts", None)

#: Whether compiling a network takes longer than running it once without that.
COMPILING_OUTLASTS_A_RUN: bool = _backend.COMPILING_OUTLASTS_A_RUN

#: Whether operations run one by one, so that memory is freed as soon as a value is no
#: longer needed.
RUNS_EAGERLY: bool = _backend.RUNS_EAGERLY

#: ``affine(x, scale, shift)`` returns ``x * scale + shift``.
affine = _backend.affine

#: ``relu(x, limit)`` returns the ReLU of ``x`` up to 6 or infinity, and may overwrite
#: ``x``; it returns ``x`` itself if the limit is None.
relu = _backend.relu

#: ``host_buffer(variable)`` returns a variable's values as a buffer, without a copy if
#: they are in the host's memory.
host_buffer = _backend.host_buffer

#: Whether a buffer that is held never changes.
COPIES_ON_WRITE: bool = _backend.COPIES_ON_WRITE

#: ``is_out_of_memory(error)`` returns whether an error means that memory ran out.
is_out_of_memory = _backend.is_out_of_memory

#: ``free_memory()`` returns the free bytes of the accelerator; None if there is none,
#: or the framework does not say.
free_memory = _backend.free_memory

#: Rows per chunk that are about fastest on a CPU, for a network whose activations take
#: little memory and for one whose take much
#: (`benchmarks/speed/compare_smoothgrad.py --rows`).
ROWS_ON_CPU: tuple[int, int] = _backend.ROWS_ON_CPU

#: ``rounds(function, inputs)`` returns whether a function of float64 tensors computes
#: with less precision in between, or may do so; None where Keras does so anyway.
rounds: Any = getattr(_backend, "rounds", None)

#: ``is_symbolic(x)`` returns whether ``x`` is being traced and has no value yet.
is_symbolic = _backend.is_symbolic

#: ``block_until_ready(x)`` waits until ``x`` has been computed.
block_until_ready = _backend.block_until_ready

#: Errors raised by a function that cannot be traced.
TRACING_ERRORS: tuple[type[Exception], ...] = _backend.TRACING_ERRORS
