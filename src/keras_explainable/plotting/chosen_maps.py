"""Chooses the maps of an explanation that a picture shows, and names them."""

from collections.abc import Iterator
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from keras_explainable.engine.explanation import table
from keras_explainable.engine.explanation.facts import Facts
from keras_explainable.engine.explanation.table import Entry

#: The most units of one image that are shown, beside each other.
_MOST_UNITS = 5


class Chosen(NamedTuple):
    """Maps to draw.

    Attributes:
        entries: The maps, sample by sample.
        units: Number of maps of each sample.
        of_units: Number of units of each sample that were explained.
        of_maps: Number of maps that there are.
    """

    entries: list[Entry]
    units: int
    of_units: int
    of_maps: int

    @property
    def note(self) -> str:
        """What the picture says below it: how many are shown, if these are not all."""
        shown, word = len(self.entries), self.entries[0].word
        if shown == self.of_maps:
            return ""
        what = word if self.of_units == 1 else "map"
        which = f": the {self.units} of each {word} with the largest logits"
        some = self.units < self.of_units
        return f"{shown} of {self.of_maps} {what}s" + which * some

    @property
    def titles(self) -> list[str]:
        """A title for each map."""
        return [entry.title for entry in self.entries]

    @property
    def titles_beside_samples(self) -> list[str]:
        """A title for each sample, followed by those of its maps."""
        some = f" ({self.units} of {self.of_units} units)"
        ending = some if self.units < self.of_units else ""
        titles = []
        for number, entry in enumerate(self.entries):
            if number % self.units == 0:
                titles.append(f"{entry.word} {entry.image}{ending}")
            titles.append(entry.unit_title)
        return titles

    def of_samples(self) -> "Chosen":
        """Return the same of what is not called an image."""
        entries = [entry._replace(word="sample") for entry in self.entries]
        return self._replace(entries=entries)


def choose(results: tuple[Any, ...], facts: Facts, most: int) -> Chosen:
    """Return the maps of the first samples, at most ``most``.

    Of many units, these are the ones with the largest logits.
    """
    logits = results[0]
    units = _units_of_each(logits, most)
    places = [*islice(_places(logits, units), most // units * units)]
    entries = [table.entry(results, facts, place) for place in places]
    return Chosen(entries, units, logits.shape[-1], logits.size)


def _units_of_each(logits: NDArray[Any], most: int) -> int:
    """Return of how many units of each sample maps are shown."""
    return int(min(logits.shape[-1], _MOST_UNITS, most))


def _places(logits: NDArray[Any], units: int) -> Iterator[tuple[int, ...]]:
    for sample in np.ndindex(*logits.shape[:-1]):
        order = np.arange(logits.shape[-1])
        if units < len(order):
            order = np.argsort(-logits[sample], kind="stable")[:units]
        for unit in order:
            yield (*sample, int(unit))
