"""``explain`` for a Ray data set, on any number of processes and machines."""

import inspect
import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from keras_explainable.common import checks
from keras_explainable.common.optional_packages import require
from keras_explainable.distributed.image_batch import Prepare, decoded
from keras_explainable.distributed.image_files import is_path, read_paths
from keras_explainable.distributed.image_worker import (
    Columns,
    ExplainedRows,
    ImageWorker,
    Task,
)
from keras_explainable.distributed.output_folder import OutputFolder
from keras_explainable.distributed.repetition_parts import (
    MergedParts,
    merged_parts,
    repetition_parts,
    with_parts,
)
from keras_explainable.distributed.resumable_run import identity, run_into
from keras_explainable.distributed.shipped_model import ShippedModel, shipped_model
from keras_explainable.distributed.worker_pool import WorkerPool
from keras_explainable.engine.explainer import (
    bound_keywords,
    check_passed_on,
    explainer,
)
from keras_explainable.engine.shortcuts import smoothgrad
from keras_explainable.execution.model_preparation import maker_of, unwrapped
from keras_explainable.types import Model

#: Parameters of ``ke.explain`` that have no meaning for a data set of Ray.
_REFUSED = ("ids", "steps", "callbacks", "verbose", "x")


def explain(
    dataset: Any,
    method: Callable[..., Any],
    model: Model | str | Callable[[], Model],
    y: Any = None,
    *,
    id_column: str,
    image_column: str = "image",
    unit_column: str | None = None,
    prepare: Prepare = decoded,
    workers: int = 1,
    batch_size: int = 32,
    num_cpus: float | None = None,
    num_gpus: float | None = None,
    parts: int = 1,
    output: str | os.PathLike[str] | None = None,
    **params: Any,
) -> Any:
    """Return a Ray data set with the maps of all images of another.

    The noise of an image depends only on the seed and on its id. Maps are therefore
    the same, to rounding, as those of ``ke.explain`` in one process, whatever the
    number of workers, and whichever of them died on the way.

    Args:
        dataset: ``ray.data.Dataset`` with a row for each image; or a path, or a list of
            paths: of images or folders of them, whose paths are the ids then; of
            .parquet files; or of .tar files of WebDataset, with the id "__key__".
        method: Explaining method, or shortcut such as ``ke.smoothgrad``. A method that
            draws noise needs a seed.
        model: Keras model; or the path of a .keras file; or a function without
            arguments that returns the model, which each worker calls once.
        y: As in ``ke.explain``: None, "predicted", "top3" or a target.
        id_column: Name of the column with a different integer or text for each image.
        image_column: Name of the column with the images, (H, W, C), or with the bytes
            of image files, which are decoded at their own size.
        unit_column: Name of the column with the unit, or K units, of each image.
        prepare: Function of what ``image_column`` holds, to the image (H, W, C) for
            the model. It may decode and resize files, for example.
        workers: Number of processes, each with a copy of the model.
        batch_size: Number of images that a worker is given at once, and the most rows
            that go through the network at once.
        num_cpus: CPUs, and threads, of each worker; by default 1, if there are no GPUs.
        num_gpus: GPUs of each worker, or a fraction.
        parts: Number of parts that the repetitions of each image are cut into, so that
            several workers share a single image; for ``ke.smoothgrad`` (which is then
            sampled), its two variants and ``smooth(...)`` of maps of the pixels. Their
            running sums are merged here, as by ``Stats.merged``, at once.
        output: Folder, or URI of one, for the results, which all workers can open. The
            same call continues what a run that died has left there, and images that
            could not be explained are tried again. Otherwise, the folder must be empty.
        **params: Parameters of ``ke.explain`` and of ``method``.

    Returns:
        ``ray.data.Dataset``, in any order of the images. It is computed when it is
        read, unless there is an ``output`` folder, which it then reads. It
        has the id's column; ``predictions``, the model's first output; ``logits`` (K,),
        ``maps`` (H, W, K) and ``units`` (K,), if units are explained; with
        ``return_stats=True`` also ``relative_error`` (K,), ``flip_rate``,
        ``repetitions`` and ``sigma``; and ``failure``, which says why an
        image could not be explained, and is "" for all others. In the folder, these
        images are listed in ``manifest.json`` instead, and a warning tells of them.

    Raises:
        ImportError: If Ray is not installed.
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is not as described.
    """
    require("ray.data", "ray")
    _check_params(method, params)
    checks.integer("parts", parts, 1)
    if y is not None and not (isinstance(y, str) or callable(y)):
        raise TypeError(
            "`y` must be None, a text such as 'predicted', or a target; received "
            f"{type(y).__name__}. `unit_column` names units of each image."
        )
    columns = Columns(id_column, image_column, unit_column)
    if is_path(dataset):
        dataset = read_paths(dataset, id_column, image_column)
    check_columns(dataset, columns)
    folder = None if output is None else OutputFolder(os.fspath(output), id_column)
    pool = WorkerPool(workers, batch_size, num_cpus, num_gpus)
    given = {"batch_size": batch_size, **params}
    shipped = shipped_model(model)
    if parts == 1:
        task = Task([ExplainedRows(method, given)], y, columns, prepare)
        explained = partial(_explained, pool, shipped, task)
    else:
        task = Task(repetition_parts(method, given, parts), y, columns, prepare)
        merge = partial(merged_parts, id_column, method, params)
        explained = partial(_merged, merge, pool, parts, shipped, task)
    if folder is None:
        return explained(None, dataset)
    recorded = _with_estimator(method, params, parts)
    settings = {"params": recorded, "y": y, "columns": columns, "prepare": prepare}
    folder.begin(identity(method, shipped.fingerprint(), **settings))
    return run_into(folder, dataset, explained)


