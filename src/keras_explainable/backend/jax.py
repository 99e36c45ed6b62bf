"""JAX: traced functions with the model's weights as arguments."""

import weakref
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np

from keras_explainable.backend import jax_convolution

#: For how many shapes a compiled function is kept; the least recently used goes first.
KEPT_SHAPES = 32

# Beyond this many units a loop compiles sooner than the unrolled program.
UNROLLED_UNITS = 8

TRACING_ERRORS = (
    jax.errors.ConcretizationTypeError,
    jax.errors.TracerArrayConversionError,
    jax.errors.TracerIntegerConversionError,
)


RUNS_EAGERLY = False

#: Rows at once that are about fastest on a CPU (`benchmarks/compare.py --rows`), of a
#: light network and of a heavy one.
ROWS_ON_CPU = (8, 8)


def vjp(function: Callable[[Any], Any], inputs: Any) -> tuple[Any, Any, Any]:
    outputs, pull, others = jax.vjp(function, inputs, has_aux=True)
    return outputs, lambda cotangent: pull(cotangent)[0], others


def stack_units(function: Callable[[Any], Any], count: int) -> Any:
    if count <= UNROLLED_UNITS:
        units = [function(unit) for unit in range(count)]
        return jax.tree.map(lambda *maps: jnp.stack(maps, axis=-1), *units)
    maps = jax.lax.map(function, jnp.arange(count))
    return jax.tree.map(lambda x: jnp.moveaxis(x, 0, -1), maps)


def jit(function: Callable[..., Any]) -> Callable[..., Any]:
    # One for each shape: JAX itself keeps thousands.
    @lru_cache(KEPT_SHAPES)
    def made(shapes: Any) -> Any:
        return jax.jit(partial(function))

    def run(*tensors: Any) -> Any:
        return made(_shapes(tensors))(*tensors)

    return run


def _shapes(tensors: Any) -> Any:
    return tuple((jnp.shape(x), jnp.result_type(x)) for x in jax.tree.leaves(tensors))


def compiled(function: Callable[..., Any], model: Any) -> Callable[..., Any]:
    reference = weakref.ref(model)

    def run(values: list[Any], *tensors: Any) -> Any:
        model = reference()
        weights = getattr(model, "variables", ())
        with keras.StatelessScope(list(zip(weights, values, strict=True))):
            return function(model, *tensors)

    @lru_cache(KEPT_SHAPES)
    def made(shapes: Any) -> Any:
        return jax.jit(partial(run))

    def call(*tensors: Any) -> Any:
        weights = getattr(reference(), "variables", ())
        values = [weight.value for weight in weights]
        return made(_shapes(tensors))(values, *tensors)

    return call


def fused(function: Callable[..., Any]) -> Callable[..., Any]:
    return function  # As is all that JAX compiles.


def weighted_sums(
    function: Callable[..., Any], weights: Any, values: Sequence[Any]
) -> list[Any]:
    if jax.default_backend() != "cpu":
        return [_weighted(weights, x) for x in function(*values)]

    # On a CPU a sum over a first axis takes some 40 times as long as this loop.
    def add(sums: Any, row: Any) -> Any:
        weights, *values = row
        new = [_weighted(weights[None], x) for x in function(*values)]
        return [*map(jnp.add, sums, new)], None

    parts = [x.reshape(*weights.shape, *x.shape[1:]) for x in values]
    made = jax.eval_shape(function, *(x[0] for x in parts))
    none = [jnp.zeros(x.shape, x.dtype) for x in made]
    sums: list[Any] = jax.lax.scan(add, none, (weights, *parts))[0]
    return sums


def _weighted(weights: Any, x: Any) -> Any:
    parts = x.reshape(*weights.shape, -1)
    column = weights[..., None].astype(x.dtype)
    return jnp.sum(parts * column, axis=0).reshape(-1, *x.shape[1:])


def power_sums(weights: Any, x: Any) -> list[Any]:
    return weighted_sums(lambda x: (x, jnp.square(x)), weights, [x])


def value_counts(weights: Any, numbers: Any, count: int) -> list[Any]:
    def alike(numbers: Any) -> list[Any]:
        return [(numbers == number).astype("float32") for number in range(count)]

    return weighted_sums(alike, weights, [numbers])


def convolution_is_faster(layer: Any) -> bool:
    return jax.default_backend() == "cpu"


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
    kernel = jnp.asarray(kernel)
    outputs = jax_convolution.convolution(inputs, kernel, strides, padding, dilation)
    return relu(outputs if bias is None else outputs + jnp.asarray(bias), limit)


def max_pool_is_faster(layer: Any) -> bool:
    return False


def affine(x: Any, scale: Any, shift: Any) -> Any:
    return x * jnp.asarray(scale) + jnp.asarray(shift)


def relu(x: Any, limit: float | None) -> Any:
    if limit is None:
        return x
    return jax.nn.relu6(x) if limit == 6 else jax.nn.relu(x)


def normal(keys: Any, shape: tuple[int, ...]) -> Any:
    keys = jax.random.wrap_key_data(jnp.asarray(keys, "uint32"), impl="threefry2x32")
    return jax.vmap(lambda key: jax.random.normal(key, shape))(keys)


#: Arrays never change.
COPIES_ON_WRITE = True


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


def block_until_ready(x: Any) -> None:
    jax.block_until_ready(x)
