"""One compiled step for each function, model and shape, cached with the model."""

import functools
import inspect
import weakref
import zlib
from collections.abc import Callable, Hashable, Mapping
from types import FunctionType
from typing import Any

import numpy as np
from keras import ops

from keras_explainable import backend
from keras_explainable.common.structures import Nested, map_structure
from keras_explainable.common.warnings import warn
from keras_explainable.execution.device_rows import compiled_over_devices
from keras_explainable.execution.function_key import instructions_and_variables
from keras_explainable.execution.model_cache import ModelCache
from keras_explainable.execution.out_of_memory import retry_with_fewer_rows
from keras_explainable.types import Method, Model, Tensor

_cache = ModelCache(capacity=16)

_OWN = __name__.partition(".")[0]

#: Arrays with more values are described by a checksum.
_SHOWN_VALUES = 16


def compiled(function: Callable[..., Any], model: Model) -> Callable[..., Any]:
    """Return ``function(model, *tensors)`` as a compiled function of the tensors.

    It is compiled once for each shape of them, and cached while the model lives. A
    function that cannot be traced runs eagerly, with a warning. One that runs out of
    memory continues with fewer rows, the first axis of all tensors, at once.
    """
    key = "rows", _cache_key(function)
    return _cache.get(model, key, lambda: _row_step(function, model))


def compiled_unsplit(
    function: Callable[..., Any], model: Model, *sharing: Callable[..., Any]
) -> Callable[..., Any]:
    """Return the same as `compiled` for tensors that cannot be split into rows.

    Devices share them in the way that two functions say, as in `compiled_over_devices`.
    """
    shared = functools.partial(compiled_over_devices, sharing=sharing)
    make = functools.partial(_step, function, model, *[shared] * bool(sharing))
    return _cache.get(model, _cache_key(function), make)


def run_once(function: Callable[..., Any], model: Model) -> Callable[..., Any]:
    """Return the same as `compiled` for a single call.

    It runs eagerly where that takes less time than compiling it.
    """
    if not backend.COMPILING_OUTLASTS_A_RUN:
        return compiled(function, model)

    def run(*tensors: Tensor) -> Any:
        with backend.state_kept():
            return function(model, *tensors)

    return retry_with_fewer_rows(run)


def invalidate(model: Model) -> None:
    """Drop the steps compiled for a model that has changed."""
    _cache.invalidate(model)


def call_method(
    method: Method,
    model: Model,
    inputs: Nested,
    indices: Tensor | None,
    params: Mapping[str, Any],
    *,
    results: int = 2,
    **context: Any,
) -> tuple[Tensor, ...]:
    """Return the results of ``method``, compiled unless it loops on the host.

    A method that loops has a parameter ``rows``. It receives those of the ``context``
    (``rows``, ``ids``, ``progress``) that it accepts.
    """
    accepts = functools.partial(accepts_parameter, method)
    if accepts("rows"):
        own = {name: context[name] for name in filter(accepts, context)}
        returned = method(model, inputs, indices, **own, **params)
    else:
        step = compiled(functools.partial(method, **params), model)
        indices = None if indices is None else ops.convert_to_tensor(indices)
        returned = step(map_structure(ops.convert_to_tensor, inputs), indices)
    return _checked(returned, method, results)


def accepts_parameter(function: Callable[..., Any], name: str) -> bool:
    """Return whether ``function`` has a parameter called ``name``."""
    try:
        return name in inspect.signature(function).parameters
    except (TypeError, ValueError):  # Some builtins have no signature.
        return False


def display_name(function: Any) -> str:
    """Return a name to show for any callable.

    A partial has the name of the first callable among its arguments, else that of its
    function.
    """
    while isinstance(function, functools.partial):
        function = next(filter(callable, function.args), function.func)
    return str(getattr(function, "__name__", type(function).__name__))


def _row_step(function: Callable[..., Any], model: Model) -> Callable[..., Any]:
    return retry_with_fewer_rows(_step(function, model, compiled_over_devices))


def _step(
    function: Callable[..., Any],
    model: Model,
    compile_function: Callable[..., Any] = backend.compiled,
) -> Callable[..., Any]:
    reference = weakref.ref(model)
    run = compile_function(function, model)

    def run_eagerly(*tensors: Tensor) -> Any:
        with backend.state_kept():
            return function(reference(), *tensors)

    def step(*tensors: Tensor) -> Any:
        nonlocal run
        try:
            return run(*tensors)
        except backend.TRACING_ERRORS as error:
            result = run_eagerly(*tensors)  # Raises if it is wrong anyway.
            run = run_eagerly
            _warn_eager(function, error)
            return result

    return step


def _warn_eager(function: Callable[..., Any], error: Exception) -> None:
    reason = (str(error).splitlines() or [type(error).__name__])[0]
    warn(
        f"{display_name(function)!r} cannot be compiled and runs eagerly, which is "
        f"slower: {reason}"
    )


def describe(function: Any) -> str:
    """Return the display name of a callable, with the parameters of a partial."""
    params: dict[str, str] = {}
    while isinstance(function, functools.partial):
        own = {name: _described(value) for name, value in function.keywords.items()}
        params = own | params
        function = function.func
    listed = ", ".join(f"{name}={text}" for name, text in sorted(params.items()))
    return f"{display_name(function)}({listed})" if params else display_name(function)


def _described(value: Any) -> str:
    if isinstance(value, np.ndarray) and value.size > _SHOWN_VALUES:
        number = zlib.crc32(np.ascontiguousarray(value).tobytes())
        return f"array{value.shape} {number:08x}"  # Others have another number.
    return describe(value) if callable(value) else repr(value)


def _checked(results: Any, method: Method, count: int) -> tuple[Tensor, ...]:
    if not isinstance(results, tuple | list) or len(results) != count:
        raise TypeError(
            f"`method` must return (logits, maps); {display_name(method)!r} returned "
            f"{type(results).__name__}."
        )
    return tuple(results)


def _cache_key(value: Any) -> Hashable:
    """Return a hashable key, equal for equal partials of one function.

    A user's function may read numbers around it, which are part of its key.
    """
    if isinstance(value, functools.partial):
        params = tuple((k, _cache_key(v)) for k, v in sorted(value.keywords.items()))
        return _cache_key(value.func), tuple(map(_cache_key, value.args)), params
    if isinstance(value, FunctionType) and not str(value.__module__).startswith(_OWN):
        return value, instructions_and_variables(value)
    try:
        hash(value)
    except TypeError:
        # The compiled function holds the object, so its id is not reused meanwhile.
        return type(value), id(value)
    return type(value), value
