"""The maps of an explanation over its images, signals or volumes."""

import base64
import io
from collections.abc import Sequence
from functools import reduce
from html import escape
from operator import getitem
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from keras_explainable.common import checks
from keras_explainable.engine.data_iterators import is_stream
from keras_explainable.engine.explanation import table
from keras_explainable.engine.explanation.facts import Facts
from keras_explainable.engine.explanation.inputs import (
    InputName,
    by_input,
    images_of,
    map_rank,
)
from keras_explainable.plotting import colormaps, picture_output
from keras_explainable.plotting.chosen_maps import Chosen, choose
from keras_explainable.plotting.image_range import range_of
from keras_explainable.plotting.kind_panels import is_words_of_each
from keras_explainable.plotting.visualize import visualize

#: The most maps that a notebook shows.
THUMBNAILS = 12

#: Their pixels per inch, fewer than the picture has, for sharp screens.
POINTS = 60

#: The most features that a picture shows as bars.
_MOST_FEATURES = 64

_COLUMNS = {"image": 4, "table": 4}

#: Options that arrange maps in another grid than a row for each image.
_GRID = ("rows", "cols", "titles")

_KINDS: dict[int, Literal["image", "signal", "volume"]]
_KINDS = {1: "signal", 2: "image", 3: "volume"}


class _Drawn(NamedTuple):
    """Inputs (..., C) and the map of each, without an axis of units."""

    chosen: Chosen
    images: list[NDArray[Any]]
    maps: list[NDArray[Any]]


def plot(
    results: tuple[Any, ...],
    facts: Facts,
    images: Any,
    input_name: InputName,
    most: int,
    options: dict[str, Any],
) -> None:
    """Draw an explanation; parameters are those of ``Explanation.plot``."""
    checks.integer("most", most, 1)
    _draw(_drawn(results, facts, images, input_name, most), options)