def _explained(
    pool: WorkerPool,
    shipped: ShippedModel,
    task: Task,
    folder: OutputFolder | None,
    dataset: Any,
) -> Any:
    """Return the data set of images that each are explained by one worker."""
    return pool.map(ImageWorker, (shipped, task, folder), dataset)


def _merged(
    merge: Callable[[OutputFolder | None], MergedParts],
    pool: WorkerPool,
    parts: int,
    shipped: ShippedModel,
    task: Task,
    folder: OutputFolder | None,
    dataset: Any,
) -> Any:
    """Return the data set of images whose repetitions several workers share."""
    cut = with_parts(dataset, parts)
    pieces = replace(pool, batch_size=1).map(ImageWorker, (shipped, task), cut)
    rows = merge(folder)(pieces.iter_rows(), parts)
    return require("ray.data", "ray").from_items([*rows])


def check_columns(dataset: Any, columns: Columns) -> None:
    """Raise unless a data set of Ray has all columns.

    Raises:
        TypeError: If it is no data set of Ray.
        ValueError: If a column is missing.
    """
    if not isinstance(dataset, require("ray.data", "ray").Dataset):
        raise TypeError(
            "`dataset` must be a `ray.data.Dataset`, a path or a list of paths; "
            f"received {type(dataset).__name__}."
        )
    found = dataset.columns() or []
    for kind in ("id", "image", "unit"):
        name = getattr(columns, kind)
        if name is not None and name not in found:
            raise ValueError(
                f"`{kind}_column` must be a column of `dataset`, one of {found}; "
                f"received {name!r}."
            )


def _check_params(method: Any, params: dict[str, Any]) -> None:
    for name in _REFUSED:
        if name in params:
            raise TypeError(
                f"`{name}` must not be given: each image has the id in `id_column`, "
                "and the whole data set is explained."
            )
    explainer(method)  # Raises if it is none.
    check_passed_on(explain, method, params)
    made = maker_of(method)
    settings = {**(made.keywords if made else {}), **bound_keywords(method), **params}
    known = inspect.signature(method).parameters
    if settings.get("seed", known["seed"].default if "seed" in known else 0) is None:
        raise ValueError(
            "`seed` must be an integer, so that an image has the same noise whichever "
            "process draws it; received None."
        )


def _with_estimator(method: Any, params: dict[str, Any], parts: int) -> dict[str, Any]:
    """Return parameters with the estimator that parts imply: it changes the maps."""
    implied = parts > 1 and unwrapped(method) is smoothgrad
    return {**params, "estimator": "sampled"} if implied else params
