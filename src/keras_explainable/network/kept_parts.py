"""The part of its input that a step shows, such as a crop, found by trying it.

The step is run on a random image in which strips across one axis are replaced, one
after the other. The outputs that change most by far tell where a strip has gone,
whether the step cuts, pads, resizes or computes, or does several of these.
"""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from keras_explainable.network.graph import Step
from keras_explainable.network.moved_axes import is_to_be_tried, tried

#: Operations of Keras that keep, cut or pad a part, also the layers of the same names.
_CHANGING = {
    "Append", "ArraySplit", "CenterCrop", "Concatenate", "CropImages", "Cropping1D",
    "Cropping2D", "Cropping3D", "GetItem", "Hsplit", "Hstack", "Pad", "PadImages",
    "Pipeline", "Resize", "Resizing", "Slice", "SliceUpdate", "Split", "Take", "Vsplit",
    "ZeroPadding1D", "ZeroPadding2D", "ZeroPadding3D",
}  # fmt: skip

#: The ranges of the images' values, until one changes the outputs.
_RANGES = ((0.0, 1.0), (0.0, 255.0), (-1000.0, 1000.0))

#: How many strips are replaced along an axis, and how many to find the exact part, as
#: single ones are off by the half of an output's position; and how many must be seen.
_STRIPS, _FINE, _FEWEST = 12, 48, 3

#: Part of the largest change from which on an output counts as changed by a strip.
_MOST_CHANGED = 0.5

#: Part of the largest change below which it does not count for where a strip is shown.
_CLEAR = 0.1

#: Part of the outputs of an axis that a strip may change before its place is unknown.
_WIDEST = 0.6

#: Part of the largest change of all strips below which a strip is not seen.
_UNSEEN = 0.01

#: The most values that are tried at once.
_AT_ONCE = 2**22


class Part(NamedTuple):
    """Part of an axis, with 0 at its beginning and 1 at its end.

    Padding lies before 0 and after 1. The part runs backwards if ``way`` is -1.
    """

    first: float
    last: float
    way: int = 1


WHOLE = Part(0.0, 1.0)


def kept_parts(
    step: Step, shape: Sequence[int], after: Sequence[int]
) -> list[Part] | None:
    """Return for each axis the part that a step shows; None if it keeps positions.

    Args:
        step: Step of one tensor.
        shape: The shape that it reads, without the axis of the batch.
        after: The shape that it writes, likewise.
    """
    if not is_to_be_tried(step, _CHANGING) or len(shape) != len(after):
        return None
    for low, high in _RANGES:
        trial = _Trial(step, shape, low, high)
        if trial.changes_anything(after):
            parts = [WHOLE, *map(trial.part, range(len(shape) - 1)), WHOLE]
            return None if {*parts} == {WHOLE} else parts
    return None


class _Trial:
    """A step, and a random image in which strips are replaced."""

    def __init__(self, step: Step, shape: Sequence[int], low: float, high: float):
        self.step = step
        rng = np.random.default_rng(0)
        self.image, self.other = rng.uniform(low, high, (2, 1, *shape))
        if "int" in step.reads[0].dtype:
            self.image, self.other = self.image.round(), self.other.round()
        self.before = self._outputs(self.image)

    def changes_anything(self, after: Sequence[int]) -> bool:
        """Return whether the step runs, and writes other values for another image."""
        if self.before is None or self.before.shape[1:] != tuple(after):
            return False
        changed = self._outputs(self.other)
        return changed is not None and not np.array_equal(changed, self.before)

    def part(self, axis: int) -> Part:
        """Return the part that is shown of an axis, which is not that of the batch."""
        size, length = self.image.shape[axis + 1], self.length(axis)
        strips = _strips(0, size, 1)
        changed = self._changed(axis, strips)
        if size == length and _stay(changed, strips):
            return WHOLE
        bands = _strips(0, size, math.ceil(size / _STRIPS))
        seen = [strip for strip, _ in _seen(self._changed(axis, bands), bands)]
        if not seen:
            return WHOLE
        # Single rows are exact, and wider strips are not overlooked where rows are.
        for width in (1, math.ceil(size / length)):
            strips = _strips(seen[0].start, seen[-1].stop, width, _FINE)
            places = _places(self._changed(axis, strips), strips)
            if len(places) >= min(_FEWEST, size, length):
                return _part(places, size, length)
        return WHOLE

    def length(self, axis: int) -> int:
        """Return the length of an axis of the output, likewise."""
        return 0 if self.before is None else int(self.before.shape[axis + 1])

    def _changed(self, axis: int, strips: list[range]) -> np.ndarray:
        """Return by how much each strip changes each output along the axis."""
        others = tuple(n for n in range(1, self.image.ndim) if n != axis + 1)
        parts = []
        for some in _chunks(strips, self.image.size):
            images = np.repeat(self.image, len(some), axis=0)
            for image, strip in zip(images, some, strict=True):
                chosen = (slice(None),) * axis + (slice(strip.start, strip.stop),)
                image[chosen] = self.other[0][chosen]
            outputs = self._outputs_of(images)
            if outputs is None or len(outputs) != len(some):
                return np.zeros((len(strips), self.length(axis)))
            parts.append(np.abs(outputs - self.before).mean(axis=others))
        return np.concatenate(parts)

    def _outputs_of(self, images: np.ndarray) -> np.ndarray | None:
        """Return the same of several, one by one for a step of a fixed batch of one."""
        found = self._outputs(images)
        if found is not None and len(found) == len(images):
            return found
        each = [self._outputs(image[None]) for image in images]
        known = [x for x in each if x is not None]
        return np.concatenate(known) if len(known) == len(images) else None

    def _outputs(self, images: np.ndarray) -> np.ndarray | None:
        """Return what the step makes of images; None unless these are numbers."""
        found = tried(self.step, images)
        if found is None or found.ndim != images.ndim or not np.isfinite(found).all():
            return None  # Such as the logarithm of negative values.
        return found.astype("float64")


