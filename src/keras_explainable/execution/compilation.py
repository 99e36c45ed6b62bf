"""One compiled step for each function, model and shape, kept while the model lives."""

import functools
import inspect
import weakref
from collections.abc import Callable, Hashable, Mapping
from typing import Any

from keras import ops

from keras_explainable import backend
from keras_explainable.common.structures import Nested, map_structure
from keras_explainable.common.warnings import warn
from keras_explainable.execution.model_cache import ModelCache
from keras_explainable.execution.out_of_memory import retry_with_fewer_rows
from keras_explainable.types import Method, Model, Tensor

_cache = ModelCache(capacity=16)


def compiled(function: Callable[..., Any], model: Model) -> Callable[..., Any]:
    """Return ``function(model, *tensors)`` as a compiled function of the tensors.

    It is compiled once for each shape of them, and kept as long as the model lives.
    A function that cannot be traced runs eagerly, with a warning. One that runs out of
    memory goes on with fewer rows at once: the first axis of all tensors is the rows.
    """
    return _kept_for(model, function, retry_with_fewer_rows)


def compiled_unsplit(function: Callable[..., Any], model: Model) -> Callable[..., Any]:
    """Return the same for tensors that cannot be cut in rows."""
    return _kept_for(model, function, _as_it_is)


def _as_it_is(run: Callable[..., Any]) -> Callable[..., Any]:
    return run


def _kept_for(
    model: Model, function: Callable[..., Any], finish: Callable[..., Any]
) -> Callable[..., Any]:
    key = finish, _identity(function)
    return _cache.get(model, key, lambda: finish(_compile(function, model)))


def invalidate(model: Model) -> None:
    """Drop what was compiled for a model that has changed."""
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
    """Return what ``method`` returns: compiled if it can be, looping if it loops.

    A method with a parameter ``rows`` (a meta method) runs its own loop on the host
    and is told its ``context``: of ``rows``, ``ids``, ``progress`` what it accepts.
    """
    if accepts_parameter(method, "rows"):
        known = {
            name: value
            for name, value in context.items()
            if accepts_parameter(method, name)
        }
        return _checked(
            method(model, inputs, indices, **known, **params), method, results
        )
    step = compiled(functools.partial(method, **params), model)
    inputs = map_structure(ops.convert_to_tensor, inputs)
    indices = None if indices is None else ops.convert_to_tensor(indices)
    return _checked(step(inputs, indices), method, results)


def accepts_parameter(function: Callable[..., Any], name: str) -> bool:
    """Return whether ``function`` has a parameter called ``name``."""
    try:
        return name in inspect.signature(function).parameters
    except (TypeError, ValueError):  # Some builtins have no signature.
        return False


def display_name(function: Any) -> str:
    """Return a name to show for any callable, also a partial or an object.

    A partial has the name of the function that it was given, if it was given one.
    """
    while isinstance(function, functools.partial):
        function = next(filter(callable, function.args), function.func)
    return str(getattr(function, "__name__", type(function).__name__))


def _compile(function: Callable[..., Any], model: Model) -> Callable[..., Any]:
    reference = weakref.ref(model)
    run = backend.compiled(function, model)

    def step(*tensors: Tensor) -> Any:
        nonlocal run
        try:
            return run(*tensors)
        except backend.TRACING_ERRORS as error:
            result = function(reference(), *tensors)  # Raises if it is plainly wrong.
            run = functools.partial(_call, function, reference)
            _warn_of_eager(function, error)
            return result

    return step


def _call(
    function: Callable[..., Any], model: Callable[[], Model], *tensors: Any
) -> Any:
    return function(model(), *tensors)


def _warn_of_eager(function: Callable[..., Any], error: Exception) -> None:
    reason = (str(error).splitlines() or [type(error).__name__])[0]
    warn(
        f"{display_name(function)!r} cannot be compiled and runs eagerly, which is slower: "
        f"{reason}"
    )


def describe(function: Any) -> str:
    """Return the name of a callable, with the parameters of a partial."""
    params: dict[str, str] = {}
    while isinstance(function, functools.partial):
        texts = {
            k: describe(v) if callable(v) else repr(v)
            for k, v in function.keywords.items()
        }
        params = texts | params
        function = function.func
    listed = ", ".join(f"{name}={text}" for name, text in sorted(params.items()))
    return f"{display_name(function)}({listed})" if params else display_name(function)


def _checked(result: Any, method: Method, count: int) -> tuple[Tensor, ...]:
    if not isinstance(result, tuple | list) or len(result) != count:
        raise TypeError(
            f"`method` must return (logits, maps); {display_name(method)!r} returned "
            f"{type(result).__name__}."
        )
    return tuple(result)


def _identity(value: Any) -> Hashable:
    """Return a key that is equal for equal partials of one function."""
    if isinstance(value, functools.partial):
        params = tuple((k, _identity(v)) for k, v in sorted(value.keywords.items()))
        return _identity(value.func), tuple(map(_identity, value.args)), params
    try:
        hash(value)
    except TypeError:
        # The compiled function holds the object, so no other gets its id meanwhile.
        return type(value), id(value)
    return type(value), value
