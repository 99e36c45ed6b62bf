"""``Evaluation``: the scores of methods, to be shown, compared, saved and merged."""

import dataclasses
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keras_explainable.common import checks
from keras_explainable.common.optional_packages import require
from keras_explainable.evaluation import (
    evaluation_figure,
    evaluation_files,
    merged_evaluations,
    score_table,
)
from keras_explainable.evaluation.image_statistics import (
    best_rows,
    error_of_draws,
    error_of_mean,
    mean_of_finite,
)
from keras_explainable.evaluation.method_curves import MethodCurves
from keras_explainable.evaluation.paired_differences import (
    Difference,
    difference,
    interval,
)
from keras_explainable.metrics.map_arrays import Floats

#: The name of the fact that lists metrics with the same draws for all images.
COMMON = "metrics with draws common to all images"


@dataclasses.dataclass(frozen=True, eq=False)
class Evaluation:
    """Scores of M methods by Q metrics for N images, as ``ke.evaluate`` returns them.

    Attributes:
        samples: Scores of each repetition of the random draws, (M, Q, R, N), means over
            the units of an image. NaN where there is none. Scores may have different
            numbers of repetitions, the others of which are NaN.
        ids: Ids of the images (N,).
        methods: Names of the methods, the controls included.
        metrics: Names of the metrics.
        controls: Names of the methods that are controls.
        higher_is_better: Orientation of each metric.
        notes: What is missing, and why.
        facts: Properties that must be equal for two evaluations to be merged, such as
            the model's fingerprint and the parameters of methods and metrics.
        curves: Curves of the metrics that are areas under them, ``deletion`` and
            ``insertion``, by name.
        unfinished_ids: The ids of images some of whose scores are missing because of
            Ctrl-C. To complete them, evaluate them again with these ids, and use
            ``merged``.
    """

    samples: Floats
    ids: NDArray[np.int64]
    methods: tuple[str, ...]
    metrics: tuple[str, ...]
    controls: tuple[str, ...]
    higher_is_better: tuple[bool, ...]
    notes: tuple[str, ...]
    facts: dict[str, Any]
    curves: dict[str, MethodCurves] = dataclasses.field(default_factory=dict)
    unfinished_ids: tuple[int, ...] = ()

    @property
    def scores(self) -> Floats:
        """The score of each image, (M, Q, N): the mean over the repetitions."""
        return mean_of_finite(self.samples, axis=2)

    @property
    def images(self) -> NDArray[np.int64]:
        """The number of images that have a score, (M, Q)."""
        return np.isfinite(self.scores).sum(axis=-1)

    @property
    def mean(self) -> Floats:
        """The mean over the images that have a score, (M, Q)."""
        return mean_of_finite(self.scores)

    @property
    def std_error(self) -> Floats:
        """The standard error of the mean over images, (M, Q); NaN for one image.

        It includes what random draws add that differ from image to image, as most do,
        but not those that all images share, such as the weights of ``mprt``.
        """
        return error_of_mean(self.scores)

    @property
    def monte_carlo_error(self) -> Floats:
        """The standard error of the mean due to random draws alone, (M, Q).

        It tells how much other seeds would change the mean for the same images: 0 for
        scores without random draws, and NaN for a single repetition.
        """
        columns = zip(self.metrics, self.samples.swapaxes(0, 1), strict=True)
        common = self.facts.get(COMMON, ())
        errors = [error_of_draws(each, name in common) for name, each in columns]
        return np.stack(errors, axis=1)

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
        methods that have none at all. Of equally good ones, it is the first.
        """
        checks.one_of("metric", metric, self.metrics)
        column = self.metrics.index(metric)
        rows = best_rows(self.scores[:, column], self.higher_is_better[column])
        return self.methods[rows[0]] if rows else None

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

        Below are the curves of ``deletion`` and ``insertion``, with bands of the
        standard error. Controls are grey. Methods whose intervals overlap may still be
        told apart by ``difference``.

        Args:
            to_file: Path of a picture to write, as in ``ke.utils.visualize``; None to
                show it.
            confidence: That of the intervals.

        Raises:
            ImportError: If matplotlib is not installed.
        """
        evaluation_figure.figure(self, confidence).output(to_file)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write everything to a NumPy archive at ``path``."""
        with Path(path).open("wb") as file:  # NumPy would add ".npz" to a path.
            evaluation_files.write(self, file)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Evaluation":
        """Return the evaluation that ``save`` wrote to ``path``.

        Raises:
            ValueError: If ``path`` is any other archive.
        """
        return cls(**evaluation_files.read(path))

    def images_at(self, rows: Any) -> "Evaluation":
        """Return the evaluation of some images only.

        Args:
            rows: Their positions, a slice, or whether each is among them (N,).
        """
        curves = {
            name: dataclasses.replace(each, scores=each.scores[:, rows])
            for name, each in self.curves.items()
        }
        ids = self.ids[rows]
        unfinished = tuple(x for x in ids.tolist() if x in self.unfinished_ids)
        return dataclasses.replace(
            self,
            samples=self.samples[..., rows],
            ids=ids,
            curves=curves,
            unfinished_ids=unfinished,
        )

    def merged(self, other: "Evaluation") -> "Evaluation":
        """Return the evaluation of the images of both, as if made at once.

        Images that Ctrl-C left unfinished may be in both: what one lacks is taken from
        the other.

        Args:
            other: Evaluation of other images, with ids of their own, by the same
                methods and metrics.

        Raises:
            ValueError: If anything but the images differs, or both have an image that
                is finished, or different scores of one.
        """
        return merged_evaluations.merged(self, other)


def _check_confidence(confidence: Any) -> None:
    checks.number("confidence", confidence, 0)
    if not 0 < confidence < 1:
        raise ValueError(
            f"`confidence` must be between 0 and 1; received {confidence!r}."
        )
