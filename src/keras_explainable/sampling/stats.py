"""The uncertainty of sampled maps, to be shown, saved, continued and merged."""

import dataclasses
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from keras import ops

from keras_explainable.common import table_format
from keras_explainable.common.precision import storable
from keras_explainable.sampling import standard_error, welford, wiener_shrinkage
from keras_explainable.sampling.welford import State

_numpy = ops.convert_to_numpy


@dataclasses.dataclass(frozen=True)
class Stats:
    """The uncertainty of the maps of N images, and the state needed to continue.

    Attributes:
        logits: Selected logits of the clean inputs, shape (N, K).
        state: Running moments of the maps, each of shape (N, ..., K).
        counts: Number of maps in the state, shape (N,): repetitions, or pairs of them.
        draws: Repetitions of each image as half-open intervals, shape (runs, N, 2).
        sigma: Standard deviation of the noise in units of the input, shape (N, 1), or
            (N, C) for each channel. Maps of a layer have that of all inputs.
        flips: Number of noisy copies with another predicted class, shape (N,).
        drifts: Sum of the logits' changes under the noise, shape (N, K).
        repetitions: Number of noisy copies of each image, shape (N,).
        ids: Ids of the images, which determine their noise, shape (N,).
        units: Explained units, shape (N, K).
        facts: Properties that must be equal for two runs to be merged, such as the
            model's fingerprint, the method and the seed.
    """

    logits: np.ndarray
    state: tuple[np.ndarray, ...]
    counts: np.ndarray
    draws: np.ndarray
    sigma: np.ndarray
    flips: np.ndarray
    drifts: np.ndarray
    repetitions: np.ndarray
    ids: np.ndarray
    units: np.ndarray
    facts: dict[str, Any]

    @property
    def maps(self) -> np.ndarray:
        """The maps (N, ..., K), before any postprocessing."""
        return _numpy(standard_error.estimate(*self._estimate_args))

    @property
    def std_error(self) -> np.ndarray:
        """The standard error of each value of the maps, in their units."""
        return _numpy(standard_error.standard_error(*self._estimate_args))

    @property
    def relative_error(self) -> np.ndarray:
        """The norm of the standard error over the norm of the map (N, K)."""
        return standard_error.relative_error(*self._estimate_args)

    @property
    def estimator(self) -> str:
        """How the maps were estimated: "sampled", "slopes" or "hybrid"."""
        return str(self.facts.get("estimator", "sampled"))

    @property
    def flip_rate(self) -> np.ndarray:
        """The fraction of noisy copies with another predicted class (N,).

        The class of a single logit is its sign. NaN for targets, whose values are no
        classes, and for a single output between 0 and 1 that may be no logit.
        """
        known = self.facts.get("classes", True)
        return self.flips / self.repetitions if known else self.repetitions * np.nan

    @property
    def score_drift(self) -> np.ndarray:
        """The mean change of the logits under the noise (N, K)."""
        return self.drifts / self.repetitions[:, None]

    def __repr__(self) -> str:
        return table_format.text(*self._table)

    def _repr_html_(self) -> str:
        return table_format.html(*self._table)

    @property
    def _table(self) -> tuple[str, dict[str, Any]]:
        """The caption, and columns with one row for each map."""
        count = self.units.shape[1]
        sigma = [", ".join(f"{value:.3g}" for value in row) for row in self.sigma]
        columns: dict[str, Any] = {
            "image": self.ids.repeat(count),
            "unit": self.units.ravel(),
            "logit": self.logits.ravel(),
            "relative error": self.relative_error.ravel(),
            "repetitions": self.repetitions.repeat(count),
            "sigma": np.repeat(sigma, count).tolist(),
            "flip rate": self.flip_rate.repeat(count),
            "score drift": self.score_drift.ravel(),
        }
        by = "" if self.estimator == "sampled" else f", estimator {self.estimator!r}"
        return f"{self.facts['statistic']} of {self.facts['method']}{by}", columns

    @property
    def _estimate_args(self) -> tuple[State, np.ndarray, str]:
        return _tensors(self.state), self.counts, self.facts["statistic"]

    def to_dict(self) -> dict[str, list[Any]]:
        """Return the table that notebooks show, as lists with one entry for each map.

        ``pandas.DataFrame(stats.to_dict())`` is a table, and ``json.dumps`` writes it.
        The columns are ``image`` (its id), ``unit``, ``logit``, ``relative_error``,
        ``repetitions``, ``sigma`` (a list if channels differ), ``flip_rate`` and
        ``score_drift``.
        """
        _, shown = self._table
        count = self.units.shape[1]
        sigma = [row[0] if len(row) == 1 else row for row in self.sigma.tolist()]
        columns = shown | {"sigma": [each for each in sigma for _ in range(count)]}
        return {
            name.replace(" ", "_"): [*column] if name == "sigma" else column.tolist()
            for name, column in columns.items()
        }

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write everything to a NumPy archive at ``path``, which ends in .npz."""
        np.savez(path, facts=np.array(json.dumps(self.facts)), **self.arrays())

    def arrays(self) -> dict[str, Any]:
        """Return all arrays by name, to be stored; ``of_arrays`` undoes it."""
        arrays = {name: storable(getattr(self, name)) for name in _ARRAYS}
        states = {f"state_{power}": array for power, array in enumerate(self.state)}
        return arrays | states

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, Any], facts: dict[str, Any]) -> "Stats":
        """Return the stats of arrays by name, as ``arrays`` returns them."""
        powers = sorted(name for name in arrays if name.startswith("state_"))
        own = {name: arrays[name] for name in _ARRAYS}
        return cls(state=tuple(arrays[power] for power in powers), facts=facts, **own)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Stats":
        """Return the stats that ``save`` wrote to ``path``.

        Raises:
            ValueError: If ``path`` is any other archive.
        """
        with np.load(path, allow_pickle=False) as file:
            missing = {*_ARRAYS, "facts", "state_0"} - {*file.files}
            if missing:
                raise ValueError(
                    "`path` must be an archive that `Stats.save` wrote; received "
                    f"{os.fspath(path)!r}, which lacks {sorted(missing)}."
                )
            return cls.of_arrays(file, json.loads(str(file["facts"])))

    def merged(self, other: "Stats") -> "Stats":
        """Return the stats of both runs together, as if they had been one.

        Args:
            other: Stats of other repetitions (``smooth(..., start=...)``) of the same
                run.

        Raises:
            ValueError: If anything but the repetitions differs, or if both runs
                include the same repetition.
        """
        _check_mergeable(self, other)
        samples = _tensors(self.state), self.counts, _tensors(other.state), other.counts
        return dataclasses.replace(
            self,
            state=tuple(map(_numpy, welford.merged(*samples))),
            draws=np.concatenate([self.draws, other.draws]),
            **{name: getattr(self, name) + getattr(other, name) for name in _SUMS},
        )

    def shrunk(self, other: "Stats") -> tuple[np.ndarray, np.ndarray]:
        """Return the maps of both runs together with less error, and that error.

        What the two runs share is taken as signal and the rest as noise, and each band
        of spatial frequencies is shrunk by signal / (signal + noise). This needs no
        further repetitions, mostly removes fine detail that is noise, and converges to
        ``merged(other).maps`` as the noise decreases.

        Args:
            other: Stats of about as many other repetitions of the same run.

        Returns:
            Maps (N, H, W, ..., K), and the estimated norm of their error over that of
            the maps (N, K).

        Raises:
            ValueError: As for ``merged``; or if the statistic is not a mean.
        """
        _check_mergeable(self, other)
        if self.facts["statistic"] == "variance":
            raise ValueError(
                "`statistic` must be 'mean' or 'square' for shrinkage; received "
                "'variance'."
            )
        halves, counts = (self.maps, other.maps), (self.counts, other.counts)
        maps, squared = wiener_shrinkage.shrink(halves, counts)
        norms = standard_error.map_norms(ops.convert_to_tensor(maps))
        return maps, np.sqrt(squared) / np.where(norms > 0, norms, 1)

    def with_facts(self, facts: dict[str, Any]) -> "Stats":
        """Return the stats with more facts, such as the model's fingerprint."""
        return dataclasses.replace(self, facts=self.facts | facts)

    def taken(self, count: int) -> "Stats":
        """Return the stats of the first ``count`` images."""
        return _join_arrays(
            [self], lambda arrays, axis: arrays[0].take(range(count), axis)
        )


