"""The evaluation of the images of two evaluations."""

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_explainable.evaluation.method_curves import MethodCurves
from keras_explainable.metrics.map_arrays import Floats

if TYPE_CHECKING:
    from keras_explainable.evaluation.evaluation import Evaluation

#: What two evaluations have in common.
_NAMES = ("methods", "metrics", "controls", "higher_is_better")

#: How much scores of one image may differ by rounding, relative and absolute.
_ROUNDING = 1e-3, 1e-6


def merged(one: "Evaluation", other: "Evaluation") -> "Evaluation":
    """Return the evaluation of the images of both; see ``Evaluation.merged``."""
    _check_mergeable(one, other)
    places = {image_id: at for at, image_id in enumerate(one.ids.tolist())}
    in_both = np.isin(other.ids, one.ids)
    rows = np.array([places[x] for x in other.ids[in_both].tolist()], "int64")
    repeated = other.images_at(in_both)
    _check_repeated(one, repeated, rows)
    new = other.images_at(~in_both)
    samples, more, again = _same_repetitions(one, new, repeated)
    samples[..., rows] = _filled(samples[..., rows], again)
    curves = {
        name: _curves(one.curves[name], new.curves[name], repeated.curves[name], rows)
        for name in one.curves
        if name in other.curves
    }
    return dataclasses.replace(
        one,
        samples=np.concatenate([samples, more], axis=-1),
        ids=np.concatenate([one.ids, new.ids]),
        notes=tuple(dict.fromkeys([*one.notes, *other.notes])),
        unfinished_ids=_unfinished(one, other),
        curves={name: each for name, each in curves.items() if each is not None},
    )


def merged_all(evaluations: Sequence["Evaluation"]) -> "Evaluation":
    """Return the evaluation of the images of all, two by two, as each copies both."""
    if len(evaluations) == 1:
        return evaluations[0]
    middle = len(evaluations) // 2
    return merged(merged_all(evaluations[:middle]), merged_all(evaluations[middle:]))


def _unfinished(one: "Evaluation", other: "Evaluation") -> tuple[int, ...]:
    """Return the ids of images that neither has finished."""
    evaluations = (one, other)
    every = {*one.unfinished_ids, *other.unfinished_ids}
    finished = [{*x.ids.tolist()} - {*x.unfinished_ids} for x in evaluations]
    return tuple(sorted(every - finished[0] - finished[1]))


def _same_repetitions(*evaluations: "Evaluation") -> list[Floats]:
    """Return their samples, with NaN for repetitions that only others have."""
    most = max(each.samples.shape[2] for each in evaluations)
    found = []
    for each in evaluations:
        missing = most - each.samples.shape[2]
        widths = [(0, 0), (0, 0), (0, missing), (0, 0)]
        found.append(np.pad(each.samples, widths, constant_values=np.nan))
    return found


def _filled(samples: Floats, others: Floats) -> Floats:
    """Return samples (M, Q, R, n), with all others of a score that is unknown."""
    unknown = ~np.isfinite(samples).any(axis=2, keepdims=True)
    return np.where(unknown, others, samples)


def _curves(
    one: MethodCurves, new: MethodCurves, repeated: MethodCurves, rows: Any
) -> MethodCurves | None:
    """Return the curves of all images; None if they have other steps."""
    if one.fractions.shape != new.fractions.shape:
        return None
    if not np.allclose(one.fractions, new.fractions, atol=0.01):  # Rounded to pixels.
        return None
    scores = one.scores.copy()
    own = scores[:, rows]
    scores[:, rows] = np.where(np.isfinite(own), own, repeated.scores)
    return MethodCurves(one.fractions, np.concatenate([scores, new.scores], axis=1))


def _check_mergeable(one: "Evaluation", other: Any) -> None:
    if not isinstance(other, type(one)):
        raise TypeError(f"`other` must be an Evaluation; received {other!r:.60}.")
    different = [
        name for name in _NAMES if getattr(one, name) != getattr(other, name)
    ] + [
        name
        for name in sorted({*one.facts, *other.facts})
        if one.facts.get(name) != other.facts.get(name)
    ]
    if different:
        raise ValueError(
            "`other` must be of the same model, methods and metrics; received other "
            f"{', '.join(dict.fromkeys(different))}."
        )


def _check_repeated(one: "Evaluation", other: "Evaluation", rows: Any) -> None:
    """Raise ValueError for images of both that do not complete each other."""
    before, after = one.scores[..., rows], other.scores
    both = np.isfinite(before) & np.isfinite(after)
    relative, absolute = _ROUNDING
    same = np.isclose(before, after, relative, absolute) | ~both
    complete = ~np.isin(other.ids, [*one.unfinished_ids, *other.unfinished_ids])
    if (wrong := complete | ~same.all(axis=(0, 1))).any():
        number = int(np.flatnonzero(wrong)[0])
        raise ValueError(
            "`other` must be of other images (`ids=` numbers them), or complete images "
            f"that were left unfinished; received the id {other.ids[number]} twice"
            f"{'' if complete[number] else ', with other scores'}."
        )
