"""``explain``: run a method over data, as ``Model.predict`` runs a model."""

from typing import Any, Literal

from keras_explainable import lowering
from keras_explainable.common import checks
from keras_explainable.engine.batch_source import Batch, BatchSource
from keras_explainable.engine.explanation.explanation import AnyExplanation
from keras_explainable.engine.explanation_record import ExplanationRecord
from keras_explainable.engine.hidden_parts import HiddenParts
from keras_explainable.engine.ignored_parameters import check_steps, warn_of_ignored
from keras_explainable.engine.map_memory import MapMemory
from keras_explainable.engine.model_checks import check_model
from keras_explainable.engine.nonfinite_maps import NonFiniteMaps
from keras_explainable.engine.postprocessing import INPUT_SIZE, Finish, Postprocessing
from keras_explainable.engine.prepared_network import PreparedNetwork
from keras_explainable.engine.progress_bar import Progress
from keras_explainable.engine.results import Result, joined
from keras_explainable.engine.run_method import run_method
from keras_explainable.engine.zero_maps import ZeroMaps
from keras_explainable.execution.compilation import accepts_parameter, display_name
from keras_explainable.execution.method_checks import (
    check_method,
    check_parameters,
    check_required,
    method_first,
    own_parameters,
    parameters_after,
    takes_any_parameter,
)
from keras_explainable.execution.model_preparation import (
    moves_positions,
    places_maps,
    preprocessing_of,
    shows_layers,
)
from keras_explainable.inspection.axes import Axes, Plan, arrange
from keras_explainable.inspection.exposed_layers import ExposedByDefault, was_exposed
from keras_explainable.inspection.logits import logits_model
from keras_explainable.inspection.one_output import first_output_model
from keras_explainable.inspection.places_of_layers import places_of_exposed
from keras_explainable.inspection.shown_layers import shown_layers
from keras_explainable.network.corrected_derivatives import DERIVATIVES
from keras_explainable.network.torch_modules import modes_kept
from keras_explainable.targets.target import Target, as_target
from keras_explainable.types import Method, Model


