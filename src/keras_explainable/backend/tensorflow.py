"""TensorFlow: gradient tapes and graphs, with XLA only on a GPU."""

import math
import weakref
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import tensorflow as tf

from keras_explainable.backend import shared, tensorflow_convolution
from keras_explainable.backend.tensorflow_replicas import on_replicas, strategy_of

#: The smallest of the uniform numbers, which have 23 bits: noise ends at 5.6 sigma.
SMALLEST_UNIFORM = 2.0**-23

TRACING_ERRORS = (
    tf.errors.OperatorNotAllowedInGraphError,
    NotImplementedError,  # NumPy needs the value of a symbolic tensor.
    AttributeError,  # A symbolic tensor has no `.numpy()`.
)

COMPILING_OUTLASTS_A_RUN = True

RUNS_EAGERLY = False

ROWS_ON_CPU = (16, 16)


def eagerly() -> AbstractContextManager[Any]:
    # `tf.init_scope` also stops the tapes that are started within it.
    return nullcontext() if tf.executing_eagerly() else tf.init_scope()


def vjp(function: Callable[[Any], Any], inputs: Any) -> tuple[Any, Any, Any]:
    with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
        tape.watch(inputs)
        with shared.state_kept():
            outputs, others = function(inputs)

    def pullback(cotangent: Any) -> Any:
        return tape.gradient(outputs, inputs, cotangent, tf.UnconnectedGradients.ZERO)

    return outputs, pullback, others


def stack_units(function: Callable[[Any], Any], count: int) -> Any:
    if tf.executing_eagerly() or count <= shared.UNROLLED_UNITS:
        return shared.stack_unrolled(function, count)
    first = function(0)
    specs = tf.nest.map_structure(lambda x: tf.TensorSpec(x.shape, x.dtype), first)
    others = tf.map_fn(function, tf.range(1, count), fn_output_signature=specs)
    return tf.nest.map_structure(_stack, first, others)


def _stack(first: Any, others: Any) -> Any:
    """Return the maps of one unit and of K - 1 others, (..., K)."""
    maps = tf.concat([first[None], others], axis=0)
    return tf.transpose(maps, [*range(1, len(maps.shape)), 0])


def jit(function: Callable[..., Any]) -> Callable[..., Any]:
    return _graph(function, jit_compile=_on_gpu())


def _on_gpu() -> bool:
    # XLA's CPU convolutions are many times slower than TensorFlow's own.
    return bool(tf.config.list_physical_devices("GPU"))


def _graph(function: Callable[..., Any], jit_compile: bool) -> Callable[..., Any]:
    options = {"autograph": False, "jit_compile": jit_compile}
    compiled_for = shared.cache_per_shape(
        lambda: tf.function(partial(function), **options)
    )

    def run(*tensors: Any) -> Any:
        if not tf.executing_eagerly():
            return function(*tensors)
        return compiled_for(tensors)(*tensors)

    return run


def compiled(function: Callable[..., Any], model: Any) -> Callable[..., Any]:
    return jit(_of_tensors(function, model))


def compiled_on_replicas(
    function: Callable[..., Any],
    model: Any,
    divide: Callable[..., Any],
    join: Callable[..., Any],
) -> Callable[..., Any]:
    strategy = strategy_of(model)
    if strategy is None:
        return compiled(function, model)
    run = _of_tensors(function, model)
    # XLA compiles for one device: each replica's share, and not the whole.
    run = fused(run) if _on_gpu() else run
    return _graph(on_replicas(run, divide, join, strategy), jit_compile=False)


def replica_scope(model: Any) -> AbstractContextManager[Any]:
    strategy = strategy_of(model)
    return nullcontext() if strategy is None else strategy.scope()


def _of_tensors(function: Callable[..., Any], model: Any) -> Callable[..., Any]:
    # The graph captures variables by reference, and so sees changed weights.
    reference = weakref.ref(model)

    def run(*tensors: Any) -> Any:
        with shared.state_kept():
            return function(reference(), *tensors)

    return run


def fused(function: Callable[..., Any]) -> Callable[..., Any]:
    return tf.function(function, autograph=False, jit_compile=True)


