"""The workload of a timing: a model, images and units to explain."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Workload:
    """What every implementation in a comparison has to explain.

    Attributes:
        model: Name of a model in keras.applications, or path of a .keras file.
        images: Number of images.
        repetitions: Noisy copies per image.
        rows: Largest number of rows per step; None for the default of the package.
        units: Units to explain per image.
        pixels: Height and width of the images.
        classes: Number of units of the model.
    """

    model: str
    images: int
    repetitions: int
    rows: int | None = None
    units: int = 1
    pixels: int = 224
    classes: int = 1000


#: Builds an implementation: a function that explains once.
Build = Callable[[Workload], Callable[[], Any]]


def load_model(work: Workload) -> Any:
    import keras

    if work.model.endswith(".keras"):
        return keras.models.load_model(work.model)
    keras.utils.set_random_seed(0)
    application = getattr(keras.applications, work.model)
    shape = (work.pixels, work.pixels, 3)
    return application(weights=None, classifier_activation=None, input_shape=shape)


def random_data(work: Workload) -> tuple[Any, Any]:
    """Return images (N, H, W, 3) in -1..1, and units (N, K) to explain."""
    import numpy as np

    rng = np.random.default_rng(0)
    shape = (work.images, work.pixels, work.pixels, 3)
    images = rng.uniform(-1, 1, shape).astype("float32")
    return images, rng.integers(0, work.classes, (work.images, work.units))