@method_first
def explain(
    method: Method,
    model: Model,
    x: Any,
    y: Any = None,
    batch_size: int | None = None,
    verbose: str | int = "auto",
    steps: int | None = None,
    callbacks: Any = None,
    max_queue_size: int = 10,
    workers: int = 1,
    use_multiprocessing: bool = False,
    force: bool = True,
    *,
    postprocessing: Postprocessing | None = None,
    resizing: bool | tuple[int, ...] | None = INPUT_SIZE,
    ids: Any = None,
    logits: bool | None = None,
    lower: bool = True,
    precision: Literal["float32", "bfloat16"] = "float32",
    derivatives: Literal["corrected", "framework"] = "corrected",
    return_stats: bool = False,
    **method_params: Any,
) -> AnyExplanation:
    """Return the chosen logits and their maps for all of ``x``, as NumPy arrays.

    It is to a method what ``Model.predict`` is to a model. ``model`` is never changed:
    a final softmax or sigmoid is removed in a copy that shares its weights.

    Args:
        method: Explaining method, such as ``ke.methods.gradient.gradients`` or
            ``ke.methods.meta.smooth(...)``. It is compiled once for each shape.
        model: Keras model whose output, or first output, has the shape (B, units). If
            ``y`` is a target, its outputs may have any shape.
        x: Inputs, of shape (N, H, W, C): an array, list or tensor; a list of images of
            different sizes; or a ``tf.data.Dataset``, ``keras.utils.PyDataset``, torch
            ``DataLoader`` or generator that yields ``x`` or ``(x, y)``, in batches or
            one by one. For a model with several inputs, a dictionary by input name, or
            a list if the model takes one. Tokens for an ``Embedding`` are replaced by
            their vectors.
        y: Units to explain, of shape (N, K) or (N,). None explains every unit,
            "predicted" the unit with the largest logit, and "top3" those with the
            three largest. Or a target: one of ``ke.targets``, or a function that maps
            what the model returns to what is explained, of shape (B,) or (B, units).
            Labels that a data set yields are units, unless ``y`` is given.
        batch_size: The most rows (images x noisy copies) that go through the network
            at once. By default, a number that fits the memory and is close to the
            fastest. It is halved, with a warning, when the device runs out of memory.
        verbose: "auto" or 1 shows Keras' progress bar, 2 a single line, 0 nothing.
        steps: The most batches to take from ``x``; required if ``x`` never ends.
        callbacks: Keras callbacks. Their ``on_predict_...`` methods are called, and,
            if they have it, ``on_explain_progress(done, total)``, counted in rows.
        max_queue_size: No effect, like the next three; a warning says so once. They are
            accepted because ``Model.predict`` of Keras 2 had them.
        workers: See ``max_queue_size``.
        use_multiprocessing: See ``max_queue_size``.
        force: See ``max_queue_size``.
        postprocessing: Function applied to the maps of each batch. It is given the
            axes of one map as ``axis=`` if it accepts that.
        resizing: By default, True: maps have the spatial size of the input that they
            belong to, whatever the layer. (height, width) resizes them to that size;
            None or False leaves them at their own. Resizing is linear and comes after
            postprocessing. Maps without spatial axes, as of dense layers, stay as they
            are, unless True is passed explicitly, which raises.
        ids: One integer >= 0 for each image; by default its position in ``x``. Methods
            that draw noise return the same map for the same id and seed.
        logits: Whether logits are explained in place of the probabilities of a final
            softmax or sigmoid. By default, they are for units, but a function for ``y``
            is given what the model returns.
        lower: False runs the model's own layers instead of the faster equal copy made
            by ``ke.lowering.lower``.
        precision: "float32", or "bfloat16" for all layers but the last. Noise, sums
            and logits stay in float32.
        derivatives: "corrected" replaces derivatives of a framework that are wrong, or
            differ between backends where there are none (docs/derivatives.md);
            "framework" leaves them as they are.
        return_stats: Whether to return ``Stats``, the uncertainty of the maps before
            postprocessing and resizing, as a third value. For methods that sample, such
            as ``smooth(...)``.
        **method_params: Parameters of ``method``. All methods have ``indices_axis``,
            ``indices_batch_dims`` and ``spatial_axis``, for outputs with units along
            another axis and inputs with several batch axes; see
            ``ke.methods.gradient.gradients``.

    Returns:
        ``ke.Explanation``, a tuple of ``logits`` (N, K) and ``maps`` (N, H', W', K), or
        of whatever the method and ``postprocessing`` return. For a model with several
        inputs, maps and ``Stats`` have the structure of the inputs. Maps of different
        sizes are in a list.

    Raises:
        ValueError: If ``x``, ``y`` or a parameter is invalid, or if the maps would not
            fit the memory. Arrays are checked before anything is computed.
        TypeError: If a parameter has the wrong type.
    """
    warn_of_ignored(
        max_queue_size=max_queue_size,
        workers=workers,
        use_multiprocessing=use_multiprocessing,
        force=force,
    )
    switches = {"lower": lower, "return_stats": return_stats}
    if logits is not None:
        checks.boolean("logits", logits)
    _check_method(method, method_params)
    _check_options(method, batch_size, precision, **switches)
    check_steps(steps, method, x, method_params)
    checks.one_of("derivatives", derivatives, DERIVATIVES)
    check_model(model)
    target = as_target(y, logits)
    if target is not None:
        _check_positions(target, method, model, x)
        target = target.with_inputs(x, preprocessing_of(method))
    record = ExplanationRecord(method, model, x, has_units=target is None)
    plan = _arranged(model, x, y if target is None else target, logits, method_params)
    x, method = plan.inputs, plan.wrapped(method)
    y = y if target else plan.indices
    options: dict[str, Any] = {"logits": logits, "lower": lower, "precision": precision}
    options["derivatives"] = derivatives
    network = PreparedNetwork(plan.model, y, target, method, method_params, **options)
    _check_precision(precision, network)
    rows = network.required_rows or batch_size
    rows = rows or lowering.suitable_rows(network.lowered)
    labelled = target is None and not network.top
    source = BatchSource(
        network.target_model,
        x,
        y if labelled else None,
        ids=ids,
        batch_size=rows,
        one_by_one=bool(target and target.data),
        steps=steps,
        labelled=labelled,
    )
    if return_stats and not source.of_one_size:
        raise ValueError(
            "`x` must be images of one size if `return_stats` is True; received a list "
            "of images of different sizes. Explain those of each size by themselves."
        )
    if target and source.images is not None and steps is None:
        target.check_rows(source.images)
    progress = Progress(model, callbacks, verbose, source.steps, source.images)
    of_layers = shows_layers(method)
    of_layers = was_exposed(network.model) if of_layers is None else of_layers
    shown = shown_layers(network.model) if of_layers else []
    hidden = HiddenParts(of_layers, preprocessing_of(method))
    finish = Finish(postprocessing, resizing, hidden, plan.frames, places_maps(method))
    if isinstance(network.model, ExposedByDefault):
        progress.note(_shown_note(method, shown))
    memory, zero_maps, nonfinite = MapMemory(source.images), ZeroMaps(), NonFiniteMaps()

    def explained(batch: Batch) -> Result:
        ready, batch = network.ready(batch, rows)
        memory.check_batch(batch, ready)
        if of_layers:  # JAX cannot try layers with weights while it compiles.
            places_of_exposed(ready, batch.inputs)
        with network.in_user_form():
            logits, maps, *stats = run_method(
                method,
                method_params,
                ready,
                batch,
                progress.of_batch(batch.used),
                rows=rows,
                return_stats=return_stats,
            )
        record.add(batch, maps)
        raw, maps = maps, finish(maps, batch, ready)
        memory.check_all(maps, batch.used)
        zero_maps.count(maps, batch, ready, raw)
        nonfinite.count([logits, maps], batch, ready)
        return logits, maps, *stats

    results = []
    with network.errors(), modes_kept(model):
        for batches in progress.steps(source):
            results.append(joined([*map(explained, batches)]))
            progress.finish_step(results[-1])
    result = joined(results)
    result = (*map(plan.unfolded, result[:2]), *result[2:]) if plan.lead else result
    if target and source.images is None and steps is None:
        target.warn_of_unused_rows(len(result[0]))
    zero_maps.warn()
    nonfinite.warn()
    return record.explanation(result, plan, shown, network, source.by_name)


