"""Maps of the same images, again and again while a model is trained."""

import io
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from keras_explainable.callbacks.image_events import ImageEvents, is_installed
from keras_explainable.common import checks
from keras_explainable.common.unit_names import Names
from keras_explainable.engine.data_iterators import as_numpy
from keras_explainable.engine.explanation.explanation import AnyExplanation
from keras_explainable.evaluation.named_methods import Method, named_methods
from keras_explainable.plotting.image_range import as_pictures
from keras_explainable.plotting.visualize import visualize
from keras_explainable.report.training_report import (
    EpochMaps,
    TrainingReport,
    TrainingRun,
)

#: Parameters of ``ke.explain`` that the callback sets.
_OWN = {"verbose", "return_stats", "ids", "steps"}


class Explain(keras.callbacks.Callback):
    """Writes the maps of some images as a model is trained, into a report.

    ``folder/index.html`` shows, for each image, its maps from one epoch to the next
    with the scores that they explain. It can be opened while the model is trained.
    There is also a picture for each method and epoch, with the images in its first row
    and their maps below: ``folder/smoothgrad/epoch_0003.png`` is that after three
    epochs, and ``epoch_0000.png`` that before the first. If TensorBoard is installed,
    it shows these, too: ``tensorboard --logdir folder``. Noise is the same in all
    epochs, and the model is not changed.

    Args:
        x: Images (N, H, W, C), as the model takes them. A few are enough.
        y: Units to explain, as in ``ke.explain``: (N, K) or (N,), or "predicted".
        methods: Name of a shortcut, such as "gradcam", or several: names, shortcuts or
            methods in a list, or in a dictionary by name.
        every: Number of epochs from one picture to the next.
        folder: Where the report is written; it is created if necessary. If it has one
            of the same methods and images, a training that starts with a later epoch
            continues it.
        images: Pictures (N, H, W, 3) or (N, H, W, 1) to show in place of ``x``, if it
            is preprocessed.
        seed: Integer >= 0, of methods that draw at random: the same noise in each
            epoch, so that only the model changes.
        tensorboard: Whether events are written for TensorBoard; by default, if it is
            installed.
        class_names: Names of units for the report: a list of all in their order, or a
            dictionary by unit; others have their numbers. The only unit of a binary
            classifier has the second of two names.
        **params: Further parameters of ``ke.explain`` and of the methods.

    Raises:
        ValueError: If an argument is invalid.
        ImportError: If ``tensorboard`` is True and it is not installed.

    Example::

        watched = ke.callbacks.Explain(x_test[:8], y_test[:8], ["gradcam", "rise"])
        model.fit(x, y, epochs=20, callbacks=[watched])
    """

    def __init__(
        self,
        x: Any,
        y: Any = "predicted",
        methods: Any = "smoothgrad",
        *,
        every: int = 1,
        folder: str | os.PathLike[str] = "explanations",
        images: Any = None,
        seed: int = 0,
        tensorboard: bool | None = None,
        class_names: Names | None = None,
        **params: Any,
    ):
        super().__init__()
        self.class_names = _by_unit(class_names)
        checks.integer("every", every, 1)
        checks.integer("seed", seed, 0)
        self.seed = seed
        if own := sorted(_OWN & {*params}):
            raise ValueError(
                "`params` must be parameters of methods, or of `ke.explain` but for "
                f"{sorted(_OWN)}, which the callback sets; received {own}."
            )
        self.x, self.y, self.every, self.given = as_numpy(x, "x"), y, every, params
        _check_images("x", self.x)
        self.methods = _functions(methods, self.x.shape)
        shown = self.x if images is None else as_numpy(images, "images")
        _check_images("images", shown, len(self.x))
        self.images = _pictures(shown)
        self.folder = Path(folder)
        self._report: TrainingReport | None = None
        self.events = _events(self.folder, tensorboard)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Write the first maps, before the model is trained.

        There are none of a model that its first batch builds.
        """
        is_first = epoch == 0 or not self._path(self.methods[0], epoch).exists()
        if self.model.built and is_first:
            self._write_if_due(epoch, {})

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Write maps after each ``every`` epochs."""
        self._write_if_due(epoch + 1, logs or {})

    def on_train_end(self, logs: Any = None) -> None:
        """Close the events."""
        if self.events:
            self.events.close()

    def _write_if_due(self, epochs: int, logs: dict[str, Any]) -> None:
        if epochs % self.every:
            return
        found = {}
        for method in self.methods:
            explained = method.explained(
                self.model, self.x, self.y, self.seed, **self.given
            )
            self._write_picture(method, np.asarray(explained[1]), epochs)
            found[method.name] = _epoch_maps(explained, self.class_names)
        self._opened().add(epochs, _numbers(logs), found)

    def _opened(self) -> TrainingReport:
        if self._report is None:
            names = tuple(method.name for method in self.methods)
            run = TrainingRun(self.model.name, names, self.every)
            self._report = TrainingReport(self.folder, run, self.images)
        return self._report

    def _write_picture(self, method: Method, maps: NDArray[Any], epochs: int) -> None:
        png = _drawn(self.images, maps)
        path = self._path(method, epochs)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png)
        if self.events:
            with Image.open(path) as picture:
                self.events.add(method.name, png, picture.size, epochs)

    def _path(self, method: Method, epochs: int) -> Path:
        return self.folder / method.name / f"epoch_{epochs:04}.png"


