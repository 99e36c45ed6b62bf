"""The few facts a report is made of."""

from __future__ import annotations

import dataclasses
import re
import unicodedata

import numpy as np
from numpy.typing import NDArray

__all__ = ["METHODS", "Explanation", "Maps", "Names", "Noise", "Prediction", "Run"]

#: Names of the methods as people write them.
METHODS = {
    "smoothgrad": "SmoothGrad",
    "smoothgrad_squared": "SmoothGrad-squared",
    "vargrad": "VarGrad",
    "gradients": "Gradients",
    "input_x_gradient": "Input x gradient",
    "integrated_gradients": "Integrated gradients",
    "guided_gradients": "Guided gradients",
    "full_gradients": "Full gradients",
    "cam": "CAM",
    "gradcam": "Grad-CAM",
    "gradcampp": "Grad-CAM++",
    "hirescam": "HiResCAM",
    "layercam": "LayerCAM",
    "scorecam": "Score-CAM",
    "occlusion": "Occlusion",
    "rise": "RISE",
}

_LONGEST_NAME = 60  # characters; at 4 bytes each still below every system's 255


@dataclasses.dataclass(frozen=True)
class Prediction:
    """One class of one picture.

    Attributes:
        unit: the index of the class among the model's outputs.
        label: its name.
        score: the model's output for it.
        probability: whether ``score`` is one, and may be shown in percent.
    """

    unit: int
    label: str
    score: float
    probability: bool = True

    @property
    def shown(self) -> str:
        """Return the score as people read it: ``97.3 %``, or ``-0.0213``."""
        if not self.probability:
            return f"{self.score:.3g}"
        if self.score > 0.999:
            return "> 99.9 %"
        return "< 0.1 %" if self.score < 0.001 else f"{100 * self.score:.1f} %"


@dataclasses.dataclass(frozen=True)
class Noise:
    """What noise a picture had, and how sure its maps are.

    Attributes:
        sigma: its deviation, in units of the model's input.
        id: the number from which, with the seed, the noise follows.
        repetitions: noisy copies of the picture.
        relative_error: of each map, before absolute values and normalisation; None
            if it is not known, for a single repetition or slopes.
        flip_rate: share of the copies for which the network said another class.
    """

    sigma: float
    id: int
    repetitions: int
    relative_error: tuple[float | None, ...]
    flip_rate: float


@dataclasses.dataclass(frozen=True)
class Maps:
    """What one method found in one picture.

    Attributes:
        method: its name.
        values: float (H, W, K), one map per explained class; 0..1, or -1..1 if signed.
        noise: what noise it had; None if the method has none.
    """

    method: str
    values: NDArray[np.float32]
    noise: Noise | None = None

    @property
    def signed(self) -> bool:
        """Return whether something speaks against a class."""
        return bool((self.values < 0).any())


@dataclasses.dataclass(frozen=True)
class Explanation:
    """One picture, what the network said, and what it looked at.

    Attributes:
        name: what the user knows the picture by.
        image: uint8 RGB (H, W, 3), as the network saw it.
        explained: the K explained classes.
        predictions: the classes with the highest scores, best first.
        maps: of each method.
    """

    name: str
    image: NDArray[np.uint8]
    explained: tuple[Prediction, ...]
    predictions: tuple[Prediction, ...]
    maps: tuple[Maps, ...]


@dataclasses.dataclass(frozen=True)
class Run:
    """How all pictures of a report were explained; ``None`` where it does not apply.

    ``model_hash`` tells the network, its weights too, from another of the same name.
    """

    model: str
    model_hash: str
    preprocessing: str
    methods: tuple[str, ...]
    target: str
    repetitions: int | None
    noise_level: float | None
    estimator: str | None
    tolerance: float | None
    seed: int | None
    batch_size: int


class Names:
    """Names for files: safe in any folder, and never the same twice."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def unique(self, name: str) -> str:
        """Return the stem of ``name``, tamed, with a number if it was taken."""
        plain = unicodedata.normalize("NFC", name.replace("\\", "/").split("/")[-1])
        stem = re.sub(r"[^\w.-]+", "_", plain.rsplit(".", 1)[0] or plain)
        stem = stem.strip("._")[:_LONGEST_NAME] or "image"
        candidate, number = stem, 1
        while candidate.casefold() in self._taken:
            number += 1
            candidate = f"{stem}-{number}"
        self._taken.add(candidate.casefold())
        return candidate
