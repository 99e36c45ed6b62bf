"""JAX: traced functions that take the model's weights as arguments."""

import weakref
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from keras_explainable.backend import jax_convolution, shared

TRACING_ERRORS = (
    jax.errors.ConcretizationTypeError,
    jax.errors.TracerArrayConversionError,
    jax.errors.TracerIntegerConversionError,
)

COMPILING_OUTLASTS_A_RUN = False  # Each operation is compiled anyway.

RUNS_EAGERLY = False

ROWS_ON_CPU = (8, 8)


eagerly = jax.ensure_compile_time_eval


def vjp(function: Callable[[Any], Any], inputs: Any) -> tuple[Any, Any, Any]:
    with shared.state_kept():
        outputs, pull, others = jax.vjp(function, inputs, has_aux=True)
    return outputs, lambda cotangent: pull(cotangent)[0], others


def stack_units(function: Callable[[Any], Any], count: int) -> Any:
    if count <= shared.UNROLLED_UNITS:
        return shared.stack_unrolled(function, count)
    maps = jax.lax.map(function, jnp.arange(count))
    return jax.tree.map(lambda x: jnp.moveaxis(x, 0, -1), maps)


def jit(function: Callable[..., Any]) -> Callable[..., Any]:
    compiled_for = shared.cache_per_shape(lambda: jax.jit(partial(function)))
    return lambda *tensors: compiled_for(tensors)(*tensors)


def compiled(function: Callable[..., Any], model: Any) -> Callable[..., Any]:
    reference = weakref.ref(model)

    def run(values: list[Any], *tensors: Any) -> Any:
        model = reference()
        weights = getattr(model, "variables", ())
        with shared.state_kept(list(zip(weights, values, strict=True))):
            return function(model, *tensors)

    compiled_for = shared.cache_per_shape(lambda: jax.jit(partial(run)))

    def call(*tensors: Any) -> Any:
        values = [weight.value for weight in getattr(reference(), "variables", ())]
        return compiled_for(tensors)(values, *tensors)

    return call


fused = shared.unchanged  # XLA fuses whatever JAX compiles.


def weighted_sums(
    function: Callable[..., Any], weights: Any, values: Sequence[Any]
) -> list[Any]:
    if jax.default_backend() != "cpu":
        return shared.weighted_sums(function, weights, values)

    # On a CPU, summing over the first axis takes some 40 times as long as this loop.
    def add(sums: Any, row: Any) -> Any:
        weights, *values = row
        new = shared.weighted_sums(function, weights[None], values)
        return [*map(jnp.add, sums, new)], None

    rows = [x.reshape(*weights.shape, *x.shape[1:]) for x in values]
    results = jax.eval_shape(function, *(x[0] for x in rows))
    zeros = [jnp.zeros(x.shape, x.dtype) for x in results]
    return jax.lax.scan(add, zeros, (weights, *rows))[0]


power_sums = partial(shared.power_sums, weighted_sums)
value_counts = partial(shared.value_counts, weighted_sums)


def convolution_is_faster(layer: Any) -> bool:
    return jax.default_backend() == "cpu"


kernel_layout = shared.unchanged


def convolution(
    inputs: Any, kernel: Any, bias: Any, limit: float | None, *geometry: Any
) -> Any:
    outputs = jax_convolution.convolution(inputs, jnp.asarray(kernel), *geometry)
    return relu(outputs if bias is None else outputs + jnp.asarray(bias), limit)


def max_pool_is_faster(layer: Any) -> bool:
    return False


def affine(x: Any, scale: Any, shift: Any) -> Any:
    return x * jnp.asarray(scale) + jnp.asarray(shift)


relu = shared.relu


def normal(keys: Any, shape: tuple[int, ...]) -> Any:
    keys = jax.random.wrap_key_data(jnp.asarray(keys, "uint32"), impl="threefry2x32")
    return jax.vmap(lambda key: jax.random.normal(key, shape))(keys)


COPIES_ON_WRITE = True  # Arrays are immutable.


def host_buffer(variable: Any) -> Any:
    return np.asarray(variable.value)


def is_out_of_memory(error: Exception) -> bool:
    exhausted = "RESOURCE_EXHAUSTED" in str(error) or "out of memory" in str(error)
    failed = isinstance(error, jax.errors.JaxRuntimeError) and exhausted
    return failed or isinstance(error, MemoryError)


def free_memory() -> int | None:
    stats = jax.devices()[0].memory_stats() or {}
    if "bytes_limit" not in stats:
        return None
    return stats["bytes_limit"] - stats["bytes_in_use"]


def is_symbolic(x: Any) -> bool:
    return isinstance(x, jax.core.Tracer)


block_until_ready = jax.block_until_ready
