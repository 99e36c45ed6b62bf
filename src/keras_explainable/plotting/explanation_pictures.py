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
)
from keras_explainable.plotting import colormaps, picture_output
from keras_explainable.plotting.visualize import visualize

#: The most maps that a notebook shows.
THUMBNAILS = 12

#: Their pixels per inch, fewer than the picture has, for sharp screens.
POINTS = 60

_COLUMNS = 4
_KINDS: dict[int, Literal["image", "signal", "volume"]]
_KINDS = {1: "signal", 2: "image", 3: "volume"}


class _Drawn(NamedTuple):
    """Inputs (..., C) and the map of each, without an axis of units."""

    titles: list[str]
    images: list[NDArray[Any]]
    maps: list[NDArray[Any]]

    @property
    def rank(self) -> int:
        return self.maps[0].ndim


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
    titles: dict[str, Any] = {"row_labels": drawn.titles}
    if drawn.rank < 3:  # Slices of volumes are in columns.
        columns = 1 if drawn.rank == 1 else min(_COLUMNS, len(drawn.maps))
        titles = {"titles": drawn.titles, "cols": columns}
    settings = {"overlays": drawn.maps, "title_fontsize": 8, **titles, **options}
    return visualize(drawn.images, kind=_KINDS[drawn.rank], **settings)


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
    parts = by_input(results[1], facts.several_inputs)
    if input_name is None:
        input_name = next((n for n in parts if _rank(results, parts[n])), None)
    if input_name not in parts:
        raise ValueError(
            f"`input_name` must be one of {[*parts]}, with maps of one to three axes; "
            f"received {input_name!r}."
        )
    own = images_of(facts.images, input_name) if images is None else images
    if own is None:
        raise ValueError(
            "`images` must be given for an explanation of a data set, or one that was "
            "loaded; received None."
        )
    entries = [*islice(table.entries(results[0], facts), most)]
    places = [each.place for each in entries]
    rank = _rank(results, parts[input_name])
    return _Drawn(
        [each.title for each in entries],
        [_drawable(_at(own, place[:-1]), rank) for place in places],
        [_at(parts[input_name], place[:-1])[..., place[-1]] for place in places],
    )


def _rank(results: tuple[Any, ...], maps: Any) -> int:
    """Return the number of axes of one map; 0 if it is not drawable."""
    of_image = maps[0].ndim if isinstance(maps, list) else len(maps.shape) - 1
    rank = of_image - (results[0].ndim - 1)
    return rank if rank in _KINDS else 0


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