def _functions(methods: Any, shape: tuple[int, ...]) -> list[Method]:
    """Return the methods, none of which may be maps that were computed before."""
    several = isinstance(methods, list | tuple | dict)
    found = named_methods(methods if several else [methods], False, shape)
    if computed := [each.name for each in found if each.function is None]:
        raise ValueError(f"`methods` must be methods; received maps for {computed}.")
    return found


def _check_images(name: str, images: NDArray[Any], count: int | None = None) -> None:
    if images.ndim != 4 or len(images) != (count or len(images)) or not len(images):
        raise ValueError(
            f"`{name}` must be images ({count or 'N'}, H, W, C), at least one; "
            f"received shape {images.shape}."
        )


def _numbers(logs: dict[str, Any]) -> dict[str, float]:
    """Return what is a number; of several, such as those of classes, the mean."""
    found = {}
    for name, value in logs.items():
        with suppress(TypeError, ValueError):  # Other callbacks may add anything.
            found[name] = float(np.mean(as_numpy(value, name)))
    return found


def _epoch_maps(explained: AnyExplanation, names: dict[int, str]) -> EpochMaps:
    """Return what the report needs of an explanation."""
    scores, maps = np.asarray(explained[0]), np.asarray(explained[1])
    return EpochMaps(maps, scores, _unit_names(explained, names))


def _unit_names(explained: AnyExplanation, names: dict[int, str]) -> list[list[str]]:
    """Return the names of units; those without one are numbers, not an error.

    A model that is trained may predict any unit, and training must go on.
    """
    if explained.units is None:  # A function for `y`, whose values have no units.
        values = range(explained.logits.shape[1])
        return [[f"value {value}" for value in values]] * len(explained.logits)
    numbers = {int(unit): f"unit {unit}" for unit in explained.units.flat}
    labels = explained.with_labels(numbers | names).labels
    return [] if labels is None else labels.tolist()


def _by_unit(names: Names | None) -> dict[int, str]:
    """Return the names by unit; none if they are not given."""
    if isinstance(names, str):
        raise ValueError(
            "`class_names` must be a list of names or a dictionary by unit; received "
            f"the text {names!r:.60}."
        )
    return dict(names if isinstance(names, Mapping) else enumerate(names or ()))


def _pictures(images: NDArray[Any]) -> list[NDArray[np.uint8]]:
    """Return images as bytes; of other numbers of channels than 1 or 3, the mean."""
    if images.shape[-1] not in (1, 3):
        images = images.mean(-1, keepdims=True, dtype="float32")
    return [*as_pictures(images)]


def _drawn(images: list[NDArray[np.uint8]], maps: NDArray[Any]) -> bytes:
    """Return a PNG: a row of images, and one of their maps (N, H, W, K) for each K."""
    every = [one for unit in range(maps.shape[-1]) for one in maps[..., unit]]
    buffer = io.BytesIO()
    visualize([*images, *every], cols=len(maps), maps=True, to_buffer=buffer)
    return buffer.getvalue()


def _events(folder: Path, wanted: bool | None) -> ImageEvents | None:
    if wanted is not None:
        checks.boolean("tensorboard", wanted)
    if wanted and not is_installed():
        raise ImportError(
            "`tensorboard` must be False or None if TensorBoard is not installed: "
            'pip install "keras-explainable[tensorboard]"'
        )
    return None if wanted is False or not is_installed() else ImageEvents(folder)
