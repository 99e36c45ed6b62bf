"""``Explanation``: logits and maps with what they belong to, to be shown and kept."""

import os
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, Self, TypeVarTuple

import numpy as np
from numpy.typing import NDArray

from keras_explainable.engine.explanation import dataset, files, flat_arrays, table
from keras_explainable.engine.explanation.facts import Facts

Elements = TypeVarTuple("Elements")


class Explanation(tuple[*Elements]):
    """Logits and maps, as ``ke.explain`` and all shortcuts return them.

    It is a tuple ``logits, maps``, or ``logits, maps, stats`` with
    ``return_stats=True``, that also knows what the maps belong to::

        explanation = ke.gradcam(model, images, "predicted").with_labels(names)
        logits, maps = explanation
        explanation.plot()
        explanation.save("gradcam.npz")

    In a notebook, it shows its first maps over their images. ``tuple(explanation)`` is
    a plain tuple, for functions that take no others, such as those of ``keras.tree``.

    Attributes:
        logits: The explained logits, shape (N, K).
        maps: The maps, shape (N, H, W, K); for a model with several inputs, in their
            structure; a list if sizes differ. Maps that were loaded from a Zarr folder
            are Zarr arrays: ``maps[3]`` reads those of one image.
        stats: ``Stats``, in the structure of the maps; None unless asked for.
        units: The explained units, shape (N, K). None if a function or a target was
            explained, or units along other axes.
        labels: Names of the units, shape (N, K), set by ``with_labels``; None without.
        method: Name of the method; for ``ke.smoothgrad``, with the estimator that was
            used, such as ``"smoothgrad (hybrid)"``.
        preprocessing: Name of the function that the method applies to the inputs; None
            if there is none.
        model: Hash of the model's weights, equal for equal weights. Computing it takes
            time for large models, so that it is computed when it is first accessed,
            saved or pickled, of the weights that the model then has. None if the model
            no longer exists. If stats were asked for, it is theirs.
        images: The inputs that were explained, not copied; None for a data set, and
            after ``load`` or pickling.
    """

    _facts: Facts

    def __new__(cls, results: tuple[*Elements], facts: Facts) -> Self:
        """Return results with facts: ``ke.explain`` calls this."""
        self = super().__new__(cls, results)
        self._facts = facts
        return self

    @property
    def logits(self) -> NDArray[Any]:
        """The explained logits."""
        return self._results[0]

    @property
    def maps(self) -> Any:
        """The maps."""
        return self._results[1]

    @property
    def stats(self) -> Any:
        """The statistics of the maps; None unless asked for."""
        return self._results[2] if len(self) > 2 else None

    @property
    def units(self) -> NDArray[np.integer[Any]] | None:
        """The explained units."""
        return self._facts.units

    @property
    def labels(self) -> NDArray[np.str_] | None:
        """The names of the units."""
        return self._facts.labels

    @property
    def method(self) -> str:
        """The name of the method."""
        return self._facts.method

    @property
    def preprocessing(self) -> str | None:
        """The name of the function that the method applies to the inputs."""
        return self._facts.preprocessing

    @property
    def model(self) -> str | None:
        """The fingerprint of the model, computed when it is first accessed."""
        return self._facts.model.value

    @property
    def images(self) -> Any:
        """The inputs that were explained."""
        return self._facts.images

    @property
    def _results(self) -> tuple[Any, ...]:
        return tuple(self)

    def __repr__(self) -> str:
        return table.text(self._results, self._facts)

    def _repr_html_(self) -> str:
        shown: str | None = _pictures().html(self._results, self._facts)
        return table.html(self._results, self._facts) if shown is None else shown

    def __copy__(self) -> Self:
        return self  # As of any tuple.

    def __reduce__(self) -> tuple[Any, ...]:
        facts = {**vars(self._facts), "images": None}  # They may be as large as maps.
        return type(self), (self._results, Facts(**facts))

    def with_labels(self, names: Sequence[str] | Mapping[int, str]) -> Self:
        """Return the explanation with names of its units.

        Args:
            names: A list of the names of all units of the model, in their order, or a
                dictionary by unit. The only unit of a binary classifier speaks for
                label 1: of the names of labels 0 and 1, it has the second. For a
                function or target, names of the values that it returns.

        Raises:
            ValueError: If a unit that was explained has no name.
        """
        facts = self._facts.with_labels(names, self.logits.shape)
        return type(self)(self, facts)

    def plot(
        self,
        to_file: str | os.PathLike[str] | None = None,
        *,
        images: Any = None,
        input_name: str | int | None = None,
        most: int = 12,
        **options: Any,
    ) -> None:
        """Draw maps over their images, signals or volumes, in one picture.

        Rows of a table are bars of their features, and tokens are written as numbers,
        or as words if these are given: ``plot(words=vectorize.get_vocabulary())``.

        Args:
            to_file: Path of a picture to write, as in ``ke.utils.visualize``; None to
                show it.
            images: Images to draw in place of those explained, such as the ones before
                preprocessing, as an array or a list. They are needed for a data set,
                and after ``load``. For a model with several inputs, those of the one to
                draw, or all by name.
            input_name: For a model with several inputs, name or position of the one to
                draw; the first that has maps with axes by default.
            most: The most maps that are drawn, from the first image on. A line below
                the picture says so if there are more. To draw others, pass them to
                ``ke.utils.visualize(images[40:52], overlays=maps[40:52])``. Of more
                than five units of an image, those with the largest logits are drawn.
            **options: Other parameters of ``ke.utils.visualize``, which go before
                those that are chosen here, such as ``kind``. Several units of images
                have a row for each image, unless ``rows``, ``cols`` or ``titles``
                are given, which arrange the maps alone.

        Raises:
            ValueError: If there are no images, or maps are not drawable.
            ImportError: If matplotlib is not installed.
        """
        options |= {"to_file": to_file}
        _pictures().plot(self._results, self._facts, images, input_name, most, options)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write everything but the images to ``path``.

        Args:
            path: A NumPy archive, .npz, or a folder of Zarr arrays, .zarr, of which
                ``load`` reads maps when they are needed.

        Raises:
            ValueError: If ``path`` has another suffix, or is another folder.
            ImportError: If Zarr is needed and not installed.
        """
        files.write(path, *flat_arrays.flatten(self._results, self._facts))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Explanation[*tuple[Any, ...]]":
        """Return the explanation that ``save`` wrote to ``path``.

        Raises:
            FileNotFoundError: If there is none.
            ValueError: If ``path`` is anything else.
            ImportError: If Zarr is needed and not installed.
        """
        return Explanation(*flat_arrays.restored(*files.read(path)))

    def to_xarray(self) -> Any:
        """Return an ``xarray.Dataset`` of the logits and maps.

        Its dimensions are ``image``, ``y``, ``x`` and ``unit``; for signals, ``time``
        in place of ``y`` and ``x``, and for volumes ``z`` before them. Units and labels
        are coordinates. There is also the relative error if stats were asked for. For a
        model with several inputs, variables and dimensions end in the input's name, as
        in ``maps_left`` and ``y_left``.

        Raises:
            ValueError: If maps have different sizes.
            ImportError: If xarray is not installed.
        """
        return dataset.dataset(self._results, self._facts)


def _pictures() -> Any:
    """Return the module that draws, which lies above: imported when it is asked for."""
    return import_module("keras_explainable.plotting.explanation_pictures")


#: What ``ke.explain`` returns, whose number of elements depends on an argument.
AnyExplanation = Explanation[*tuple[Any, ...]]
