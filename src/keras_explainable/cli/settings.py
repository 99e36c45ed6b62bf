"""The settings of ``explain``, checked."""

import dataclasses
import math
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Methods that average over noisy copies of the image.
NOISE_METHODS = ("smoothgrad", "smoothgrad_squared", "vargrad")

#: Estimators of ``smoothgrad``'s mean, with the fewest copies that each can use.
ESTIMATORS = {"sampled": 1, "slopes": 2, "hybrid": 4}

#: Methods whose maps have a sign: evidence for or against a class.
SIGNED_METHODS = ("input_x_gradient", "integrated_gradients", "occlusion")

METHODS = (
    *NOISE_METHODS,
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
    """The options of ``explain`` that determine the maps, checked when created.

    Attributes:
        method: One of ``METHODS``, or several of them separated by commas.
        target: ``top1``, ``top3``, ... for the best classes, or the index of a class.
        repetitions: The number of noisy copies of each image.
        noise_level: Sigma as a fraction of each image's range.
        estimator: The estimator of smoothgrad's mean, one of ``ESTIMATORS``.
        tolerance: The relative error at which sampling stops; ``None`` for never.
        seed: The seed of the noise.
        batch_size: The largest number of rows sent through the network at once.
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
        names = f"one of {', '.join(METHODS)}, or several of them, separated by commas"
        _require({*self.methods} <= {*METHODS}, "--method", names, self.method)
        unique = len({*self.methods}) == len(self.methods)
        _require(unique, "--method", "a list without repeats", self.method)
        target = re.fullmatch(r"top[1-9][0-9]{0,8}|[0-9]{1,9}", self.target)
        _require(target, "--target", "top1, top3 or the index of a class", self.target)
        self._check_estimator()
        level = self.noise_level
        _require(0 <= level < math.inf, "--noise-level", "0 or more", level)
        error = self.tolerance
        valid = error is None or 0 <= error < math.inf
        _require(valid, "--tolerance", "0 or more", error)
        _require(self.seed >= 0, "--seed", "0 or more", self.seed)
        _require(self.batch_size >= 1, "--batch-size", "at least 1", self.batch_size)

    def _check_estimator(self) -> None:
        name, copies = self.estimator, self.repetitions
        names = f"one of {', '.join(ESTIMATORS)}"
        _require(name in ESTIMATORS, "--estimator", names, name)
        fewest = ESTIMATORS[name]
        _require(copies >= fewest, "--repetitions", f"at least {fewest}", copies)
        if name == "sampled":
            return
        even = f"even with --estimator {name}"
        _require(copies % 2 == 0, "--repetitions", even, copies)
        allowed = name == "hybrid" or self.tolerance is None
        omitted = f"omitted with --estimator {name}, which does not estimate its error"
        _require(allowed, "--tolerance", omitted, self.tolerance)

    @property
    def methods(self) -> tuple[str, ...]:
        """Return the names of the methods."""
        return tuple(self.method.split(","))

    @property
    def add_noise(self) -> bool:
        """Return whether any of the methods adds noise."""
        return not {*self.methods}.isdisjoint(NOISE_METHODS)

    def check_target(self, classes: int) -> None:
        """Raise ValueError if the target is not among a model's ``classes`` classes."""
        if self.target.isdecimal() and int(self.target) >= classes:
            raise ValueError(
                f"--target must be below {classes}, the model's number of classes; "
                f"received {self.target}."
            )

    def target_units(self, logits: NDArray[np.float32]) -> NDArray[np.int64]:
        """Return the units to explain, shape (N, K), from logits (N, classes)."""
        if self.target.isdecimal():
            return np.full((len(logits), 1), int(self.target))
        best_first = np.argsort(-logits, axis=-1, kind="stable")
        return best_first[:, : int(self.target[3:])]


def _require(condition: Any, option: str, requirement: str, received: Any) -> None:
    if not condition:
        raise ValueError(f"{option} must be {requirement}; received {received}.")
