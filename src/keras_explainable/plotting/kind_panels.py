"""Panels of inputs of any kind, with their maps above or without."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from keras_explainable.plotting import (
    colormaps,
    image_panels,
    signal_panels,
    table_panels,
    text_panels,
    volume_panels,
)
from keras_explainable.plotting.panels import WIDEST, Panel, Style

#: Ranks of single inputs of each kind; a batch in a list has one axis more.
RANKS: dict[str, tuple[int, int]] = {
    "image": (2, 3),
    "signal": (1, 2),
    "volume": (3, 4),
    "table": (1, 1),
    "text": (1, 1),
}

#: Ranks of arrays that are batches if they are alone.
_BATCH_RANKS: dict[str, tuple[int, ...]] = {
    "image": (4,),
    "signal": (2, 3),
    "volume": (5,),
    "table": (2,),
    "text": (2,),
}

_SHAPES = {
    "image": "(H, W), (H, W, C), or batches (B, H, W, C) with kind='image'",
    "signal": "(T,), (T, C), or batches (B, T) or (B, T, C) with kind='signal'",
    "volume": "(D, H, W), (D, H, W, C), or batches (B, D, H, W, C) with kind='volume'",
    "table": "(F,), or batches (B, F) with kind='table'",
    "text": "(T,), or batches (B, T) with kind='text'",
}


class Inputs(NamedTuple):
    """Inputs of one kind.

    Attributes:
        kind: The kind.
        arrays: Single inputs.
        maps: A map for each, or None.
        words: The words of each text, the names of each table's features, or None.
        are_maps: Whether each is a map; None where its values tell.
    """

    kind: str
    arrays: list[NDArray[Any]]
    maps: list[Any]
    words: list[Any]
    are_maps: list[bool | None]


def inputs_of(
    images: Any, overlays: Any, words: Any, kind: str, are_maps: Any
) -> Inputs:
    """Return what ``visualize`` was given; parameters are its.

    Raises:
        ValueError: If there is nothing, or a shape or number is wrong.
    """
    parts = _parts(images, kind)
    arrays = [array for part in parts for array in part]
    maps = _maps_above(arrays, overlays, kind)
    if len(maps) != len(arrays):
        raise ValueError(
            f"`overlays` must be as many as `images`, {len(arrays)}; "
            f"received {len(maps)}."
        )
    words = _words(words, arrays, kind)
    return Inputs(kind, arrays, maps, words, _flags(are_maps, parts))


def panels_of(inputs: Inputs, style: Style) -> list[Panel]:
    """Return the panels of all inputs."""
    each = zip(inputs.arrays, inputs.maps, inputs.words, inputs.are_maps, strict=True)
    return [
        panel
        for array, map_, words, is_map in each
        for panel in _panels_of(
            array, map_, words, inputs.kind, style._replace(maps=is_map)
        )
    ]


def tick_room(inputs: Inputs) -> tuple[float, float]:
    """Return the inches that the ticks of axes need, on their left and below."""
    if inputs.kind == "table":
        values = any(map_ is not None for map_ in inputs.maps)
        return table_panels.tick_room(inputs.arrays, inputs.words, values)
    return signal_panels.TICKS if inputs.kind == "signal" else (0.0, 0.0)


def widest(inputs: Inputs) -> float:
    """Return the largest width of a panel in inches, unless a size is given."""
    own = {"signal": signal_panels.WIDEST, "text": text_panels.WIDEST}
    beside = tick_room(inputs)[0] if inputs.kind == "table" else 0.0
    return own.get(inputs.kind, WIDEST + beside)


def columns_of_slices(
    arrays: list[NDArray[Any]], slices: int, rows: Any, cols: Any, titles: Any
) -> tuple[Any, Any]:
    """Return a column for each slice, with its number, unless others are given."""
    numbers = volume_panels.slice_numbers(len(arrays[0]), slices)
    if rows is None and cols is None:
        cols = len(numbers)
    same = len({len(array) for array in arrays}) == 1 and cols == len(numbers)
    if titles is None and same:
        titles = [f"slice {number}" for number in numbers]
    return cols, titles


def _panels_of(
    array: NDArray[Any], map_: Any, words: Any, kind: str, style: Style
) -> list[Panel]:
    if kind == "signal":
        return signal_panels.panels_of(array, map_, style)
    if kind == "volume":
        return volume_panels.panels_of(array, map_, style, style.slices)
    if kind == "table":
        return table_panels.panels_of(array, map_, style, words)
    if kind == "text":
        return text_panels.panels_of(words, map_, style)
    return image_panels.panels_of(array, map_, style)


def _words(words: Any, arrays: list[NDArray[Any]], kind: str) -> list[Any]:
    """Return what belongs to each input of ``words``."""
    if words is not None and kind not in ("text", "table"):
        raise ValueError(
            '`words` must be given with kind="text" or kind="table" only; '
            f"received it with kind={kind!r}."
        )
    lists = is_words_of_each(words)
    if lists and len(words) != len(arrays):
        raise ValueError(
            f"`words` must be as many lists as texts, {len(arrays)}; "
            f"received {len(words)}."
        )
    if kind == "text" and not lists:
        return [text_panels.words_of(array, words) for array in arrays]
    own = words if lists else [words] * len(arrays)
    return [
        _filled(each, len(array), kind) for each, array in zip(own, arrays, strict=True)
    ]


def is_words_of_each(words: Any) -> bool:
    """Return whether there are words of each text, and no vocabulary of all."""
    return words is not None and len(words) > 0 and not isinstance(words[0], str)


def _filled(words: Sequence[str] | None, count: int, kind: str) -> list[str] | None:
    """Return words, followed by those of padding."""
    if words is None:
        return None
    missing = count - len(words)
    if missing < 0 or (missing and kind == "table"):
        raise ValueError(
            f"`words` must be {count} for each input with kind={kind!r}, or fewer of "
            f"padded texts; received {len(words)}."
        )
    return [*map(str, words), *[""] * missing]


def _maps_above(arrays: list[NDArray[Any]], overlays: Any, kind: str) -> list[Any]:
    if overlays is None:
        return [None] * len(arrays)
    ranks: tuple[int, ...] = _BATCH_RANKS[kind]
    if RANKS[kind][1] <= 2:
        # The map (T, K) of a single signal has the rank of a batch.
        one = len(arrays) == 1 and len(overlays) != 1
        ranks = () if one else (2, 3, 4)
    return list(_as_list(overlays, ranks))


def _flags(are_maps: Any, parts: list[Sequence[Any]]) -> list[bool | None]:
    """Return whether each single input is a map, as was given for all or for parts."""
    alone = are_maps is None or isinstance(are_maps, bool | np.bool_)
    given = [are_maps] * len(parts) if alone else [*are_maps]
    if len(given) != len(parts):
        raise ValueError(
            f"`maps` must be one value, or one for each of {len(parts)} elements of "
            f"`images`; received {len(given)}."
        )
    pairs = zip(given, parts, strict=True)
    return [None if flag is None else bool(flag) for flag, part in pairs for _ in part]


def _parts(images: Any, kind: str) -> list[Sequence[NDArray[Any]]]:
    """Return the single inputs and maps in each element, which may be a batch."""
    low, high = RANKS[kind]
    found: list[Sequence[NDArray[Any]]] = []
    for item in _as_list(images, _BATCH_RANKS[kind]):
        array = colormaps.to_numpy(item)
        if not low <= array.ndim <= high + 1 or not array.size:
            raise ValueError(
                f"`images` must be {_SHAPES[kind]}; received shape {array.shape}."
            )
        found.append([*array] if array.ndim > high else [array])
    if not found:
        raise ValueError("`images` must hold at least one image or map; received none.")
    return found


def _as_list(images: Any, batch_ranks: tuple[int, ...]) -> Iterable[Any]:
    """Return lists and batches as they are, anything else in a list."""
    if hasattr(images, "shape") and len(images.shape) in batch_ranks:
        return colormaps.to_numpy(images)
    single = hasattr(images, "shape") or hasattr(images, "convert")
    return [images] if single else images
