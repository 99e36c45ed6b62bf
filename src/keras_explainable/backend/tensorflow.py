"""TensorFlow: gradient tapes and graphs, with XLA on a GPU only."""

import weakref
from collections.abc import Callable
from typing import Any

import tensorflow as tf

# Beyond this many units a loop in the graph is smaller than the unrolled graph.
UNROLLED_UNITS = 8

TRACING_ERRORS = (
    tf.errors.OperatorNotAllowedInGraphError,
    NotImplementedError,  # NumPy asked a symbolic tensor for its value.
    AttributeError,  # `.numpy()` asked for it.
)


#: Rows at once that are about fastest on a CPU (`benchmarks/compare.py --rows`).
ROWS_ON_CPU = 16


def vjp(function: Callable[[Any], Any], inputs: Any) -> tuple[Any, Callable[..., Any]]:
    with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
        tape.watch(inputs)
        outputs = function(inputs)

    def pullback(cotangent: Any) -> Any:
        return tape.gradient(
            outputs,
            inputs,
            output_gradients=cotangent,
            unconnected_gradients=tf.UnconnectedGradients.ZERO,
        )

    return outputs, pullback


def stack_units(function: Callable[[Any], Any], count: int) -> Any:
    if tf.executing_eagerly() or count <= UNROLLED_UNITS:
        return tf.stack([function(unit) for unit in range(count)], axis=-1)
    first = function(0)
    spec = tf.TensorSpec(first.shape, first.dtype)
    others = tf.map_fn(function, tf.range(1, count), fn_output_signature=spec)
    maps = tf.concat([first[None], others], axis=0)
    return tf.transpose(maps, [*range(1, len(maps.shape)), 0])


def jit(function: Callable[..., Any]) -> Callable[..., Any]:
    # XLA's CPU convolutions are many times slower than TensorFlow's own.
    on_gpu = bool(tf.config.list_physical_devices("GPU"))
    return tf.function(function, autograph=False, jit_compile=on_gpu)


def compiled(function: Callable[..., Any], model: Any) -> Callable[..., Any]:
    reference = weakref.ref(model)
    # The graph captures variables by reference: changed weights are seen.
    return jit(lambda *tensors: function(reference(), *tensors))


def is_faster(layer: Any) -> bool:
    """Keras does grouped convolutions by XLA, which is slow on a CPU."""
    groups = getattr(layer, "groups", 1)
    depthwise = groups > 1 and layer.kernel.shape[-2] == 1
    on_cpu = not tf.config.list_physical_devices("GPU")
    same_steps = layer.strides[0] == layer.strides[-1] and set(layer.dilation_rate) == {
        1
    }
    return depthwise and on_cpu and len(layer.strides) == 2 and same_steps


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
    channels = inputs.shape[-1]
    kernel = tf.reshape(kernel, (*kernel.shape[:2], channels, -1))
    if not isinstance(padding, str):
        inputs, padding = tf.pad(inputs, [(0, 0), *padding, (0, 0)]), "valid"
    outputs = tf.nn.depthwise_conv2d(
        inputs, kernel, (1, *strides, 1), padding.upper(), dilations=dilation
    )
    return relu(outputs if bias is None else tf.nn.bias_add(outputs, bias), limit)


def pools_faster(layer: Any) -> bool:
    return False


def affine(x: Any, scale: Any, shift: Any) -> Any:
    return x * scale + shift


def relu(x: Any, limit: float | None) -> Any:
    if limit is None:
        return x
    return tf.nn.relu6(x) if limit == 6 else tf.nn.relu(x)


def normal(keys: Any, shape: tuple[int, ...]) -> Any:
    rows = tf.unstack(tf.cast(keys, tf.int64))
    return tf.stack([tf.random.stateless_normal(shape, seed=key) for key in rows])


#: A variable's buffer that somebody holds is copied before it is changed.
COPIES_ON_WRITE = True


def memory(variable: Any) -> Any:
    # Quicker by far than TensorFlow's own conversion of a variable.
    handle, dtype = variable.value.handle, variable.value.dtype
    return memoryview(tf.raw_ops.ReadVariableOp(resource=handle, dtype=dtype))


def is_out_of_memory(error: Exception) -> bool:
    return isinstance(error, tf.errors.ResourceExhaustedError | MemoryError)


def free_memory() -> int | None:
    return None  # TensorFlow tells what is used, not what is there.


def is_symbolic(x: Any) -> bool:
    return tf.is_symbolic_tensor(x)


def wait(x: Any) -> None:
    """TensorFlow's eager results are bounded by its own queue."""
