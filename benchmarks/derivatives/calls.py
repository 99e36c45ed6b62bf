"""Calls of every public function and layer, by recipes and by guesses."""

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from benchmarks.derivatives.guesses import ARGUMENTS, SHAPES
from benchmarks.derivatives.namespaces import is_layer
from benchmarks.derivatives.points import generic
from benchmarks.derivatives.recipe import Recipe, Shape, Wrapped
from benchmarks.derivatives.recipes import NOT_DIFFERENTIABLE, RECIPES

#: Precisions that are tried.
DTYPES = ("float64", "float32")

INTEGERS = "takes integers"

_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


@dataclass(frozen=True)
class Call:
    """A function of tensors with the given shapes."""

    name: str
    function: Callable[..., Any]
    shapes: tuple[Shape, ...]
    dtype: str = "float64"

    def floats(self, *tensors: Any) -> list[Any]:
        """Return what is real or complex of the function's outputs, as real tensors."""
        outputs = keras.tree.flatten(self.function(*tensors, **self._mode()))
        return [real for x in outputs if _is_tensor(x) for real in _real_parts(x)]

    def _mode(self) -> dict[str, bool]:
        """Return that this is not training, for what acts in training by default."""
        layer = getattr(self.function, "wrapped", self.function)
        is_layer = isinstance(layer, keras.layers.Layer)
        return {"training": False} if is_layer and _has_training(layer.call) else {}


@dataclass(frozen=True)
class Uncovered:
    """A name that is not called, and why."""

    name: str
    reason: str
    is_differentiable: bool = True


def calls_of(name: str, value: Any) -> Iterator[Call | Uncovered]:
    """Yield the calls of a function or layer, at least one or why there is none."""
    if reason := NOT_DIFFERENTIABLE.get(name):
        yield Uncovered(name, reason, False)
    elif recipes := RECIPES.get(name):
        for recipe in recipes:
            yield _called_by(name, recipe)
    else:
        yield _guessed(name, value)


def _called_by(name: str, recipe: Recipe) -> Call | Uncovered:
    """Return the call in float64, or in float32 if only that runs."""
    full = f"{name} ({recipe.variant})" if recipe.variant else name
    for dtype in DTYPES:
        with precision_of(dtype):
            try:
                found = _checked(Call(full, recipe.make(), recipe.shapes, dtype))
            except Exception as error:
                found = Uncovered(full, first_line(error))
        if isinstance(found, Call) or not found.is_differentiable:
            break
    return found


@contextmanager
def precision_of(dtype: str) -> Iterator[None]:
    """Make and call layers of a precision."""
    before = keras.config.floatx(), keras.config.dtype_policy()
    keras.config.set_floatx(dtype)
    keras.config.set_dtype_policy(dtype)
    try:
        yield
    finally:
        keras.config.set_floatx(before[0])
        keras.config.set_dtype_policy(before[1])


def _checked(call: Call) -> Call | Uncovered:
    """Return the call if it runs; otherwise its error."""
    try:
        outputs = _run(call)
    except Exception as error:
        return Uncovered(call.name, first_line(error))
    if not outputs:
        return Uncovered(call.name, "returns no real numbers", False)
    _set_weights(call.function)
    return call


def _guessed(name: str, value: Any) -> Call | Uncovered:
    """Return the first of the guessed calls that runs, or the first one's error."""
    errors = list[str]()
    for dtype in (*DTYPES, "int32"):
        try:
            with precision_of("float32" if dtype == "int32" else dtype):
                for call in _guesses(name, value, dtype):
                    found = _checked(call)
                    if isinstance(found, Call) or not found.is_differentiable:
                        integers = dtype == "int32"
                        return Uncovered(name, INTEGERS, False) if integers else found
                    errors.append(found.reason)
        except Exception as error:
            errors.append(first_line(error))
    return Uncovered(name, errors[0])


def _guesses(name: str, value: Any, dtype: str) -> Iterator[Call]:
    """Yield calls with several shapes; of lists of two tensors, after those."""
    function = value
    if is_layer(value):
        function = value(**_known(value, name))
        count, options = len(_required(function.call)) or 1, {}
    else:
        required = _required(value)
        options = {key: ARGUMENTS[key] for key in required if key in ARGUMENTS}
        count = len(required) - len(options)
    if count == 0:
        raise TypeError("takes no tensors")
    for shape in SHAPES:
        yield Call(
            name, _with(_fresh(value, function), options), (shape,) * count, dtype
        )
    for shape in SHAPES:
        listed = _of_a_list(_with(_fresh(value, function), options))
        yield Call(name, listed, (shape,) * 2, dtype)


def _fresh(value: Any, function: Any) -> Any:
    """Return a layer that is not built yet, as each shape needs one."""
    return (
        type(function).from_config(function.get_config())
        if is_layer(value)
        else function
    )


def _with(function: Any, options: dict[str, Any]) -> Any:
    return (
        (lambda *tensors: _bound(function, tensors, options)) if options else function
    )


def _bound(function: Any, tensors: Sequence[Any], options: dict[str, Any]) -> Any:
    """Pass tensors for those required arguments that have no guess."""
    names = [key for key in _required(function) if key not in options]
    return function(**dict(zip(names, tensors, strict=True)), **options)


def _of_a_list(function: Any) -> Any:
    return Wrapped(function, lambda *x, **mode: function(list(x), **mode))


def _known(layer: Any, name: str) -> dict[str, Any]:
    """Return guesses for the arguments that a layer's constructor needs."""
    required = _required(layer)
    if unknown := [key for key in required if key not in ARGUMENTS]:
        raise TypeError(f"no guess for the argument {unknown[0]!r} of {name}")
    return {key: ARGUMENTS[key] for key in required}


def _required(function: Any) -> list[str]:
    """Return the names of arguments without a default."""
    parameters = inspect.signature(function).parameters.values()
    needed = (x for x in parameters if x.default is x.empty)
    return [x.name for x in needed if x.kind not in _VARIADIC]


def _run(call: Call) -> list[Any]:
    return call.floats(*map(ops.convert_to_tensor, generic_inputs(call)))


def generic_inputs(call: Call) -> list[np.ndarray]:
    """Return generic inputs in the precision of the call."""
    return [x.astype(call.dtype) for x in generic(call.shapes)]


def _set_weights(function: Any) -> None:
    """Give a layer the same weights on every backend, all of them positive."""
    layer = getattr(function, "wrapped", function)
    if isinstance(layer, keras.layers.Layer):
        random = np.random.default_rng(2)
        layer.set_weights([random.uniform(0.1, 0.9, w.shape) for w in layer.weights])


def _has_training(function: Any) -> bool:
    return "training" in inspect.signature(function).parameters


def _is_tensor(x: Any) -> bool:
    return ops.is_tensor(x) or isinstance(x, keras.KerasTensor)


def _real_parts(x: Any) -> list[Any]:
    dtype = keras.backend.standardize_dtype(x.dtype)
    if dtype.startswith("complex"):
        return [ops.real(x), ops.imag(x)]
    return [x] if keras.backend.is_float_dtype(dtype) else []


def first_line(error: Exception) -> str:
    """Return the first line of an error that says something."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0][:150] if lines else ''}"
