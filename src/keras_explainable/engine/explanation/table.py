"""The maps of an explanation as a table, with one row for each."""

from collections.abc import Iterator
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from keras_explainable.common import table_format
from keras_explainable.engine.explanation.facts import Facts
from keras_explainable.engine.explanation.inputs import sample_word


class Entry(NamedTuple):
    """One map: the image and the unit that it belongs to.

    Attributes:
        place: Place of the image, and of the unit among those explained.
        unit: The number of the unit, or of the value that a function returned.
        label: Name of the unit; None if it has none.
        logit: Logit of the unit.
        word: What the image is called, for it may be none.
    """

    place: tuple[int, ...]
    unit: int
    label: str | None
    logit: float
    word: str = "image"

    @property
    def image(self) -> str:
        """The number of the image, or its numbers on several axes."""
        return ", ".join(map(str, self.place[:-1]))

    @property
    def title(self) -> str:
        """What a picture of the map says above it."""
        return f"{self.word} {self.image}: {self.unit_title}"

    @property
    def unit_title(self) -> str:
        """What it says of the unit, where the image is beside."""
        name = f"unit {self.unit}" if self.label is None else self.label
        return f"{name} ({self.logit:.3g})"


def entries(results: tuple[Any, ...], facts: Facts) -> Iterator[Entry]:
    """Yield an entry for each map, image by image."""
    for place in np.ndindex(*results[0].shape):
        yield entry(results, facts, place)


def entry(results: tuple[Any, ...], facts: Facts, place: tuple[int, ...]) -> Entry:
    """Return the entry of the map at a place."""
    unit = place[-1] if facts.units is None else int(facts.units[place])
    label = None if facts.labels is None else str(facts.labels[place])
    word = sample_word(results, facts.several_inputs)
    return Entry(place, unit, label, float(results[0][place]), word)


def text(results: tuple[Any, ...], facts: Facts) -> str:
    """Return the table as text."""
    return table_format.text(caption(results[0], facts), _columns(results, facts))


def html(results: tuple[Any, ...], facts: Facts) -> str:
    """Return the table as HTML."""
    return table_format.html(caption(results[0], facts), _columns(results, facts))


def caption(
    logits: NDArray[Any],
    facts: Facts,
    shown: int = table_format.MAX_ROWS,
    first: str = "the first ",
) -> str:
    """Return a line that says what there is, and how many maps are shown.

    Args:
        logits: The logits of all maps.
        facts: What is known of the maps.
        shown: Number of maps that are shown.
        first: A word on which ones these are, or nothing.
    """
    count = logits.size
    some = f", of which {first}{shown} are shown" if count > shown else ""
    return f"{count} {'map' if count == 1 else 'maps'} of {facts.method}{some}"


def _columns(results: tuple[Any, ...], facts: Facts) -> dict[str, list[Any]]:
    first = [*islice(entries(results, facts), table_format.MAX_ROWS)]
    word = sample_word(results, facts.several_inputs)
    labels = {} if facts.labels is None else {"label": [each.label for each in first]}
    return {
        word: [each.image for each in first],
        "unit": [each.unit for each in first],
        **labels,
        "logit": [each.logit for each in first],
    }
