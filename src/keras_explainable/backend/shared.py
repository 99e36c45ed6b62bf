"""Parts that two or all three of the backends share, written in ``keras.ops``."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import keras
from keras import ops

from keras_explainable.common.structures import is_float

#: Shapes for which a compiled function is cached; the least recently used goes first.
CACHED_SHAPES = 32

#: Above this number of units a compiled loop is smaller, and sooner compiled, than the
#: unrolled program.
UNROLLED_UNITS = 8


@contextmanager
def state_kept(values: Sequence[tuple[Any, Any]] = ()) -> Iterator[None]:
    """Drop what a network writes to its variables, such as seeds and recurrent states.

    Args:
        values: Pairs of a variable and the value to read in its place. Within another
            such scope, variables without one keep the value that they have there.
    """
    scope = keras.StatelessScope(values)
    with scope:
        if scope.original_scope is not None:
            outer = scope.original_scope.state_mapping
            scope.state_mapping = outer | scope.state_mapping
        yield


def vjp_of_floats(vjp: Any, function: Callable[[Any], Any], inputs: Any) -> Any:
    leaves = keras.tree.flatten(inputs)
    places = [place for place, x in enumerate(leaves) if is_float(x)]
    if len(places) == len(leaves):
        return vjp(function, inputs)

    def of_floats(floats: list[Any]) -> Any:
        given = list(leaves)
        for place, x in zip(places, floats, strict=True):
            given[place] = x
        return function(keras.tree.pack_sequence_as(inputs, given))

    outputs, pull, others = vjp(of_floats, [leaves[place] for place in places])

    def pullback(cotangent: Any) -> Any:
        gradients = [ops.zeros(x.shape, outputs.dtype) for x in leaves]
        for place, gradient in zip(places, pull(cotangent), strict=True):
            gradients[place] = gradient
        return keras.tree.pack_sequence_as(inputs, gradients)

    return outputs, pullback, others


def cache_per_shape(compile_function: Callable[[], Any]) -> Callable[[Any], Any]:
    """Return a function from tensors to the program compiled for their shapes.

    The frameworks' own caches do not serve: JAX's holds thousands of programs, and
    TensorFlow warns of a function that is traced often.
    """

    @lru_cache(CACHED_SHAPES)
    def cached(signature: Any) -> Any:
        return compile_function()

    return lambda tensors: cached(_signature(tensors))


def _signature(tensors: Any) -> Any:
    leaves = keras.tree.flatten(tensors)
    return tuple(x if x is None else (tuple(x.shape), x.dtype) for x in leaves)


def unchanged(x: Any) -> Any:
    return x


def stack_unrolled(function: Callable[[Any], Any], count: int) -> Any:
    units = [function(unit) for unit in range(count)]
    return keras.tree.map_structure(lambda *maps: ops.stack(maps, axis=-1), *units)


def weighted_sum(weights: Any, x: Any) -> Any:
    rows = ops.reshape(x, (*weights.shape, -1))
    sums = ops.sum(rows * ops.cast(weights, x.dtype)[..., None], axis=0)
    return ops.reshape(sums, (-1, *x.shape[1:]))


def weighted_sums(
    function: Callable[..., Any], weights: Any, values: Sequence[Any]
) -> list[Any]:
    return [weighted_sum(weights, x) for x in function(*values)]


def power_sums(weighted_sums: Any, weights: Any, x: Any) -> Any:
    return weighted_sums(lambda x: (x, ops.square(x)), weights, [x])


def value_counts(weighted_sums: Any, weights: Any, numbers: Any, count: int) -> Any:
    def indicators(numbers: Any) -> list[Any]:
        return [ops.cast(numbers == value, "float32") for value in range(count)]

    return weighted_sums(indicators, weights, [numbers])


def relu(x: Any, limit: float | None) -> Any:
    if limit is None:
        return x
    return ops.relu6(x) if limit == 6 else ops.relu(x)