def html(results: tuple[Any, ...], facts: Facts) -> str | None:
    """Return the first maps over their images; None if they cannot be drawn."""
    buffer = io.BytesIO()
    try:
        drawn = _drawn(results, facts, None, None, THUMBNAILS)
        picture = _draw(drawn, {"to_buffer": buffer})
    except (ImportError, ValueError):  # There is a table, which shows anything.
        return None
    caption = table.caption(results[0], facts, len(drawn.maps), "")
    data = base64.b64encode(buffer.getvalue()).decode()
    titles = "; ".join(drawn.chosen.titles)
    width = round(picture.width * POINTS / picture_output.DPI)
    return (
        f'<figure><img alt="{escape(titles)}" width="{width}" style="max-width: 100%" '
        f'src="data:image/png;base64,{data}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def _draw(drawn: _Drawn, options: dict[str, Any]) -> Any:
    """Draw a picture, and return it as ``visualize`` does."""
    words = options.get("words")
    kind = options.get("kind") or _kind(drawn, words)
    settings: dict[str, Any] = {
        "title_fontsize": 8,
        "note": drawn.chosen.note,
        **_panels(drawn, kind, options),
        **options,
        "kind": kind,
        "words": _words_of(drawn, words),
    }
    return visualize(settings.pop("images"), **settings)


def _panels(drawn: _Drawn, kind: str, options: dict[str, Any]) -> dict[str, Any]:
    """Return inputs, their maps, titles and columns, as ``visualize`` takes them."""
    maps, chosen = drawn.maps, drawn.chosen
    panels = {"images": drawn.images, "overlays": maps}
    if kind == "volume":  # Whose slices are in columns.
        return panels | {"row_labels": chosen.titles}
    if kind == "image":
        panels = _dimmed_below_maps(drawn.images, maps)
        if chosen.units > 1 and not any(options.get(name) for name in _GRID):
            return panels | _rows_of_units(drawn)
    if kind == "signal" and maps[0].ndim == 2:
        panels["overlays"] = [map_[..., None] for map_ in maps]
    columns = _COLUMNS.get(kind, 1)
    if kind == "table" and chosen.units > 1:
        columns = chosen.units
    return panels | {"titles": chosen.titles, "cols": min(columns, len(maps))}


def _dimmed_below_maps(images: list[Any], maps: list[Any]) -> dict[str, Any]:
    alike = range_of(images)  # So that they can be compared.
    dimmed = [colormaps.dim(alike.to_bytes(each)) for each in images]
    opacity = colormaps.ALPHA_ABOVE_DIMMED
    return {"images": dimmed, "overlays": maps, "overlay_alpha": opacity}


def _rows_of_units(drawn: _Drawn) -> dict[str, Any]:
    """Return a row for each image: the image itself, then a map for each unit."""
    alike, units = range_of(drawn.images), drawn.chosen.units
    below = _dimmed_below_maps(drawn.images, drawn.maps)["images"]
    images, maps = list[Any](), list[Any]()
    for start in range(0, len(below), units):
        own = slice(start, start + units)
        images += [alike.to_bytes(drawn.images[start]), *below[own]]
        maps += [None, *drawn.maps[own]]
    titles = drawn.chosen.titles_beside_samples
    return {"images": images, "overlays": maps, "titles": titles, "cols": units + 1}


def _kind(drawn: _Drawn, words: Any) -> str:
    """Return what the drawn inputs are: numbers (T,) are words, features or signals."""
    image, map_ = drawn.images[0], drawn.maps[0]
    if _has_maps_of_channels(image, map_):
        return "signal"
    if map_.ndim > 1 or image.ndim > 1:
        return _KINDS[map_.ndim]
    whole = image.dtype.kind in "iu" or (
        words is not None and np.array_equal(image, np.rint(image))
    )
    if whole or is_words_of_each(words):
        return "text"
    is_row = len(image) == len(map_) and len(image) <= _MOST_FEATURES
    return "table" if is_row else "signal"


def _has_maps_of_channels(image: NDArray[Any], map_: NDArray[Any]) -> bool:
    """Return whether a map (T, C) has a line for each channel of a long signal."""
    return (
        image.ndim == 2 and image.shape == map_.shape and len(image) >= 2 * len(map_.T)
    )


def _words_of(drawn: _Drawn, words: Any) -> Any:
    """Return the words of each drawn text, or a vocabulary."""
    if not is_words_of_each(words):
        return words
    samples = [entry.place[0] for entry in drawn.chosen.entries]
    if max(samples) >= len(words):
        raise ValueError(
            "`words` must have a list for each sample, or be a vocabulary; received "
            f"{len(words)} lists."
        )
    return [words[sample] for sample in samples]


def _drawn(
    results: tuple[Any, ...],
    facts: Facts,
    images: Any,
    input_name: InputName,
    most: int,
) -> _Drawn:
    """Return the first maps of an input, with its images.

    Raises:
        ValueError: If there are no images, or maps are not drawable.
    """
    name = _chosen_input(results, facts, input_name)
    maps = by_input(results[1], facts.several_inputs)[name]
    if is_stream(images):
        raise ValueError(
            "`images` must be an array or a list of the explained images in their "
            "order, such as np.concatenate([x for x, y in dataset]); received "
            f"{type(images).__name__}."
        )
    own = facts.images if images is None else images
    if images is None or isinstance(images, dict):
        own = images_of(own, name)
    if own is None:
        raise ValueError(
            "`images` must be given for an explanation of a data set, or one that was "
            "loaded; received None."
        )
    rank = map_rank(maps, results[0].ndim - 1)
    chosen = choose(results, facts, most)
    places = [each.place for each in chosen.entries]
    drawn = _Drawn(
        chosen,
        [_drawable(_at(own, place[:-1]), rank) for place in places],
        [_at(maps, place[:-1])[..., place[-1]] for place in places],
    )
    if _has_maps_of_channels(drawn.images[0], drawn.maps[0]):
        return drawn._replace(chosen=chosen.of_samples())
    return drawn


def _chosen_input(results: tuple[Any, ...], facts: Facts, name: InputName) -> InputName:
    """Return a key of ``by_input``, whose maps can be drawn."""
    parts = by_input(results[1], facts.several_inputs)
    ranks = {n: map_rank(part, results[0].ndim - 1) for n, part in parts.items()}
    drawable = [n for n, rank in ranks.items() if rank in _KINDS]
    if not drawable:
        shape = np.shape(next(iter(parts.values())))
        raise ValueError(
            "`maps` must have one to three axes besides those of samples and units to "
            f"be drawn, which those of a Dense layer have not; received shape {shape}."
        )
    if name is None:
        return drawable[0]
    if not facts.several_inputs:
        raise ValueError(
            "`input_name` must be None where there are maps of one input only; "
            f"received {name!r}."
        )
    found = facts.input_names.index(name) if name in facts.input_names else name
    if found not in drawable:
        raise ValueError(
            f"`input_name` must be one of {[*facts.input_names, *drawable]}, with maps "
            f"of one to three axes; received {name!r}."
        )
    return found


def _at(values: Any, place: Sequence[int]) -> Any:
    return reduce(getitem, place, values)


def _drawable(image: Any, rank: int) -> NDArray[Any]:
    """Return an input with its channels last, as few as those of pictures."""
    array = colormaps.to_numpy(image)
    if rank == 1:
        return array
    if array.ndim == rank + 1 and array.shape[-1] not in (1, 3, 4):
        first = array.shape[0] in (1, 3, 4)
        array = np.moveaxis(array, 0, -1) if first else array.mean(-1, keepdims=True)
    return array
