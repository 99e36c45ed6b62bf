"""The records that a report is made of."""

import dataclasses
import re
import unicodedata

import numpy as np
from numpy.typing import NDArray

from keras_explainable.plotting.seen_part import WHOLE, SeenPart

#: Display names of the methods.
METHODS = {
    "smoothgrad": "SmoothGrad",
    "smoothgrad_squared": "SmoothGrad-squared",
    "vargrad": "VarGrad",
    "gradients": "Gradients",
    "input_x_gradient": "Input x gradient",
    "integrated_gradients": "Integrated gradients",
    "guided_gradients": "Guided gradients",
    "full_gradients": "Full gradients",
    "attnlrp": "AttnLRP",
    "cam": "CAM",
    "gradcam": "Grad-CAM",
    "gradcampp": "Grad-CAM++",
    "hirescam": "HiResCAM",
    "layercam": "LayerCAM",
    "scorecam": "Score-CAM",
    "minmaxcam": "MinMax-CAM",
    "d_minmaxcam": "D-MinMax-CAM",
    "minmaxgradcam": "MinMax-Grad-CAM",
    "d_minmaxgradcam": "D-MinMax-Grad-CAM",
    "attention_rollout": "Attention rollout",
    "gradient_attention_rollout": "Gradient attention rollout",
    "transformer_attribution": "Transformer attribution",
    "occlusion": "Occlusion",
    "rise": "RISE",
}

#: Formats of pictures, with their suffixes.
FORMATS = {"png": "png", "jpeg": "jpg", "webp": "webp"}

_MAX_STEM = 60  # characters, which even at 4 bytes each fit every file system


@dataclasses.dataclass(frozen=True)
class Prediction:
    """The prediction of one class for one image.

    Attributes:
        unit: The index of the class among the model's outputs.
        label: The name of the class.
        score: The model's output for the class.
        probability: Whether ``score`` is a probability, to be shown in percent.
    """

    unit: int
    label: str
    score: float
    probability: bool = True

    @property
    def score_text(self) -> str:
        """Return the score as text, such as ``97.3 %`` or ``-0.0213``."""
        if not self.probability:
            return f"{self.score:.3g}"
        if self.score > 0.999:
            return "> 99.9 %"
        return "< 0.1 %" if self.score < 0.001 else f"{100 * self.score:.1f} %"


@dataclasses.dataclass(frozen=True)
class Noise:
    """The noise added to one image, and the uncertainty of its maps.

    Attributes:
        sigma: The standard deviation, in units of the model's input.
        id: The number that, together with the seed, determines the noise.
        repetitions: The number of noisy copies of the image.
        relative_error: The relative error of each map, before absolute values and
            normalisation; ``None`` if unknown, as for a single copy or slopes.
        flip_rate: The share of copies for which the network predicted another class;
            None if its output tells no class.
        noise_level: Sigma as a fraction of the image's own maximum - minimum.
        estimator: How the maps were estimated: "sampled", "slopes" or "hybrid".
    """

    sigma: float
    id: int
    repetitions: int
    relative_error: tuple[float | None, ...]
    flip_rate: float | None
    noise_level: float
    estimator: str = "sampled"


@dataclasses.dataclass(frozen=True)
class Maps:
    """One method's maps of one image.

    Attributes:
        method: The name of the method.
        values: float (H, W, K), one map per explained class; 0..1, or -1..1 if signed.
        noise: The noise that was added; ``None`` for methods without.
        sweep: The maps with the settings of a ``SweepGrid``: a row for each noise
            level, with a column for each number of noisy copies. Empty if there is
            none.
    """

    method: str
    values: NDArray[np.float32]
    noise: Noise | None = None
    sweep: tuple[tuple["Maps", ...], ...] = ()

    @property
    def signed(self) -> bool:
        """Return whether any value is negative."""
        return bool((self.values < 0).any())


@dataclasses.dataclass(frozen=True)
class Explanation:
    """One image with its predictions and maps.

    Attributes:
        name: The display name of the image.
        image: The network's input before preprocessing, uint8 RGB (H, W, 3).
        explained: The K explained classes.
        predictions: The classes with the highest scores, best first.
        maps: The maps of each method.
        picture: The picture that is shown, uint8 RGB, if it is not ``image`` itself.
        seen: The part of the picture that ``image`` shows.
    """

    name: str
    image: NDArray[np.uint8]
    explained: tuple[Prediction, ...]
    predictions: tuple[Prediction, ...]
    maps: tuple[Maps, ...]
    picture: NDArray[np.uint8] | None = None
    seen: SeenPart = WHOLE

    @property
    def shown(self) -> NDArray[np.uint8]:
        """Return the picture that is shown."""
        return self.image if self.picture is None else self.picture

    @property
    def part_text(self) -> str:
        """Return what part of the picture the network saw; empty if all of it."""
        if self.seen.is_whole:
            return ""
        share = f"{100 * self.seen.fraction:.0f} %"
        return f"the network saw the framed part ({share})"


@dataclasses.dataclass(frozen=True)
class SweepGrid:
    """The settings that are tried beside those of the run, which are among them.

    Attributes:
        noise_levels: Increasing noise levels.
        repetitions: Increasing numbers of noisy copies; the last is that of the run.
    """

    noise_levels: tuple[float, ...]
    repetitions: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Run:
    """The settings of a run; ``None`` for those that do not apply.

    ``model_hash`` distinguishes networks of the same name by layers and weights, and
    ``layer`` is the one that class activation maps show. ``classes`` is a hash of the
    names of the classes, if they were given.
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
    layer: str | None = None
    resize: str | None = None
    classes: str | None = None
    picture_format: str = "png"
    sweep: SweepGrid | None = None


class FileNames:
    """Gives out file names that are valid on every system and unique."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def unique(self, name: str) -> str:
        """Return a safe stem of ``name``, with a number if the stem was taken."""
        file_name = unicodedata.normalize("NFC", name.replace("\\", "/").split("/")[-1])
        stem = re.sub(r"[^\w.-]+", "_", file_name.rsplit(".", 1)[0] or file_name)
        stem = stem.strip("._")[:_MAX_STEM] or "image"
        candidate, number = stem, 1
        while candidate.casefold() in self._taken:
            number += 1
            candidate = f"{stem}-{number}"
        self._taken.add(candidate.casefold())
        return candidate
