"""Calls of every public function and layer, by recipes and by guesses."""

import inspect
from collections.abc import Callable, Iterator, Sequence
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

_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


@dataclass(frozen=True)
class Call:
    """A function of tensors with the given shapes."""

    name: str
    function: Callable[..., Any]
    shapes: tuple[Shape, ...]

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
            yield _checked(_by_recipe(name, recipe))
    else:
        yield _guessed(name, value)


def _by_recipe(name: str, recipe: Recipe) -> Callable[[], Call]:
    full = f"{name} ({recipe.variant})" if recipe.variant else name
    return lambda: Call(full, recipe.make(), recipe.shapes)


def _checked(make: Callable[[], Call]) -> Call | Uncovered:
    """Return the call if it runs; otherwise its error."""
    call = None
    try:
        call = make()
        outputs = _run(call, "float")
    except Exception as error:
        return Uncovered(call.name if call else "a recipe", first_line(error))
    if not outputs:
        return Uncovered(call.name, "returns no real numbers", False)
    _set_weights(call.function)
    return call


def _guessed(name: str, value: Any) -> Call | Uncovered:
    """Return the first of the guessed calls that runs, or the first one's error."""
    errors = list[str]()
    try:
        guesses = list(_guesses(name, value))
    except Exception as error:
        return Uncovered(name, first_line(error))
    for call in guesses:
        found = _checked(lambda call=call: call)
        if isinstance(found, Call) or not found.is_differentiable:
            return found
        errors.append(found.reason)
    takes_integers = any(_takes_integers(call) for call in guesses)
    reason = "takes integers" if takes_integers else errors[0]
    return Uncovered(name, reason, not takes_integers)


def _guesses(name: str, value: Any) -> Iterator[Call]:
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
        yield Call(name, _with(_fresh(value, function), options), (shape,) * count)
    for shape in SHAPES:
        listed = _of_a_list(_with(_fresh(value, function), options))
        yield Call(name, listed, (shape,) * 2)


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


def _takes_integers(call: Call) -> bool:
    try:
        _run(call, "int32")
    except Exception:
        return False
    return True


def _run(call: Call, dtype: str) -> list[Any]:
    dtype = keras.config.floatx() if dtype == "float" else dtype
    arrays = generic(call.shapes)
    return call.floats(*(ops.convert_to_tensor(x.astype(dtype)) for x in arrays))


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
