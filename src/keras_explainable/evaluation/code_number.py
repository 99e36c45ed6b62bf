"""A number that tells functions of one name apart, also in another process."""

import zlib
from collections.abc import Iterator
from contextlib import suppress
from types import CodeType, FunctionType
from typing import Any

import numpy as np

_PLAIN = (type(None), bool, int, float, complex, str, bytes)


def code_number(function: Any) -> str:
    """Return eight digits for what a function does, and for values that it holds.

    They are those of its instructions, defaults and closure; of a callable object, of
    its ``__call__`` and its attributes. Values other than numbers, texts and arrays do
    not count, since their texts may change.
    """
    return f"{zlib.crc32(b'|'.join(_parts(function, 3))):08x}"


def _parts(value: Any, depth: int) -> Iterator[bytes]:
    if isinstance(value, np.ndarray | np.generic):
        array = np.ascontiguousarray(value)
        yield f"{array.shape}{array.dtype}".encode() + array.tobytes()
    elif isinstance(value, _PLAIN):
        yield repr(value).encode()
    elif depth and isinstance(value, CodeType):
        yield value.co_code
        for each in (value.co_names, value.co_consts):
            yield from _parts(each, depth)
    elif depth and isinstance(value, tuple):
        for each in value:
            yield from _parts(each, depth - 1)
    elif depth:
        yield from _of_callable(value, depth - 1)


def _of_callable(value: Any, depth: int) -> Iterator[bytes]:
    function = value if isinstance(value, FunctionType) else type(value).__call__
    if not isinstance(function, FunctionType):
        return
    yield from _parts(function.__code__, depth)
    held = () if function is value else vars(value).values()
    values = [*_contents(function), *held]
    for each in (function.__defaults__, *_defaults(function), *values):
        if not isinstance(each, list | dict):  # Such as one that counts calls.
            yield from _parts(each, depth)


def _defaults(function: FunctionType) -> list[tuple[str, Any]]:
    return sorted((function.__kwdefaults__ or {}).items())


def _contents(function: FunctionType) -> Iterator[Any]:
    for cell in function.__closure__ or ():
        with suppress(ValueError):  # A cell that has no value yet.
            yield cell.cell_contents
