"""The maps of an explanation over its images, signals or volumes."""

import base64
import io
from collections.abc import Sequence
from functools import reduce
from html import escape
from itertools import islice
from operator import getitem
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from keras_explainable.common import checks
from keras_explainable.engine.explanation import table
from keras_explainable.engine.explanation.facts import Facts
from keras_explainable.engine.explanation.inputs import (
    InputName,
    by_input,
    images_of,
    map_rank,
    sample_word,
)
from keras_explainable.plotting import colormaps, picture_output
from keras_explainable.plotting.kind_panels import is_words_of_each
from keras_explainable.plotting.visualize import visualize

#: The most maps that a notebook shows.
THUMBNAILS = 12

#: Their pixels per inch, fewer than the picture has, for sharp screens.
POINTS = 60

#: The most features that a picture shows as bars.
_MOST_FEATURES = 64

_COLUMNS = {"image": 4, "table": 4}
_KINDS: dict[int, Literal["image", "signal", "volume"]]
_KINDS = {1: "signal", 2: "image", 3: "volume"}


class _Drawn(NamedTuple):
    """Inputs (..., C) and the map of each, without an axis of units."""

    samples: list[int]
    titles: list[str]
    note: str
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
    caption = table.caption(results[0], facts, THUMBNAILS)
    data = base64.b64encode(buffer.getvalue()).decode()
    titles = "; ".join(drawn.titles)
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
    titles: dict[str, Any] = {"row_labels": drawn.titles}
    if kind != "volume":  # Whose slices are in columns.
        columns = min(_COLUMNS.get(kind, 1), len(drawn.maps))
        titles = {"titles": drawn.titles, "cols": columns}
    images = drawn.images
    if kind == "image":
        images = [colormaps.dim(each) for each in images]
        titles["overlay_alpha"] = colormaps.ALPHA_ABOVE_DIMMED
    settings: dict[str, Any] = {
        "overlays": drawn.maps,
        "title_fontsize": 8,
        "note": drawn.note,
        **titles,
        **options,
        "kind": kind,
        "words": _words_of(drawn, words),
    }
    return visualize(images, **settings)


def _kind(drawn: _Drawn, words: Any) -> str:
    """Return what the drawn inputs are: numbers (T,) are words, features or signals."""
    image, map_ = drawn.images[0], drawn.maps[0]
    if map_.ndim > 1 or image.ndim > 1:
        return _KINDS[map_.ndim]
    whole = image.dtype.kind in "iu" or (
        words is not None and np.array_equal(image, np.rint(image))
    )
    if whole or is_words_of_each(words):
        return "text"
    is_row = len(image) == len(map_) and len(image) <= _MOST_FEATURES
    return "table" if is_row else "signal"


def _words_of(drawn: _Drawn, words: Any) -> Any:
    """Return the words of each drawn text, or a vocabulary."""
    if not is_words_of_each(words):
        return words
    if max(drawn.samples) >= len(words):
        raise ValueError(
            "`words` must have a list for each sample, or be a vocabulary; received "
            f"{len(words)} lists."
        )
    return [words[sample] for sample in drawn.samples]


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
    own = facts.images if images is None else images
    if images is None or isinstance(images, dict):
        own = images_of(own, name)
    if own is None:
        raise ValueError(
            "`images` must be given for an explanation of a data set, or one that was "
            "loaded; received None."
        )
    rank = map_rank(maps, results[0].ndim - 1)
    entries = [*islice(table.entries(results, facts), most)]
    places = [each.place for each in entries]
    return _Drawn(
        [place[0] for place in places],
        [each.title for each in entries],
        _note(results, facts, most),
        [_drawable(_at(own, place[:-1]), rank) for place in places],
        [_at(maps, place[:-1])[..., place[-1]] for place in places],
    )


def _note(results: tuple[Any, ...], facts: Facts, most: int) -> str:
    """Return how many maps are drawn, if these are not all."""
    logits = results[0]
    word = sample_word(results, facts.several_inputs)
    what = word if logits.shape[-1] == 1 else "map"
    return f"{most} of {logits.size} {what}s" if logits.size > most else ""


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
    """Return an input with its channels last, as few and in a range as of pictures."""
    array = colormaps.to_numpy(image)
    if rank == 1:
        return array
    if array.ndim == rank + 1 and array.shape[-1] not in (1, 3, 4):
        first = array.shape[0] in (1, 3, 4)
        array = np.moveaxis(array, 0, -1) if first else array.mean(-1, keepdims=True)
    low, high = np.nanmin(array), np.nanmax(array)
    if low < 0 or high > 255:
        array = (array - low) / (high - low)
    return array
