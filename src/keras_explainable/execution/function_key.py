"""Recognizing a function that would compute the same again, to compile it only once.

A function of the user's may read variables around it, which may change between two
calls. Its key therefore holds their values.
"""

import dis
import functools
import hashlib
from collections import deque
from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import suppress
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType
from typing import Any

import keras
import numpy as np
from keras import ops

#: How deep functions and containers may be nested.
DEPTH = 4

_PLAIN = (type(None), bool, int, float, complex, str, bytes, type(...))
_VALUES = (*_PLAIN, np.ndarray, np.generic)

#: Containers of values that are compared one by one.
_CONTAINERS = (Mapping, list, tuple, deque)

#: Packages whose modules and classes do not change. A user's may hold settings.
_PACKAGES = {
    "builtins", "jax", "jaxlib", "keras", "keras_explainable", "math", "numpy",
    "tensorflow", "torch",
}  # fmt: skip


#: Names of methods that change what a container holds.
_FILLING = {"add", "append", "appendleft", "clear", "extend", "insert", "pop", "update"}

#: Names of the instructions that set a variable around a function.
_STORING = ("STORE_DEREF", "STORE_GLOBAL")


class _UnknownValueError(Exception):
    """Raised for a value whose later changes would not be noticed."""


def function_key(function: Any) -> Hashable | None:
    """Return a key, equal for functions that compute the same at the time of the call.

    None for anything that may change unnoticed, such as a callable object or a function
    that reads a layer's weights.
    """
    try:
        return _key(function, DEPTH)
    except _UnknownValueError:
        return None


def instructions_and_variables(function: FunctionType, depth: int = 2) -> Hashable:
    """Return a function's instructions, and what it reads around it, by name.

    That is numbers, texts, arrays, variables of Keras, and other functions. What it
    sets or fills itself is left out: a function that counts its calls would have
    another key each time.
    """
    code, cells = function.__code__, function.__closure__ or ()
    stored, every = names_stored(code, *_STORING), {*_names_in(code)}
    names = every & function.__globals__.keys()
    known = {name: function.__globals__[name] for name in names} | vars(function)
    for name, cell in zip(code.co_freevars, cells, strict=True):
        with suppress(ValueError):  # A cell that has no value yet.
            known[name] = cell.cell_contents
    read = {name: x for name, x in known.items() if name not in stored}
    if every & _FILLING or names_stored(code, "STORE_SUBSCR"):
        read = {n: x for n, x in read.items() if not isinstance(x, _CONTAINERS)}
    found = [(name, _known(x, depth, every)) for name, x in sorted(read.items())]
    return code, *found


def _known(value: Any, depth: int, names: set[str]) -> Hashable:
    """Return a value, or what a function or an object holds; None for what is unknown.

    Args:
        value: What a function reads.
        depth: How deep functions and containers are followed.
        names: Names in the function, of which some are attributes.
    """
    if isinstance(value, keras.Variable):  # JAX compiles its value in.
        value = ops.convert_to_tensor(value)
    if isinstance(value, _VALUES) or ops.is_tensor(value):
        with suppress(_UnknownValueError):
            return _key(value, 2)
    if depth <= 0 or isinstance(value, keras.Layer) or _is_fixed(value):
        return id(value)
    if isinstance(value, FunctionType):
        return instructions_and_variables(value, depth - 1)
    return tuple(
        (name, _known(x, depth - 1, names)) for name, x in _parts(value, names)
    )


def _is_fixed(value: Any) -> bool:
    """Return whether a package defines what a value is: it holds no settings."""
    if isinstance(value, _CONTAINERS):
        return False
    if isinstance(value, FunctionType):
        return (value.__module__ or "").partition(".")[0] in _PACKAGES
    return is_of_package(value if isinstance(value, type | ModuleType) else type(value))


def _parts(value: Any, names: set[str]) -> list[tuple[Any, Any]]:
    """Return what a container, an object, a class or a module holds."""
    if isinstance(value, Mapping):
        return [*value.items()]
    if isinstance(value, _CONTAINERS):
        return [*enumerate(value)]
    if isinstance(value, type | ModuleType):  # Too much to compare all of it.
        return [
            (name, getattr(value, name))
            for name in sorted(names)
            if hasattr(value, name)
        ]
    return attributes(value)


def attributes(value: Any) -> list[tuple[str, Any]]:
    """Return the attributes of an object by name, also those in ``__slots__``."""
    found = dict[str, Any]()
    for kind in type(value).__mro__:
        slots = getattr(kind, "__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            with suppress(Exception):  # It is not set, or cannot be read.
                found[name] = getattr(value, name)
    found.pop("__weakref__", None)  # It is set by what compares the object.
    return [*(found | getattr(value, "__dict__", {})).items()]


@functools.cache
def names_stored(code: CodeType, *instructions: str) -> frozenset[str]:
    """Return the names that a function sets by instructions such as STORE_GLOBAL."""
    found = dis.get_instructions(code)
    return frozenset(x.argval for x in found if x.opname in instructions)


def _key(value: Any, depth: int) -> Hashable:
    if isinstance(value, _PLAIN):
        return type(value), value
    if isinstance(value, np.ufunc) or is_of_package(value) or _is_builtin(value):
        return value
    if depth == 0:
        raise _UnknownValueError
    if isinstance(value, functools.partial):
        return _key((value.func, value.args, value.keywords), depth)
    if isinstance(value, FunctionType):
        return _key_of_function(value, depth - 1)
    if isinstance(value, Mapping):
        return tuple((name, _key(item, depth - 1)) for name, item in value.items())
    if isinstance(value, list | tuple):
        return type(value), _keys(value, depth - 1)
    if isinstance(value, np.ndarray | np.generic) or ops.is_tensor(value):
        return _key_of_array(value)
    raise _UnknownValueError


def _is_builtin(value: Any) -> bool:
    """Return whether it is a function of C, and not a method such as ``dict.get``."""
    owner = getattr(value, "__self__", None)
    return isinstance(value, BuiltinFunctionType) and isinstance(
        owner, ModuleType | None
    )


def is_of_package(value: Any) -> bool:
    """Return whether it is a class or module of a package, whose code is fixed."""
    if not isinstance(value, type | ModuleType):
        return False
    name = value.__module__ if isinstance(value, type) else value.__name__
    return name.split(".")[0] in _PACKAGES


def _keys(values: Sequence[Any], depth: int) -> Hashable:
    return tuple(_key(value, depth) for value in values)


def _key_of_function(function: FunctionType, depth: int) -> Hashable:
    cells = function.__closure__ or ()
    try:
        nonlocals = [cell.cell_contents for cell in cells]
    except ValueError as error:  # A cell that has no value yet.
        raise _UnknownValueError from error
    names = {*_names_in(function.__code__)} & function.__globals__.keys()
    values = {name: function.__globals__[name] for name in sorted(names)}
    known = values, nonlocals, function.__defaults__, function.__kwdefaults__
    return function.__code__, _keys(known, depth + 1)


def _names_in(code: CodeType) -> Iterator[str]:
    """Yield the names that a function reads, also in functions defined within it."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names_in(constant)


def _key_of_array(value: Any) -> Hashable:
    try:
        array = ops.convert_to_numpy(value)
    except Exception as error:  # A symbolic tensor has no values.
        raise _UnknownValueError from error
    if array.dtype == object:
        raise _UnknownValueError
    digest = hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()
    return array.shape, array.dtype.name, digest