def _shown_note(method: Method, shown: list[str]) -> str:
    names = ", ".join(map(repr, shown))
    return f"{display_name(method)} shows {names}. `layer=` may name another layer."


def _arranged(
    model: Model, x: Any, y: Any, logits: bool | None, params: dict[str, Any]
) -> Plan:
    """Return the model, inputs and units without the parameters for other axes.

    A target is given what the model itself returns.
    """
    axes = Axes.taken_from(params)
    if axes != Axes() and not isinstance(y, Target):
        first = first_output_model(model)
        model = first if logits is False else logits_model(first)
    return arrange(axes, model, x, y)


def _check_method(method: Method, params: dict[str, Any]) -> None:
    check_method(method)
    if not takes_any_parameter(method):
        options = parameters_after(explain, "y")
        names = [parameter.name for parameter in own_parameters(method)]
        own = [name for name in names if name not in (*options, "rows", "progress")]
        check_parameters(display_name(method), params, own, options)
        check_required(display_name(method), params, method)


def _check_options(
    method: Method, batch_size: Any, precision: str, **switches: bool
) -> None:
    for name, value in switches.items():
        checks.boolean(name, value)
    if batch_size is not None:
        checks.integer("batch_size", batch_size, 1)
    if not switches["lower"] and precision != "float32":
        raise ValueError(
            "`lower` must be True if `precision` is not 'float32'; received "
            f"lower=False and precision={precision!r}."
        )
    if switches["return_stats"] and not accepts_parameter(method, "return_stats"):
        raise ValueError(
            "`method` must be one that samples, such as `smooth(...)`, if "
            f"`return_stats` is True; received {display_name(method)!r}."
        )


def _check_positions(target: Target, method: Method, model: Model, x: Any) -> None:
    if moves_positions(method) and target.places_data_of(model, x):
        raise ValueError(
            "`y` must be a target without masks, boxes or pictures for a method that "
            f"flips or scales the images; received one for {display_name(method)!r}."
        )


def _check_precision(precision: str, network: PreparedNetwork) -> None:
    if precision != "float32" and network.lowered is network.model:
        raise ValueError(
            "`precision` must be 'float32' for a model whose layers are not known, as "
            f"those of a subclassed one; received {precision!r}."
        )
