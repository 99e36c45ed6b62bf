"""What a sampling method knows about its own maps, to be shown, kept and continued."""

import dataclasses
import json
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import ops

from keras_explainable.common import table_format
from keras_explainable.sampling import welford, wiener_shrinkage
from keras_explainable.sampling.standard_error import (
    estimate,
    map_norms,
    relative_error,
    standard_error,
)
from keras_explainable.sampling.welford import State


@dataclasses.dataclass(frozen=True)
class Stats:
    """How sure the maps of N images are, and all that is needed to go on.

    Attributes:
        logits: the chosen logits of the clean inputs (N, K).
        state: sums of powers of the maps, each (N, ..., K).
        counts: what the state counts (N,): repetitions, or pairs of them.
        draws: what each image has had, intervals (runs, N, 2) from a first number to
            below a last one.
        sigma: of the noise, in units of the input (N, 1), or (N, C) for each channel.
        flips: how often the predicted class changed under the noise (N,).
        drifts: sum of the logits' changes under the noise (N, K).
        repetitions: how many noisy copies each image has had (N,).
        ids: of the images' noise (N,).
        units: the units explained (N, K).
        facts: what must be equal for two runs to be merged: the model's fingerprint,
            the method, the seed, ...
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
        return _numpy(estimate(*self._parts))

    @property
    def std_error(self) -> np.ndarray:
        """The standard error of each value of the maps, in their units."""
        return _numpy(standard_error(*self._parts))

    @property
    def relative_error(self) -> np.ndarray:
        """The norm of the standard error over the norm of the map (N, K)."""
        return relative_error(*self._parts)

    @property
    def flip_rate(self) -> np.ndarray:
        """The share of noisy copies with another predicted class (N,)."""
        return self.flips / self.repetitions

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
        """A caption, and columns with a row for each map."""
        count = self.units.shape[1]
        sigma = [", ".join(f"{each:.3g}" for each in row) for row in self.sigma]
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
        return f"{self.facts['statistic']} of {self.facts['method']}", columns

    @property
    def _parts(self) -> tuple[State, np.ndarray, str]:
        return _tensors(self.state), self.counts, self.facts["statistic"]

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write everything to a NumPy archive, ``path`` ending in .npz."""
        arrays: dict[str, Any] = {name: getattr(self, name) for name in _ARRAYS}
        arrays |= {f"state_{power}": array for power, array in enumerate(self.state)}
        np.savez(path, facts=np.array(json.dumps(self.facts)), **arrays)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Stats":
        """Return what ``save`` wrote.

        Raises:
            ValueError: if ``path`` holds anything else.
        """
        with np.load(path, allow_pickle=False) as file:
            missing = {*_ARRAYS, "facts", "state_0"} - {*file.files}
            if missing:
                raise ValueError(
                    "`path` must be an archive that `Stats.save` wrote; received "
                    f"{os.fspath(path)!r}, which lacks {sorted(missing)}."
                )
            powers = sorted(name for name in file.files if name.startswith("state_"))
            arrays = {name: file[name] for name in _ARRAYS}
            facts = json.loads(str(file["facts"]))
            return cls(state=tuple(file[p] for p in powers), facts=facts, **arrays)

    def merged(self, other: "Stats") -> "Stats":
        """Return the stats of both runs together, as if they had been one.

        Args:
            other: of other repetitions (``smooth(..., start=...)``) of the same.

        Raises:
            ValueError: if anything but the repetitions differs, or if both had one of
                the same number.
        """
        _check_mergeable(self, other)
        parts = _tensors(self.state), self.counts, _tensors(other.state), other.counts
        return dataclasses.replace(
            self,
            state=tuple(map(_numpy, welford.merged(*parts))),
            draws=np.concatenate([self.draws, other.draws]),
            **{name: getattr(self, name) + getattr(other, name) for name in _SUMS},
        )

    def shrunk(self, other: "Stats") -> tuple[np.ndarray, np.ndarray]:
        """Return the maps of both runs together with less error, and what is left.

        What the two runs share is taken for signal, the rest for noise, and each band
        of spatial frequencies is shrunk by signal / (signal + noise). This costs no
        more repetitions, mostly takes out fine detail that is noise, and converges to
        ``merged(other).maps`` as there is less of it.

        Args:
            other: of other repetitions of the same, about as many.

        Returns:
            Maps (N, H, W, ..., K), and the norm of their error, as estimated, over
            that of the maps (N, K).

        Raises:
            ValueError: as for ``merged``; or if the statistic is not a mean.
        """
        _check_mergeable(self, other)
        if self.facts["statistic"] == "variance":
            raise ValueError(
                "`statistic` must be 'mean' or 'square', to shrink its maps; received "
                "'variance'."
            )
        halves, counts = (self.maps, other.maps), (self.counts, other.counts)
        maps, squared = wiener_shrinkage.shrink(halves, counts)
        size = map_norms(ops.convert_to_tensor(maps))
        return maps, np.sqrt(squared) / np.where(size > 0, size, 1)

    def of_model(self, fingerprint: str) -> "Stats":
        """Return the stats with the fingerprint of the model among their facts."""
        return dataclasses.replace(self, facts=self.facts | {"model": fingerprint})

    def taken(self, count: int) -> "Stats":
        """Return the stats of the first ``count`` images."""
        return _each([self], lambda arrays, axis: arrays[0].take(range(count), axis))


_SUMS = ("counts", "flips", "drifts", "repetitions")
_ARRAYS = (*_SUMS, "logits", "draws", "sigma", "ids", "units")


def concatenated(parts: Sequence[Stats]) -> Stats:
    """Return the stats of several batches of images as one."""
    whole = _each(parts, np.concatenate)
    seeds = {part.facts["seed"] for part in parts}
    if len(seeds) > 1:  # Fresh ones: nobody could go on with them.
        return dataclasses.replace(whole, facts=whole.facts | {"seed": None})
    return whole


def _each(parts: Sequence[Stats], join: Any) -> Stats:
    """Return stats with each array concatenated from those of the parts, images last."""
    arrays = {
        name: join([getattr(part, name) for part in parts], axis=int(name == "draws"))
        for name in _ARRAYS
    }
    powers = zip(*(part.state for part in parts), strict=True)
    state = tuple(join(list(power), axis=0) for power in powers)
    return dataclasses.replace(parts[0], state=state, **arrays)


def _tensors(state: Sequence[np.ndarray]) -> State:
    return [ops.convert_to_tensor(array) for array in state]


def _numpy(x: Any) -> np.ndarray:
    return ops.convert_to_numpy(x)


def _check_mergeable(one: Stats, other: Stats) -> None:
    if (estimator := one.facts.get("estimator", "sampled")) != "sampled":
        raise ValueError(
            "`estimator` must be 'sampled', for maps to be means of repetitions; "
            f"received {estimator!r}."
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
    """Raise ValueError if an interval of one overlaps one of the other's."""
    start = np.maximum(draws[:, None, :, 0], others[None, :, :, 0])
    stop = np.minimum(draws[:, None, :, 1], others[None, :, :, 1])
    if (shared := start < stop).any():
        where = tuple(np.argwhere(shared)[0])
        raise ValueError(
            "`other` must be of other repetitions (`start=` sets the first); received "
            f"{start[where]} to {stop[where] - 1} of image {where[-1]} twice."
        )
