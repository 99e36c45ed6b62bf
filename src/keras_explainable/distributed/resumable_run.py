"""A run that stores its results in a folder, and continues what is there."""

import platform
from collections.abc import Callable
from functools import partial
from typing import Any

import keras
import numpy as np

from keras_explainable.common.optional_packages import require
from keras_explainable.common.warnings import warn
from keras_explainable.distributed.output_folder import OutputFolder, check_different
from keras_explainable.distributed.result_columns import FAILURE
from keras_explainable.execution.compilation import describe
from keras_explainable.execution.model_preparation import maker_of


def identity(method: Any, fingerprint: str, **settings: Any) -> dict[str, Any]:
    """Return everything but the images on which the results depend.

    Sizes of batches and parts change maps by rounding at most.

    Settings that a function of the user's has bound are unknown.
    """
    texts = {name: _text(value) for name, value in settings.items()}
    return {
        "method": describe(maker_of(method) or method),
        **texts,
        "model": fingerprint,
        "keras": keras.__version__,
        "backend": keras.backend.backend(),
        "python": platform.python_version(),
    }


def run_into(
    folder: OutputFolder, dataset: Any, explained: Callable[[OutputFolder, Any], Any]
) -> Any:
    """Return the data set of the folder once it holds the results of all images.

    A machine that dies may take what Ray cannot compute again. The run then continues
    with the images that are not in the folder, as long as each attempt adds some.

    Args:
        folder: Where the results are stored.
        dataset: All images.
        explained: Function of a folder and of the images still to be explained, which
            stores their results there, to a data set of their ids and failures.

    Raises:
        ValueError: If ids repeat, or no image could be explained.
    """
    before = folder.done()
    ids = [value for values in before.values() for value in values]
    left = without(dataset, folder.id_column, ids) if ids else dataset
    try:
        failures = _failures(folder, explained(folder, left))
    except _losses():
        if folder.done().keys() <= before.keys():
            raise
        return run_into(folder.renamed(), dataset, explained)
    if not folder.finish(before, failures):
        first = failures[0]["reason"] if failures else "it is empty"
        raise ValueError(f"`dataset` must hold images that can be explained; {first}")
    if failures:
        warn(
            f"{len(failures)} images could not be explained; manifest.json in "
            f"{folder.path} lists them. The first, {failures[0]['id']!r}: "
            f"{failures[0]['reason']}"
        )
    return folder.dataset()


def _failures(folder: OutputFolder, results: Any) -> list[dict[str, Any]]:
    """Return the ids that have failed, and why, once all results are stored."""
    failures = []
    for batch in results.iter_batches(batch_size=None, batch_format="numpy"):
        pairs = zip(batch[folder.id_column].tolist(), batch[FAILURE], strict=True)
        failures += [{"id": own, "reason": str(why)} for own, why in pairs if why]
    return failures


def _losses() -> tuple[type[Exception], ...]:
    """Return the errors that tell of a process or a machine that is gone."""
    errors = require("ray.exceptions", "ray")
    return errors.ObjectLostError, errors.NodeDiedError, errors.RayActorError


def without(dataset: Any, id_column: str, ids: list[Any]) -> Any:
    """Return a data set without the rows of some ids."""
    check_different(ids)
    ray = require("ray", "ray")
    reference = ray.put(frozenset(ids))

    def others(batch: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        done = ray.get(reference)
        kept = [value not in done for value in batch[id_column].tolist()]
        return {name: column[kept] for name, column in batch.items()}

    return dataset.map_batches(others, batch_format="numpy")


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return describe(partial(dict, **value))
    return describe(value) if callable(value) else repr(value)
