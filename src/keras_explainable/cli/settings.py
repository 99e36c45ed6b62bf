"""How to explain, as the user said it."""

from __future__ import annotations

import dataclasses
import math
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["ESTIMATORS", "METHODS", "NOISY", "SIGNED", "Settings"]

#: Shortcuts of the package that average over noisy copies of the image.
NOISY = ("smoothgrad", "smoothgrad_squared", "vargrad")

#: Of the mean of ``smoothgrad``, and the fewest copies that each can do with.
ESTIMATORS = {"sampled": 1, "slopes": 2, "hybrid": 4}

#: Those whose maps tell what speaks for a class from what speaks against it.
SIGNED = ("input_x_gradient", "integrated_gradients", "occlusion")

METHODS = (
    *NOISY,
    "gradients",
    "input_x_gradient",
    "integrated_gradients",
    "guided_gradients",
    "full_gradients",
    "cam",
    "gradcam",
    "gradcampp",
    "hirescam",
    "layercam",
    "scorecam",
    "occlusion",
    "rise",
)


@dataclasses.dataclass(frozen=True)
class Settings:
    """The options of ``explain`` that decide the maps, checked when made.

    Attributes:
        method: one of ``METHODS``, or several of them with commas.
        target: ``top1``, ``top3``, ... for the best classes, or the index of one.
        repetitions: noisy copies of each image.
        noise_level: sigma as a fraction of each image's range.
        estimator: of smoothgrad's mean, one of ``ESTIMATORS``.
        tolerance: relative error at which fewer copies are enough; None for none.
        seed: of the noise.
        batch_size: the most rows that go through the network at once.
    """

    method: str = "smoothgrad"
    target: str = "top1"
    repetitions: int = 50
    noise_level: float = 0.15
    estimator: str = "sampled"
    tolerance: float | None = None
    seed: int = 0
    batch_size: int = 32

    def __post_init__(self) -> None:
        known = "one of " + ", ".join(METHODS) + "; or several with commas"
        _must({*self.methods} <= {*METHODS}, "--method", known, self.method)
        once = len({*self.methods}) == len(self.methods)
        _must(once, "--method", "different ones", self.method)
        form = re.fullmatch(r"top[1-9][0-9]{0,8}|[0-9]{1,9}", self.target)
        _must(form, "--target", "top1, top3 or the index of a class", self.target)
        self._check_estimator()
        level = self.noise_level
        _must(0 <= level < math.inf, "--noise-level", "0 or more", level)
        error = self.tolerance
        fine = error is None or 0 <= error < math.inf
        _must(fine, "--tolerance", "0 or more", error)
        _must(self.seed >= 0, "--seed", "0 or more", self.seed)
        _must(self.batch_size >= 1, "--batch-size", "at least 1", self.batch_size)

    def _check_estimator(self) -> None:
        name, copies = self.estimator, self.repetitions
        _must(
            name in ESTIMATORS, "--estimator", f"one of {', '.join(ESTIMATORS)}", name
        )
        fewest = ESTIMATORS[name]
        _must(copies >= fewest, "--repetitions", f"at least {fewest}", copies)
        if name == "sampled":
            return
        even = f"even with --estimator {name}"
        _must(copies % 2 == 0, "--repetitions", even, copies)
        known = name == "hybrid" or self.tolerance is None
        absent = f"left out with --estimator {name}, whose error is not known"
        _must(known, "--tolerance", absent, self.tolerance)

    @property
    def methods(self) -> tuple[str, ...]:
        """Return the names of the methods."""
        return tuple(self.method.split(","))

    @property
    def noisy(self) -> bool:
        """Return whether a method adds noise."""
        return not {*self.methods}.isdisjoint(NOISY)

    def check_classes(self, count: int) -> None:
        """Raise ValueError if the target is none of a model's classes."""
        if self.target.isdecimal() and int(self.target) >= count:
            raise ValueError(
                f"--target must be below {count}, the model's number of classes; "
                f"received {self.target}."
            )

    def units(self, logits: NDArray[np.float32]) -> NDArray[np.int64]:
        """Return the units to explain (N, K), from logits (N, classes)."""
        if self.target.isdecimal():
            return np.full((len(logits), 1), int(self.target))
        best_first = np.argsort(-logits, axis=-1, kind="stable")
        return best_first[:, : int(self.target[3:])]


def _must(holds: Any, option: str, requirement: str, received: Any) -> None:
    if not holds:
        raise ValueError(f"{option} must be {requirement}; received {received}.")
