"""The settings of ``explain``, checked."""

import dataclasses
import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keras_explainable.cli import target_class
from keras_explainable.common import checks, near_names
from keras_explainable.report.explanation_records import FORMATS, METHODS, SweepGrid

#: Methods that average over noisy copies of the image.
NOISE_METHODS = ("smoothgrad", "smoothgrad_squared", "vargrad")

#: Methods that show a layer, which can be chosen.
LAYER_METHODS = (
    *("cam", "gradcam", "gradcampp", "hirescam", "layercam", "scorecam"),
    *("minmaxcam", "d_minmaxcam", "minmaxgradcam", "d_minmaxgradcam"),
)

#: Noise levels of a sweep, besides that of the run, and its most numbers of copies.
SWEPT_LEVELS, SWEPT_COUNTS = (0.05, 0.1, 0.15, 0.2, 0.3), 5

#: Ways to bring an image to the size of the model's input.
RESIZING = ("crop", "stretch", "pad")

#: Estimators of ``smoothgrad``'s mean, with the fewest copies that each can use.
ESTIMATORS = {"auto": 1, "sampled": 1, "slopes": 2, "hybrid": 4}


@dataclasses.dataclass(frozen=True)
class Settings:
    """The options of ``explain`` that determine the maps, checked when created.

    Attributes:
        method: One of ``METHODS``, or several of them separated by commas.
        target: ``top1``, ``top3``, ... for the best classes, or the index or the name
            of a class.
        repetitions: The number of noisy copies of each image.
        noise_level: Sigma as a fraction of each image's range.
        estimator: The estimator of smoothgrad's mean, one of ``ESTIMATORS``.
        tolerance: The relative error at which sampling stops; ``None`` for never.
        seed: The seed of the noise.
        batch_size: The largest number of rows sent through the network at once.
        layer: The layer that class activation maps show; ``None`` for the default.
        resize: How images get the size of the model's input, one of ``RESIZING``.
        picture_format: The format of the pictures of the maps, one of ``FORMATS``.
        sweep: Whether other noise levels and numbers of copies are tried, too.
    """

    method: str = "smoothgrad"
    target: str = "top1"
    repetitions: int = 64
    noise_level: float = 0.15
    estimator: str = "auto"
    tolerance: float | None = None
    seed: int = 0
    batch_size: int = 32
    layer: str | None = None
    resize: str = "crop"
    picture_format: str = "png"
    sweep: bool = False

    def __post_init__(self) -> None:
        self._check_methods()
        unique = len({*self.methods}) == len(self.methods)
        self._require(unique, "method", "a list without repeats")
        self._check_target()
        self._check_estimator()
        self._require(0 <= self.noise_level < math.inf, "noise_level", "0 or more")
        self._check_level()
        valid_error = self.tolerance is None or 0 <= self.tolerance < math.inf
        self._require(valid_error, "tolerance", "0 or more")
        self._check_effect()
        self._require(self.seed >= 0, "seed", "0 or more")
        self._require(self.batch_size >= 1, "batch_size", "at least 1")
        self._require_one_of("resize", self.resize, RESIZING)
        self._require_one_of("format", self.picture_format, tuple(FORMATS))
        if self.sweep:
            self._check_sweep()

    def _check_methods(self) -> None:
        for name in self.methods:
            if name not in METHODS:
                hint = near_names.question(name, METHODS) or "."
                raise ValueError(
                    "--method must be one of the methods in --help, or several of "
                    f"them, separated by commas; received {name}{hint}"
                )

    def _check_target(self) -> None:
        """Raise ValueError for what is neither valid nor like the name of a class."""
        valid = re.fullmatch(r"top[1-9][0-9]{0,8}|[0-9]{1,9}", self.target)
        is_name = not re.fullmatch(r"(top)?[\d\s.+-]*", self.target)
        wanted = "top1, top3, the index of a class or its name"
        self._require(valid or is_name, "target", wanted)

    def _check_level(self) -> None:
        if self.noise_level > 1:
            received = checks.too_large(self.noise_level)
            raise ValueError(f"--noise-level must be at most 1; {received}")

    def _check_estimator(self) -> None:
        name, copies = self.estimator, self.repetitions
        known = name in ESTIMATORS
        self._require(known, "estimator", f"one of {', '.join(ESTIMATORS)}")
        fewest = ESTIMATORS[name]
        self._require(copies >= fewest, "repetitions", f"at least {fewest}")
        if name in ("auto", "sampled"):
            return
        even = f"even with --estimator {name}"
        self._require(copies % 2 == 0, "repetitions", even)
        allowed = name == "hybrid" or self.tolerance is None
        omitted = f"omitted with --estimator {name}, which does not estimate its error"
        self._require(allowed, "tolerance", omitted)

    def _check_effect(self) -> None:
        """Raise ValueError if an option has no effect on any of the methods."""
        estimates = self.estimator == "auto" or "smoothgrad" in self.methods
        only = f"omitted without --method smoothgrad; {self.method} does not use it"
        self._require(estimates, "estimator", only)
        shows_layer = not {*self.methods}.isdisjoint(LAYER_METHODS)
        only = f"omitted without a class activation map; {self.method} shows no layer"
        self._require(self.layer is None or shows_layer, "layer", only)
        only = f"omitted with --method {self.method}, which adds no noise"
        for name in ("repetitions", "noise_level", "tolerance", "seed"):
            is_default = getattr(self, name) == getattr(type(self), name)
            self._require(is_default or self.add_noise, name, only)

    def _check_sweep(self) -> None:
        """Raise ValueError if an option does not allow to try several settings."""
        if not self.add_noise:
            raise ValueError(
                f"--sweep must be used with one of {', '.join(NOISE_METHODS)}; "
                f"--method {self.method} adds no noise."
            )
        if self.estimator not in ("auto", "sampled"):
            raise ValueError(
                "--sweep must be used with --estimator sampled, whose copies can be "
                f"continued; received --estimator {self.estimator}."
            )
        without = self.tolerance is None
        self._require(without, "tolerance", "omitted with --sweep, which shows errors")

    def _require_one_of(self, option: str, value: str, known: Sequence[str]) -> None:
        if value not in known:
            raise ValueError(
                f"--{option} must be one of {', '.join(known)}; received {value}."
            )

    def _require(self, condition: Any, name: str, requirement: str) -> None:
        if not condition:
            option, received = name.replace("_", "-"), getattr(self, name)
            raise ValueError(f"--{option} must be {requirement}; received {received}.")

    @property
    def methods(self) -> tuple[str, ...]:
        """Return the names of the methods."""
        return tuple(self.method.split(","))

    @property
    def grid(self) -> SweepGrid | None:
        """Return the settings of a sweep, if there is one."""
        if not self.sweep:
            return None
        powers = (1 << power for power in range(1, self.repetitions.bit_length()))
        fewer = [count for count in powers if count < self.repetitions]
        counts = *fewer[1 - SWEPT_COUNTS :], self.repetitions
        return SweepGrid(tuple(sorted({*SWEPT_LEVELS, self.noise_level})), counts)

    @property
    def add_noise(self) -> bool:
        """Return whether any of the methods adds noise."""
        return not {*self.methods}.isdisjoint(NOISE_METHODS)

    def for_classes(self, classes: Sequence[str]) -> "Settings":
        """Return the settings for a model, with the index of a class that is named.

        Raises:
            ValueError: If the target is not among the names of its classes.
        """
        if re.fullmatch(r"top[0-9]+", self.target):
            return self
        if not self.target.isdecimal():
            index = target_class.index_of(self.target, classes)
            return dataclasses.replace(self, target=str(index))
        if int(self.target) >= len(classes):
            raise ValueError(
                f"--target must be below {len(classes)}, the model's number of classes;"
                f" received {self.target}."
            )
        return self

    def target_units(self, logits: NDArray[np.float32]) -> NDArray[np.int64]:
        """Return the units to explain, shape (N, K), from logits (N, classes)."""
        if self.target.isdecimal():
            return np.full((len(logits), 1), int(self.target))
        best_first = np.argsort(-logits, axis=-1, kind="stable")
        return best_first[:, : int(self.target[3:])]
