"""The part of its input that a step shows, such as a crop, found by trying it.

The step is run on images that rise along one axis, as well as on two constant ones.
What it makes of a rising image tells for each position of its output where that comes
from, whether the step cuts, pads, resizes or scales, or does several of these.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from keras_explainable.common.structures import is_float
from keras_explainable.network.graph import Step
from keras_explainable.network.moved_axes import is_to_be_tried, tried

#: Operations of Keras that keep, cut or pad a part, also the layers of the same names.
_CHANGING = {
    "ArraySplit", "CenterCrop", "CropImages", "Cropping1D", "Cropping2D", "Cropping3D",
    "GetItem", "Pad", "PadImages", "Pipeline", "Resize", "Resizing", "Slice", "Split",
    "Take", "ZeroPadding1D", "ZeroPadding2D", "ZeroPadding3D",
}  # fmt: skip

#: The darkest value of rising images, and by how much they rise: so little that any
#: smooth function of the values is linear there, at several places, as clipping may
#: make the others constant.
_IMAGES = ((0.5, 0.002), (100.0, 0.4), (-500.0, 2.0))

#: Likewise where numbers of less precision, or integers, could not rise so little.
_COARSE_IMAGES = ((0.0, 1.0),)

#: Part of the largest change above which that between constant images is not rounding.
_SEEN = 0.01

#: The number of rows that are changed one by one, how much more than others the outputs
#: must change at a place, and for how many rows at least.
_ROWS, _CLEAR, _FEWEST = 12, 3.0, 3

#: How far, in positions, the values of a line may differ in where they come from.
_SPREAD = 1.0


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
    floats = is_float(step.reads[0])  # Integers rise by 1, floats up to a limit.
    steps = [1 / size if floats else 1.0 for size in shape]
    fine = step.reads[0].dtype in ("float32", "float64")
    for darkest, rise in _IMAGES if fine else _COARSE_IMAGES:
        found = tried(step, darkest + rise * _images(shape, steps))
        if found is None or found.shape[1:] != tuple(after):
            return None
        if not np.isfinite(found).all():  # As of a logarithm.
            continue
        places = _places(found, steps)
        if any(not np.isnan(each).all() for each in places):
            return _parts(places, shape)
        if np.ptp(found, axis=0).any():
            break  # Only constant images are alike, as where their mean is taken away.
    return _parts(_places_of_rows(step, shape, after), shape) if fine else None


def _parts(places: list[np.ndarray], shape: Sequence[int]) -> list[Part] | None:
    parts = [WHOLE, *map(_part, places, range(len(places)), shape)]
    return None if {*parts} == {WHOLE} else parts


def _places(found: np.ndarray, steps: Sequence[float]) -> list[np.ndarray]:
    """Return for each axis where each value of the output comes from, or NaN.

    Args:
        found: Outputs for zeros, for ones, and for each axis' rising image.
        steps: By how much the images rise from one position to the next.
    """
    zeros, ones, *rising = found.astype("float64")
    gain = ones - zeros
    known = np.abs(gain) > _SEEN * np.abs(found - found[0]).max(initial=1e-30)
    nowhere = np.full_like(gain, np.nan)
    return [
        np.divide(image - zeros, gain * each, where=known, out=nowhere.copy())
        for image, each in zip(rising, steps, strict=True)
    ]


def _places_of_rows(
    step: Step, shape: Sequence[int], after: Sequence[int]
) -> list[np.ndarray]:
    """Return places where every output depends on all inputs, as if standardized.

    A row that is changed has its place where the outputs change most by far.
    """
    image = np.random.default_rng(0).uniform(0.4, 0.6, (1, *shape))
    found = [np.full(after, np.nan) for _ in shape]
    for axis, size in enumerate(shape[:-1]):
        rows = np.unique(np.linspace(0, size - 1, _ROWS).round().astype(int))
        changed = np.repeat(image, len(rows), axis=0)
        for one, row in zip(changed, rows, strict=True):
            np.moveaxis(one, axis, 0)[row] += 0.1
        outputs = tried(step, np.concatenate([image, changed]))
        if outputs is None or not np.isfinite(outputs).all():
            continue
        others = tuple(n for n in range(1, outputs.ndim) if n != axis + 1)
        change = np.abs(outputs[1:] - outputs[:1]).mean(axis=others)
        clear = change.max(axis=1) > _CLEAR * np.median(change, axis=1)
        if clear.sum() >= _FEWEST:
            lines = np.moveaxis(found[axis], axis, 0).T
            lines[..., change.argmax(axis=1)[clear]] = rows[clear]
    return found


def _images(shape: Sequence[int], steps: Sequence[float]) -> np.ndarray:
    """Return zeros, ones, and for each axis an image that rises along it up to 1."""
    rank = len(shape)
    rising = [
        np.broadcast_to(
            np.expand_dims(np.arange(size) * each, [*range(1, rank - axis)]), shape
        )
        for axis, (size, each) in enumerate(zip(shape, steps, strict=True))
    ]
    return np.stack([np.zeros(shape), np.ones(shape), *rising])


def _part(places: np.ndarray, axis: int, size: int) -> Part:
    """Return the part of an axis, given where each value of the output comes from.

    Args:
        places: Positions along the axis; not a number where nothing is shown.
        axis: The axis, of the input and of the output.
        size: Length of the axis of the input.
    """
    lines = np.moveaxis(places, axis, 0).reshape(places.shape[axis], -1)
    shown = np.flatnonzero(~np.isnan(lines).all(axis=1))
    lines = lines[shown]
    if not len(lines) or (np.nanmax(lines, 1) - np.nanmin(lines, 1)).max() > _SPREAD:
        return WHOLE
    middle = np.nanmean(lines, axis=1)
    if len(middle) == 1:
        return _single(float(middle[0]), int(shown[0]), places.shape[axis], size)
    cut = len(middle) // 4  # Interpolation is flat at the ends.
    shown, middle = shown[cut : len(shown) - cut], middle[cut : len(middle) - cut]
    slope, offset = np.polyfit(shown, middle, 1)
    error = np.abs(slope * shown + offset - middle).max()
    if abs(slope) < 1e-3 or error > _SPREAD:
        return WHOLE
    ends = -0.5, places.shape[axis] - 0.5
    first, last = (float(slope * end + offset) + 0.5 for end in ends)
    return _rounded(min(first, last), max(first, last), size, float(slope))


def _single(place: float, at: int, length: int, size: int) -> Part:
    """Return the part of an axis of which one position is shown, or their mean."""
    is_mean = abs(place - (size - 1) / 2) < 1
    return WHOLE if is_mean else _rounded(place - at, place - at + length, size, 1.0)


def _rounded(first: float, last: float, size: int, slope: float) -> Part:
    """Return a part in whole positions where it was only cut or padded."""
    way = 1 if slope > 0 else -1
    if abs(abs(slope) - 1) < 1e-3:
        first, last = round(first), round(last)
    elif max(abs(first), abs(last - size)) < max(1.0, abs(slope)):
        first, last = 0, size  # Resized as a whole.
    return Part(first / size, last / size, way)
