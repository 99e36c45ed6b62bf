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


def normal(keys: Any, shape: tuple[int, ...]) -> Any:
    rows = tf.unstack(tf.cast(keys, tf.int64))
    return tf.stack([tf.random.stateless_normal(shape, seed=key) for key in rows])


def is_symbolic(x: Any) -> bool:
    return tf.is_symbolic_tensor(x)


def wait(x: Any) -> None:
    """TensorFlow's eager results are bounded by its own queue."""
