"""TensorFlow: gradient tapes and graphs, with XLA on a GPU only."""

import math
import weakref
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import Any

import tensorflow as tf

from keras_explainable.backend import tensorflow_convolution

#: For how many shapes a compiled function is kept; the least recently used goes first.
KEPT_SHAPES = 32

_each = tf.nest.map_structure

# Beyond this many units a loop in the graph is smaller than the unrolled graph.
UNROLLED_UNITS = 8

# Of uniform numbers with 23 bits; the normal ones end at 5.6.
SMALLEST_UNIFORM = 2.0**-23

TRACING_ERRORS = (
    tf.errors.OperatorNotAllowedInGraphError,
    NotImplementedError,  # NumPy asked a symbolic tensor for its value.
    AttributeError,  # `.numpy()` asked for it.
)


RUNS_EAGERLY = False

#: Rows at once that are about fastest on a CPU (`benchmarks/compare.py --rows`), of a
#: light network and of a heavy one.
ROWS_ON_CPU = (16, 16)


def vjp(function: Callable[[Any], Any], inputs: Any) -> tuple[Any, Any, Any]:
    with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
        tape.watch(inputs)
        outputs, others = function(inputs)

    def pullback(cotangent: Any) -> Any:
        return tape.gradient(
            outputs,
            inputs,
            output_gradients=cotangent,
            unconnected_gradients=tf.UnconnectedGradients.ZERO,
        )

    return outputs, pullback, others


def stack_units(function: Callable[[Any], Any], count: int) -> Any:
    if tf.executing_eagerly() or count <= UNROLLED_UNITS:
        units = [function(unit) for unit in range(count)]
        return _each(lambda *maps: tf.stack(maps, axis=-1), *units)
    first = function(0)
    specs = _each(lambda x: tf.TensorSpec(x.shape, x.dtype), first)
    others = tf.map_fn(function, tf.range(1, count), fn_output_signature=specs)
    return _each(_joined, first, others)


def _joined(first: Any, others: Any) -> Any:
    """Return the maps of one unit, and of others (K - 1, ...), along a last axis."""
    maps = tf.concat([first[None], others], axis=0)
    return tf.transpose(maps, [*range(1, len(maps.shape)), 0])


def jit(function: Callable[..., Any]) -> Callable[..., Any]:
    # XLA's CPU convolutions are many times slower than TensorFlow's own.
    on_gpu = bool(tf.config.list_physical_devices("GPU"))

    # One for each shape: TensorFlow warns of one function that is traced often.
    @lru_cache(KEPT_SHAPES)
    def made(shapes: Any) -> Any:
        return tf.function(partial(function), autograph=False, jit_compile=on_gpu)

    def run(*tensors: Any) -> Any:
        if not tf.executing_eagerly():
            return function(*tensors)
        return made(tuple(map(_kind, tf.nest.flatten(tensors))))(*tensors)

    return run


def _kind(x: Any) -> Any:
    return None if x is None else (tuple(x.shape), x.dtype)


def compiled(function: Callable[..., Any], model: Any) -> Callable[..., Any]:
    # The graph captures variables by reference: changed weights are seen.
    return jit(partial(_called, function, weakref.ref(model)))


def _called(function: Callable[..., Any], reference: Any, *tensors: Any) -> Any:
    return function(reference(), *tensors)


def fused(function: Callable[..., Any]) -> Callable[..., Any]:
    return tf.function(function, autograph=False, jit_compile=True)


def weighted_sums(
    function: Callable[..., Any], weights: Any, values: Sequence[Any]
) -> list[Any]:
    return [_weighted(weights, x) for x in function(*values)]


def _weighted(weights: Any, x: Any) -> Any:
    column = tf.reshape(weights, (*weights.shape, *[1] * (len(x.shape) - 1)))
    parts = tf.reshape(x, (*weights.shape, *x.shape[1:]))
    return tf.reduce_sum(parts * tf.cast(column, x.dtype), axis=0)


def power_sums(weights: Any, x: Any) -> list[Any]:
    return [_weighted(weights, each) for each in (x, tf.square(x))]


def value_counts(weights: Any, numbers: Any, count: int) -> list[Any]:
    alike = (tf.equal(numbers, number) for number in range(count))
    return [_weighted(weights, tf.cast(each, weights.dtype)) for each in alike]


def convolution_is_faster(layer: Any) -> bool:
    """Keras does grouped convolutions by XLA, slow on a CPU; here padding is free."""
    if len(layer.strides) != 2:
        return False
    groups = getattr(layer, "groups", 1)
    one_channel = groups > 1 and layer.kernel.shape[-2] == 1
    if one_channel or hasattr(layer, "depth_multiplier"):
        return layer.strides[0] == layer.strides[1] and set(layer.dilation_rate) == {1}
    return groups == 1


def kernel_layout(kernel: Any) -> Any:
    return kernel


def convolution(
    inputs: Any,
    kernel: Any,
    bias: Any,
    limit: float | None,
    strides: Any,
    padding: Any,
    dilation: Any,
) -> Any:
    kernel = tf.convert_to_tensor(kernel)
    convolved = tensorflow_convolution.convolution
    outputs = convolved(inputs, kernel, strides, padding, dilation)
    return relu(outputs if bias is None else tf.nn.bias_add(outputs, bias), limit)


def max_pool_is_faster(layer: Any) -> bool:
    return False


def affine(x: Any, scale: Any, shift: Any) -> Any:
    return x * scale + shift


def relu(x: Any, limit: float | None) -> Any:
    if limit is None:
        return x
    return tf.nn.relu6(x) if limit == 6 else tf.nn.relu(x)


def normal(keys: Any, shape: tuple[int, ...]) -> Any:
    # A loop of TensorFlow's: to trace one of Python's takes 20 ms a row.
    draw = partial(_normal, shape=shape)
    return tf.map_fn(draw, tf.cast(keys, tf.int64), fn_output_signature=tf.float32)


def _normal(key: Any, shape: tuple[int, ...]) -> Any:
    """By Box and Muller (1958): TensorFlow's own takes half as long again."""
    size = math.prod(shape)
    pairs = (2, -(-size // 2))
    uniform = tf.random.stateless_uniform(pairs, key, minval=SMALLEST_UNIFORM)
    radius, angle = tf.sqrt(-2 * tf.math.log(uniform[0])), 2 * math.pi * uniform[1]
    both = tf.concat([radius * tf.cos(angle), radius * tf.sin(angle)], axis=0)
    return tf.reshape(both[:size], shape)


#: A variable's buffer that somebody holds is copied before it is changed.
COPIES_ON_WRITE = True


def host_buffer(variable: Any) -> Any:
    # Quicker by far than TensorFlow's own conversion of a variable.
    handle, dtype = variable.value.handle, variable.value.dtype
    return memoryview(tf.raw_ops.ReadVariableOp(resource=handle, dtype=dtype))


def is_out_of_memory(error: Exception) -> bool:
    return isinstance(error, tf.errors.ResourceExhaustedError | MemoryError)


def free_memory() -> int | None:
    return None  # TensorFlow tells what is used, not what is there.


def is_symbolic(x: Any) -> bool:
    return tf.is_symbolic_tensor(x)


def block_until_ready(x: Any) -> None:
    """TensorFlow's eager results are bounded by its own queue."""