def _traced_once(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that is one operation in a graph, however often it is called.

    Recording the same few operations for each of a hundred layers takes seconds.
    """
    traced_for = shared.cache_per_shape(lambda: tf.function(function, autograph=False))
    return lambda *tensors: traced_for(tensors)(*tensors)


_weighted_sum = _traced_once(shared.weighted_sum)
power_sums = _traced_once(partial(shared.power_sums, shared.weighted_sums))


def weighted_sums(
    function: Callable[..., Any], weights: Any, values: Sequence[Any]
) -> list[Any]:
    return [_weighted_sum(weights, x) for x in function(*values)]


value_counts = partial(shared.value_counts, weighted_sums)


def convolution_is_faster(layer: Any) -> bool:
    """Keras runs grouped convolutions in XLA, slow on a CPU; here padding is free."""
    if len(layer.strides) != 2:
        return False
    groups = getattr(layer, "groups", 1)
    one_channel = groups > 1 and layer.kernel.shape[-2] == 1
    if one_channel or hasattr(layer, "depth_multiplier"):
        return layer.strides[0] == layer.strides[1] and set(layer.dilation_rate) == {1}
    return groups == 1


kernel_layout = shared.unchanged


def convolution(
    inputs: Any, kernel: Any, bias: Any, limit: float | None, *geometry: Any
) -> Any:
    kernel = tf.convert_to_tensor(kernel)
    outputs = tensorflow_convolution.convolution(inputs, kernel, *geometry)
    return relu(outputs if bias is None else tf.nn.bias_add(outputs, bias), limit)


def max_pool_is_faster(layer: Any) -> bool:
    return False


def affine(x: Any, scale: Any, shift: Any) -> Any:
    return x * scale + shift


relu = shared.relu


def normal(keys: Any, shape: tuple[int, ...]) -> Any:
    # A TensorFlow loop, as tracing a Python loop takes 20 ms per row.
    draw = partial(_normal, shape=shape)
    return tf.map_fn(draw, tf.cast(keys, tf.int64), fn_output_signature=tf.float32)


def _normal(key: Any, shape: tuple[int, ...]) -> Any:
    """By Box and Muller (1958), since TensorFlow's own takes half as long again."""
    size = math.prod(shape)
    pairs = (2, -(-size // 2))
    uniform = tf.random.stateless_uniform(pairs, key, minval=SMALLEST_UNIFORM)
    radius, angle = tf.sqrt(-2 * tf.math.log(uniform[0])), 2 * math.pi * uniform[1]
    noise = tf.concat([radius * tf.cos(angle), radius * tf.sin(angle)], axis=0)
    return tf.reshape(noise[:size], shape)


COPIES_ON_WRITE = True  # TensorFlow copies a buffer that is held before a change.


def host_buffer(variable: Any) -> Any:
    # Far quicker than TensorFlow's own conversion of a variable. Of a variable that
    # `tf.distribute` mirrors, this is the first copy.
    value, *_ = tf.distribute.get_strategy().experimental_local_results(variable.value)
    handle, dtype = value.handle, value.dtype
    return memoryview(tf.raw_ops.ReadVariableOp(resource=handle, dtype=dtype))


def is_out_of_memory(error: Exception) -> bool:
    return isinstance(error, tf.errors.ResourceExhaustedError | MemoryError)


def free_memory() -> int | None:
    return None  # TensorFlow reports only the memory in use.


#: Operations whose precision a graph does not show.
OPAQUE = ("EagerPyFunc", "PyFunc", "PyFuncStateless")


def rounds(function: Callable[..., Any], inputs: Any) -> bool:
    # Operations do not mix types: a value in float64 loses digits by a cast only.
    specs = [tf.TensorSpec(x.shape, x.dtype) for x in inputs]
    traced = tf.function(function, autograph=False).get_concrete_function(*specs)
    graph = traced.graph.as_graph_def()
    nodes = [*graph.node, *(x for f in graph.library.function for x in f.node_def)]
    return any(x.op in OPAQUE or _is_rounding_cast(x) for x in nodes)


def _is_rounding_cast(node: Any) -> bool:
    if node.op != "Cast":
        return False
    source, to = (tf.as_dtype(node.attr[name].type) for name in ("SrcT", "DstT"))
    return source == tf.float64 and to.is_floating and to.size < source.size


def is_symbolic(x: Any) -> bool:
    return tf.is_symbolic_tensor(x)


def block_until_ready(x: Any) -> None:
    """Nothing to wait for: TensorFlow's own queue bounds its eager results."""