def _strips(start: int, stop: int, width: int, most: int = _STRIPS) -> list[range]:
    """Return some strips of equal width, evenly spread from the start to the end."""
    count = min(most, max(1, (stop - start) // width))
    firsts = np.linspace(start, max(start, stop - width), count).round().astype(int)
    return [range(first, min(first + width, stop)) for first in map(int, firsts)]


def _chunks(strips: list[range], size: int) -> Iterator[list[range]]:
    count = max(1, _AT_ONCE // size)
    for start in range(0, len(strips), count):
        yield strips[start : start + count]


def _seen(
    changed: np.ndarray, strips: list[range]
) -> Iterator[tuple[range, np.ndarray]]:
    """Return the strips that change the outputs, and by how much each of these."""
    for strip, change in zip(strips, changed, strict=True):
        if change.max() > _UNSEEN * changed.max():
            yield strip, change


def _most_changed(change: np.ndarray) -> np.ndarray:
    """Return the outputs that a strip changes most."""
    return np.flatnonzero(change > _MOST_CHANGED * change.max())


def _centre(change: np.ndarray) -> float:
    """Return the mean output that a strip changes, without changes of all outputs."""
    clear = np.maximum(0, change - max(np.median(change), _CLEAR * change.max()))
    weights = clear if clear.any() else change
    return float(np.average(np.arange(len(change)), weights=weights))


def _stay(changed: np.ndarray, strips: list[range]) -> bool:
    """Return whether each strip changes the outputs at its own place like no others."""
    seen = [*_seen(changed, strips)]
    in_place = (np.isin(_most_changed(change), strip).any() for strip, change in seen)
    return len(seen) == len(strips) and all(in_place)


class _Shown(NamedTuple):
    """Where a strip lies, and the first, mean and last output that it changes most."""

    strip: float
    first: float
    middle: float
    last: float


def _places(changed: np.ndarray, strips: list[range]) -> list[_Shown]:
    """Return where strips are shown that do not change almost everything."""
    places, length = [], changed.shape[1]
    for strip, change in _seen(changed, strips):
        most = _most_changed(change)
        first, last = most[0], most[-1]
        if last - first < max(1, _WIDEST * length):
            places.append(_Shown(float(np.mean(strip)), first, _centre(change), last))
    return places


def _part(places: list[_Shown], size: int, length: int) -> Part:
    """Return the part of an axis, given where strips are shown."""
    if length == 1 and len(places) == 1:
        return _rounded(places[0].strip, places[0].strip + 1, size, 1.0)
    cut = len(places) // 4  # Interpolation is flat at the ends.
    there, first, here, last = np.transpose(places[cut : len(places) - cut])
    moving = [edge for edge in (first, last) if np.ptp(edge)]
    if len(moving) == 1:  # Of sums from one end on.
        here = moving[0]
    if np.ptp(here) < 1e-3 * np.ptp(there) or len(here) < 2:
        return WHOLE
    slope, offset = np.polyfit(here, there, 1)
    if np.abs(slope * here + offset - there).max() > max(1, abs(slope)):
        return WHOLE
    ends = -0.5, length - 0.5
    first, last = (float(slope * end + offset) + 0.5 for end in ends)
    return _rounded(min(first, last), max(first, last), size, float(slope))


def _rounded(first: float, last: float, size: int, slope: float) -> Part:
    """Return a part in whole positions where it was only cut or padded."""
    way = 1 if slope > 0 else -1
    if abs(abs(slope) - 1) < 1e-2:
        first, last = round(first), round(last)
    elif max(abs(first), abs(last - size)) < max(1.0, abs(slope)):
        first, last = 0, size  # Resized as a whole.
    return Part(first / size, last / size, way)
