"""``Evaluation``: the scores of methods, to be shown, compared, saved and merged."""

import dataclasses
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keras_explainable.common import checks
from keras_explainable.common.optional_packages import require
from keras_explainable.evaluation import score_table
from keras_explainable.evaluation.paired_differences import (
    Difference,
    difference,
    interval,
)
from keras_explainable.metrics.map_arrays import Floats
from keras_explainable.plotting import score_dots

#: The name of the fact that lists metrics with the same draws for all images.
COMMON = "metrics with draws common to all images"


@dataclasses.dataclass(frozen=True, eq=False)
class Evaluation:
    """Scores of M methods by Q metrics for N images, as ``ke.evaluate`` returns them.

    Attributes:
        samples: Scores of each repetition of the random draws, (M, Q, R, N), means over
            the units of an image. NaN where there is none.
        ids: Ids of the images (N,).
        methods: Names of the methods, the controls included.
        metrics: Names of the metrics.
        controls: Names of the methods that are controls.
        higher_is_better: Orientation of each metric.
        notes: What is missing, and why.
        facts: Properties that must be equal for two evaluations to be merged, such as
            the model's fingerprint and the parameters of methods and metrics.
    """

    samples: Floats
    ids: NDArray[np.int64]
    methods: tuple[str, ...]
    metrics: tuple[str, ...]
    controls: tuple[str, ...]
    higher_is_better: tuple[bool, ...]
    notes: tuple[str, ...]
    facts: dict[str, Any]

    @property
    def scores(self) -> Floats:
        """The score of each image, (M, Q, N): the mean over the repetitions."""
        return self.samples.mean(axis=2)

    @property
    def images(self) -> NDArray[np.int64]:
        """The number of images that have a score, (M, Q)."""
        return np.isfinite(self.scores).sum(axis=-1)

    @property
    def mean(self) -> Floats:
        """The mean over the images that have a score, (M, Q)."""
        return _mean(self.scores)

    @property
    def std_error(self) -> Floats:
        """The standard error of the mean over images, (M, Q); NaN for one image.

        It includes what random draws add that differ from image to image, as most do,
        but not those that all images share, such as the weights of ``mprt``.
        """
        count = self.images
        squares = _mean((self.scores - self.mean[..., None]) ** 2)
        known = np.where(count > 1, squares, np.nan)
        return np.sqrt(known / np.maximum(count - 1, 1))

    @property
    def monte_carlo_error(self) -> Floats:
        """The standard error of the mean due to random draws alone, (M, Q).

        It tells how much other seeds would change the mean for the same images: 0 for
        scores without random draws, and NaN for a single repetition.
        """
        repetitions = self.samples.shape[2]
        if repetitions == 1:
            return np.full_like(self.mean, np.nan)
        drawn = np.ptp(self.samples, axis=2) > 0  # Rounding is no draw.
        variances = np.where(drawn, self.samples.var(axis=2, ddof=1), 0) / repetitions
        variances[np.isnan(self.scores)] = np.nan
        own = np.sqrt(_mean(variances) / np.maximum(self.images, 1))
        of_all = _mean(self.samples).std(axis=2, ddof=1) / np.sqrt(repetitions)
        are_common = [name in self.facts.get(COMMON, ()) for name in self.metrics]
        return np.where(are_common, of_all, own)

    def intervals(self, confidence: float = 0.95) -> Floats:
        """Return the confidence interval of each mean over images, (M, Q, 2).

        They are those of a bootstrap over the images, as for ``difference``. NaN for
        too few images.
        """
        _check_confidence(confidence)
        rows = [[x[np.isfinite(x)] for x in row] for row in self.scores]
        return np.array([[interval(x, confidence) for x in row] for row in rows])

    def difference(
        self, method: str, other: str, metric: str, *, confidence: float = 0.95
    ) -> Difference:
        """Return by how much the scores of two methods differ on the same images.

        The confidence interval is that of a bootstrap over the images, which resamples
        pairs of scores, so that what is difficult for both methods cancels. It is for
        one comparison: of many, some exclude 0 by chance. For 95 %, it needs at least
        six images.

        Args:
            method: Name of one method.
            other: Name of the other one.
            metric: Name of the metric.
            confidence: Between 0 and 1.

        Raises:
            ValueError: If there is no such name, or ``confidence`` is out of range.
        """
        checks.one_of("method", method, self.methods)
        checks.one_of("other", other, self.methods)
        checks.one_of("metric", metric, self.metrics)
        _check_confidence(confidence)
        column = self.scores[:, self.metrics.index(metric)]
        one, two = (column[self.methods.index(name)] for name in (method, other))
        return difference((method, other, metric), one, two, confidence)

    def differences(self, metric: str, *, confidence: float = 0.95) -> list[Difference]:
        """Return the difference of each method from each one after it.

        Arguments and errors are those of ``difference``.
        """
        return [
            self.difference(method, other, metric, confidence=confidence)
            for number, method in enumerate(self.methods)
            for other in self.methods[number + 1 :]
        ]

    def best(self, metric: str) -> str | None:
        """Return the method with the best mean; None if that cannot be told.

        Methods are compared on the images for which all of them have a score, but for
        methods that have none at all.
        """
        checks.one_of("metric", metric, self.metrics)
        column = self.metrics.index(metric)
        scores = self.scores[:, column]
        finite = np.isfinite(scores)
        scored = finite.any(axis=1)
        common = finite[scored].all(axis=0)
        if not common.any() or not scored.any():
            return None
        sign = 1 if self.higher_is_better[column] else -1
        means = sign * scores[scored][:, common].mean(axis=1)
        return self.methods[int(np.flatnonzero(scored)[means.argmax()])]

    def __str__(self) -> str:
        return score_table.text(self)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return score_table.html(self)

    def to_pandas(self, *, per_image: bool = False) -> Any:
        """Return a data frame with a row for each method and metric.

        Args:
            per_image: Whether there is a row for each image as well.

        Raises:
            ImportError: If pandas is not installed.
        """
        rows = score_table.image_rows if per_image else score_table.summary_rows
        return require("pandas", "evaluate").DataFrame(rows(self))

    def plot(
        self,
        to_file: str | os.PathLike[str] | None = None,
        *,
        confidence: float = 0.95,
    ) -> None:
        """Draw the mean of each method with its interval, a panel for each metric.

        Controls are grey. Methods whose intervals overlap may still be told apart by
        ``difference``.

        Args:
            to_file: Path of a picture to write, as in ``ke.utils.visualize``; None to
                show it.
            confidence: That of the intervals.

        Raises:
            ImportError: If matplotlib is not installed.
        """
        score_dots.draw_dots(
            self.mean,
            self.intervals(confidence),
            [score_table.row_title(self, name) for name in self.methods],
            [score_table.column_title(self, name) for name in self.metrics],
            [name in self.controls for name in self.methods],
            to_file=to_file,
        )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write everything to a NumPy archive at ``path``."""
        others = {name: getattr(self, name) for name in (*_NAMES, "notes", "facts")}
        arrays = {name: getattr(self, name) for name in _ARRAYS}
        with Path(path).open("wb") as file:  # NumPy would add ".npz" to a path.
            np.savez(file, evaluation=np.array(json.dumps(others)), **arrays)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Evaluation":
        """Return the evaluation that ``save`` wrote to ``path``.

        Raises:
            ValueError: If ``path`` is any other archive.
        """
        if Path(path).exists() and not zipfile.is_zipfile(path):
            raise _unknown(path, "is no archive")
        with np.load(path, allow_pickle=False) as file:
            missing = {*_ARRAYS, "evaluation"} - {*file.files}
            if missing:
                raise _unknown(path, f"lacks {sorted(missing)}")
            arrays = {name: file[name] for name in _ARRAYS}
            others = json.loads(str(file["evaluation"]))
        facts = others.pop("facts")
        named: dict[str, Any] = {name: tuple(x) for name, x in others.items()}
        return cls(**arrays, **named, facts=facts)

    def merged(self, other: "Evaluation") -> "Evaluation":
        """Return the evaluation of the images of both, as if made at once.

        Args:
            other: Evaluation of other images, with ids of their own, by the same
                methods and metrics.

        Raises:
            ValueError: If anything but the images differs, or both have an id.
        """
        _check_mergeable(self, other)
        return dataclasses.replace(
            self,
            samples=np.concatenate([self.samples, other.samples], axis=-1),
            ids=np.concatenate([self.ids, other.ids]),
            notes=tuple(dict.fromkeys([*self.notes, *other.notes])),
        )


def _unknown(path: str | os.PathLike[str], reason: str) -> ValueError:
    return ValueError(
        "`path` must be an archive that `Evaluation.save` wrote; received "
        f"{os.fspath(path)!r}, which {reason}."
    )


_ARRAYS = ("samples", "ids")
_NAMES = ("methods", "metrics", "controls", "higher_is_better")


def _mean(values: Floats) -> Floats:
    """Return the mean of finite values along the last axis; NaN if there are none."""
    finite = np.isfinite(values)
    total = np.where(finite, values, 0).sum(axis=-1)
    count = finite.sum(axis=-1)
    unknown = np.full(total.shape, np.nan)
    return np.divide(total, count, out=unknown, where=count > 0)


def _check_confidence(confidence: Any) -> None:
    checks.number("confidence", confidence, 0)
    if not 0 < confidence < 1:
        raise ValueError(
            f"`confidence` must be between 0 and 1; received {confidence!r}."
        )


def _check_mergeable(one: Evaluation, other: Evaluation) -> None:
    if not isinstance(other, Evaluation):
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
    if shared := sorted({*one.ids.tolist()} & {*other.ids.tolist()}):
        raise ValueError(
            "`other` must be of other images (`ids=` numbers them); received the id "
            f"{shared[0]} twice."
        )