_SUMS = ("counts", "flips", "drifts", "repetitions")
_ARRAYS = (*_SUMS, "logits", "draws", "sigma", "ids", "units")


def concatenated(parts: Sequence[Stats]) -> Stats:
    """Return the stats of several batches of images as one."""
    whole = _join_arrays(parts, np.concatenate)
    seeds = {part.facts["seed"] for part in parts}
    if len(seeds) > 1:  # Fresh seeds, with which no run can continue.
        return dataclasses.replace(whole, facts=whole.facts | {"seed": None})
    return whole


def _join_arrays(parts: Sequence[Stats], join: Any) -> Stats:
    """Return stats whose arrays are those of the parts, joined along the images."""
    arrays = {
        name: join([getattr(part, name) for part in parts], axis=int(name == "draws"))
        for name in _ARRAYS
    }
    powers = zip(*(part.state for part in parts), strict=True)
    state = tuple(join(list(power), axis=0) for power in powers)
    return dataclasses.replace(parts[0], state=state, **arrays)


def _tensors(state: Sequence[np.ndarray]) -> State:
    return [ops.convert_to_tensor(array) for array in state]


def _check_mergeable(one: Stats, other: Stats) -> None:
    for each in (one, other):
        if each.estimator != "sampled":
            raise ValueError(
                "`estimator` must be 'sampled' for both runs, so that maps are means "
                f"of repetitions; received {each.estimator!r}."
            )
    _check_same(one, other)
    _check_disjoint(one.draws, other.draws)


def _check_same(one: Stats, other: Stats) -> None:
    different = [
        f"{name} ({one.facts.get(name)!r} and {other.facts.get(name)!r})"
        for name in sorted({*one.facts, *other.facts})
        if one.facts.get(name) != other.facts.get(name)
    ]
    for name in ("ids", "units", "sigma"):
        if not np.array_equal(getattr(one, name), getattr(other, name)):
            different.append(name)
    if not different and not np.allclose(one.logits, other.logits, 1e-3, 1e-3):
        different.append("image (their logits differ)")
    if not different and one.facts["seed"] is None:
        different.append("seed (a fresh one for each batch)")
    if different:
        raise ValueError(
            "`other` must be of the same model, images, units, method, sigma and seed; "
            f"received another {', another '.join(different)}."
        )


def _check_disjoint(draws: np.ndarray, others: np.ndarray) -> None:
    """Raise ValueError if any two intervals of an image overlap."""
    start = np.maximum(draws[:, None, :, 0], others[None, :, :, 0])
    stop = np.minimum(draws[:, None, :, 1], others[None, :, :, 1])
    if (shared := start < stop).any():
        where = tuple(np.argwhere(shared)[0])
        raise ValueError(
            "`other` must be of other repetitions (`start=` sets the first); received "
            f"{start[where]} to {stop[where] - 1} of image {where[-1]} twice."
        )
