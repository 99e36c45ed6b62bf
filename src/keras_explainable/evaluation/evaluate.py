"""``evaluate``: explain images with several methods, and score the maps."""

from collections.abc import Mapping
from typing import Any

from keras_explainable.common import checks
from keras_explainable.common.optional_packages import require
from keras_explainable.common.structures import flatten
from keras_explainable.engine.data_iterators import is_stream
from keras_explainable.engine.model_checks import check_model
from keras_explainable.engine.progress_bar import Progress
from keras_explainable.evaluation.evaluation import Evaluation
from keras_explainable.evaluation.named_methods import named_methods
from keras_explainable.evaluation.named_metrics import named_metrics
from keras_explainable.evaluation.repeated_draws import repeated_draws
from keras_explainable.evaluation.scored_images import ScoredImages
from keras_explainable.evaluation.scored_stream import (
    StreamBatch,
    batches,
    evaluation_of,
)
from keras_explainable.metrics.data_arrays import checked_inputs
from keras_explainable.network import output_units
from keras_explainable.network.model_inputs import (
    input_names,
    shape_text,
    symbolic_inputs,
)
from keras_explainable.targets.target import Target
from keras_explainable.types import Model


def evaluate(
    methods: Any,
    model: Model,
    x: Any,
    y: Any = None,
    metrics: Any = ("deletion", "insertion"),
    masks: Any = None,
    *,
    controls: bool = True,
    repetitions: int = 2,
    tolerance: float | Mapping[str, float] | None = None,
    max_repetitions: int = 100,
    seed: int = 0,
    ids: Any = None,
    batch_size: int | None = None,
    verbose: str | int = "auto",
    callbacks: Any = None,
) -> Evaluation:
    """Return the scores of methods by metrics, with their errors and differences.

    Each method explains the images ``x``, and each metric scores the maps. All methods
    are scored by the same images and random draws, so that their differences are known
    better than their scores. Ctrl-C ends an evaluation early, and returns the scores
    that are known by then.

    Args:
        methods: Methods by name, or a list of them. A method is a shortcut or its name,
            such as "gradcam", whose maps are postprocessed; a method of ``ke.methods``,
            whose maps are not; or, in a dictionary, maps (N, H, W, K) computed before.
        model: Keras model with one input, which is never changed.
        x: Images (N, H, W, C), or other inputs of one size with spatial axes, such as
            signals (N, T, C): an array, list or tensor; or a data set, loader or
            generator, which is read once, batch by batch.
        y: Units, None or a target without data, as for ``ke.explain``. For a data set,
            None takes the labels that come with it as units, if there are any; units
            of all its images take their place.
        metrics: Metrics by name, or a list of them or of their names in ``ke.metrics``.
            Parameters are given by ``functools.partial``. A function of your own takes
            any of ``method``, ``model``, ``x``, ``y``, ``maps``, ``masks``, ``ids``,
            ``seed``, ``batch_size`` and ``verbose`` by these names, returns scores (N,)
            or (N, K), and has the attribute ``higher_is_better``.
        masks: Masks or boxes of the objects, as for ``ke.metrics.pointing_game``, for
            metrics that need them.
        controls: Whether the table also has maps that know nothing of the model: random
            maps, edges (the Sobel filter), brightness, and a centred Gaussian.
        repetitions: Number of seeds, from ``seed`` on, of whatever is drawn at random:
            methods and metrics with a parameter ``seed``; give ``smooth(...)`` one. A
            score is the mean over them. What draws nothing is computed once. With one
            repetition, it is not known how much the draws matter.
        tolerance: Largest standard error that random draws may give to each mean score,
            in units of the scores; or one for each metric, by name. Draws are repeated
            until the errors are below it. None repeats them ``repetitions`` times.
        max_repetitions: The most repetitions of a draw if there is a tolerance.
        seed: Integer >= 0, the first seed.
        ids: One integer >= 0 for each image, by default its position; random draws
            depend on it and on the seed.
        batch_size: The most rows that go through the network at once. It does not
            change the scores.
        verbose: "auto" or 1 shows a progress bar with the time left, 2 a line, 0
            nothing.
        callbacks: Keras callbacks, as for ``ke.explain``.

    Returns:
        ``Evaluation``. Scores that are not defined, such as those of maps that hold
        NaN, are NaN, and its table says for how many images there are scores.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If a name is unknown, maps or masks do not fit the inputs, a metric
            needs masks that are not given, or an argument is not as described.
        ImportError: If SciPy is not installed.
    """
    require("scipy", "metrics")
    checks.boolean("controls", controls)
    check_model(model)
    _check_one_input(model)
    known = named_metrics(metrics, masks is not None)
    names = tuple(each.name for each in known)
    draws = repeated_draws(seed, repetitions, tolerance, max_repetitions, names)
    options = {} if batch_size is None else {"batch_size": batch_size}

    # There is nothing to choose from one unit: labels are what it predicts.
    has_choice = output_units.count_units(model) != 1
    is_rule = isinstance(y, str | Target) or callable(y)
    of_images = None if is_rule else y
    of_labels = is_stream(x) and not is_rule and (has_choice or y is not None)

    def scored(batch: StreamBatch) -> ScoredImages:
        inputs, labels, numbers, of_batch = batch
        _check_axes(inputs)
        units = labels if of_labels else y
        found = named_methods(methods, controls, inputs.shape)
        images = model, inputs, units, of_batch, numbers
        result = ScoredImages(*images, found, known, draws, options)
        result.check()
        return result

    if is_stream(x):
        _check_no_maps(methods)
        [symbol] = flatten(symbolic_inputs(model)) or [None]
        axes = None if symbol is None else len(symbol.shape)
        progress = Progress(model, callbacks, verbose, None, None, "scores")
        given = batches(x, axes, ids, masks, of_images)
        return evaluation_of(given, scored, progress)
    inputs = checked_inputs(x, "`evaluate`")
    numbers = checks.image_ids(ids, len(inputs))
    one = StreamBatch(inputs, None, numbers, masks)
    return scored(one).evaluation(verbose, callbacks)


def _check_axes(inputs: Any) -> None:
    if inputs.ndim < 3:
        raise ValueError(
            "`x` must have spatial axes, such as (N, H, W, C), to be evaluated; "
            f"received shape {shape_text(inputs.shape)}. For tables, use the functions "
            "of `ke.metrics`."
        )


def _check_one_input(model: Model) -> None:
    names = input_names(model)
    if len(names) > 1:
        raise ValueError(
            "`model` must have one input to be evaluated, since metrics compare a map "
            f"with the input it belongs to; received one with {names}."
        )


def _check_no_maps(methods: Any) -> None:
    named = methods.items() if isinstance(methods, Mapping) else ()
    for name, each in named:
        if not (callable(each) or isinstance(each, str)):
            raise ValueError(
                f"`methods[{name!r}]` must be a method if `x` is a data set; received "
                f"{type(each).__name__}."
            )
