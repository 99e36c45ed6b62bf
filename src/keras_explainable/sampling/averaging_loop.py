"""Methods that loop on the host over perturbed copies of their inputs, and average.

A perturbed copy is a noisy copy, a point on a path, or a flipped or masked image.
Copies pass through the network in chunks of one size, so that nothing is compiled
twice and memory does not grow with their number.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce, wraps
from typing import Any

import numpy as np
from keras import ops

from keras_explainable.common import checks
from keras_explainable.common.structures import Nested, map_structure, row_count
from keras_explainable.execution.compilation import call_method, display_name
from keras_explainable.execution.method_checks import own_parameters
from keras_explainable.execution.model_preparation import (
    moves_positions,
    places_maps,
    preprocessing_of,
)
from keras_explainable.network import output_units
from keras_explainable.network.input_tensors import as_inputs
from keras_explainable.network.model_inputs import check_single_input
from keras_explainable.sampling import noise
from keras_explainable.sampling.accumulator import Accumulators
from keras_explainable.sampling.parameters import Sampling
from keras_explainable.sampling.schedule import Copies, Schedule
from keras_explainable.types import Method, Model, Tensor

#: Rows per chunk when a method is called directly.
ROWS = 16

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class MethodCall:
    """The checked arguments of a looping method.

    Attributes:
        model: Model with one output.
        inputs: Input (B, ...), or a structure of several.
        outputs: The model's outputs for the inputs, shape (B, units).
        indices: Units to explain, shape (B, K).
        ids: Ids of the inputs, shape (B,), which determine their random draws;
            ``noise.PADDING`` for padded rows.
        rows: Maximum number of rows per chunk.
        progress: Callback, called with the number of rows done and their total.
        return_stats: Whether to return ``Stats``.
    """

    model: Model
    inputs: Nested
    outputs: Tensor
    indices: Tensor
    ids: np.ndarray
    rows: int
    progress: Progress
    return_stats: bool

    @property
    def logits(self) -> Tensor:
        """The selected units of the inputs (B, K)."""
        return output_units.gather_units(self.outputs, self.indices)


def _no_progress(done: int, total: int) -> None:
    """Do nothing."""


def looping_method(
    function: Callable[..., tuple[Any, ...]],
    prepare: Callable[[Nested], Nested] | None = None,
    *,
    samples: bool = True,
    several: bool = False,
    inner: Method | None = None,
) -> Method:
    """Return the method that ``function(call, **params)`` computes.

    Args:
        function: Function that returns logits and maps, and ``Stats`` if requested.
        prepare: Preprocessing of the inputs for the model.
        samples: Whether the method draws samples, and so has ``Stats`` to return.
        several: Whether the method supports models with several inputs.
        inner: Method that is called with the ``**params`` of ``function``.
    """
    functions = [*filter(None, [prepare, preprocessing_of(inner)])]

    def preprocess(inputs: Nested) -> Nested:
        return reduce(lambda x, function: function(x), functions, inputs)

    preprocess.__name__ = ", ".join(map(display_name, functions))

    @wraps(function)
    def method(
        model: Model,
        inputs: Any,
        indices: Tensor | None = None,
        *,
        rows: int = ROWS,
        ids: Any = None,
        progress: Progress = _no_progress,
        return_stats: bool = False,
        **params: Any,
    ) -> tuple[Any, ...]:
        inputs = as_inputs(model, inputs)
        if not several:
            check_single_input(model, inputs)
        ids = checks.image_ids(ids, row_count(inputs), low=noise.PADDING)
        outputs = output_units.forward(model, preprocess(inputs), rows)
        indices = output_units.as_indices(indices, len(ids), outputs.shape[-1])
        call = MethodCall(
            model, inputs, outputs, indices, ids, rows, progress, return_stats
        )
        return function(call, **params)

    signature = _signature(method, function, samples)
    if inner is not None:
        signature = _with_parameters_of(inner, signature)
    method.__signature__ = signature  # type: ignore[attr-defined]
    method.preprocess = preprocess if functions else None  # type: ignore[attr-defined]
    method.moves_positions = moves_positions(inner)  # type: ignore[attr-defined]
    method.places_maps = places_maps(inner)  # type: ignore[attr-defined]
    return method


def _signature(
    method: Method, function: Callable[..., Any], samples: bool
) -> inspect.Signature:
    """Return the signature of the method, including the function's parameters."""
    *common, _ = inspect.signature(method, follow_wrapped=False).parameters.values()
    common = common if samples else common[:-1]  # Without ``return_stats``.
    _, *own = inspect.signature(function).parameters.values()
    return inspect.Signature(sorted([*common, *own], key=lambda param: param.kind))


def _with_parameters_of(
    inner: Method, signature: inspect.Signature
) -> inspect.Signature:
    """Return a signature with the parameters of ``inner`` in place of ``**params``."""
    *known, _ = signature.parameters.values()
    taken = {*(each.name for each in known), "return_stats"}
    own = [each for each in own_parameters(inner) if each.name not in taken]
    return inspect.Signature(sorted([*known, *own], key=lambda param: param.kind))


def noisy_copy_source(
    call: MethodCall, noisy: noise.Noise, sampling: Sampling, sigma: Nested
) -> Callable[[Copies], tuple[Nested, Any]]:
    """Return the function ``perturb`` of ``average_over_copies`` that adds noise.

    Args:
        call: Call whose inputs are copied.
        noisy: Parameters of the noise.
        sampling: Sampling parameters, with a seed.
        sigma: Standard deviations of the noise, as returned by ``Noise.scales``.
    """
    unmasked = noisy.unmasked(call.model, call.inputs)
    options: dict[str, Any] = {"pairs": noisy.antithetic, "clip": noisy.clip}

    def perturb(copies: Copies) -> tuple[Nested, Any]:
        image = copies.image
        keys = sampling.keys(call.ids[image], copies.draw)
        inputs = noise.noisy_copies(
            call.inputs, sigma, keys, image, unmasked=unmasked, **options
        )
        ids = noise.copy_ids(keys, copies.used)
        return noisy.prepared(inputs), np.tile(ids, noisy.copies)

    return perturb


def average_over_copies(
    call: MethodCall,
    method: Method,
    perturb: Callable[[Copies], tuple[Nested, Any]],
    sampling: Sampling,
    *,
    params: Mapping[str, Any] | None = None,
    counted: Callable[[Nested, Copies], Nested] | None = None,
) -> Accumulators:
    """Return the accumulated maps of ``method`` for perturbed copies of each input.

    Args:
        call: Call to explain.
        method: Method that explains each copy.
        perturb: Function that returns a chunk of copies (R, ...) and their ids, for
            methods that draw too. The second halves of antithetic pairs come last.
        sampling: Number of copies, and the statistic to estimate.
        params: Parameters of ``method``.
        counted: Function of the maps and copies that returns the maps to accumulate;
            None to accumulate the maps themselves.
    """
    step = output_units.with_outputs(method) if call.return_stats else method
    images = np.flatnonzero(call.ids != noise.PADDING)
    size = max(call.rows // sampling.copies, 1)
    schedule = Schedule(images, sampling.draws, size, len(call.ids))
    accumulator = Accumulators(
        call.outputs, call.indices, sampling, with_errors=call.return_stats
    )
    for copies in schedule:
        inputs, ids = perturb(copies)
        logits, maps, *outputs = call_method(
            step,
            call.model,
            inputs,
            ops.take(call.indices, np.tile(copies.image, sampling.copies), axis=0),
            params or {},
            results=2 + call.return_stats,
            rows=call.rows,
            ids=ids,
        )
        if counted is not None:
            maps = counted(maps, copies)
        accumulator.add(logits, maps, outputs, copies)
        schedule.finish(accumulator.converged())
        call.progress(schedule.done * sampling.copies, schedule.total * sampling.copies)
    return accumulator


def method_result(
    call: MethodCall,
    accumulator: Accumulators,
    facts: dict[str, Any],
    sigma: Any = None,
) -> tuple[Any, ...]:
    """Return the results of a looping method: logits, maps, and stats if requested.

    Args:
        call: Call that was explained.
        accumulator: Accumulated maps.
        facts: Parameters that must be equal for two runs to be merged.
        sigma: Standard deviations of the noise of each input, shape (B, 1) or (B, C);
            None if there is no noise.
    """
    if not call.return_stats:
        return accumulator.logits, accumulator.maps
    if sigma is None:
        zeros = np.zeros((len(call.ids), 1))
        sigma = map_structure(lambda part: zeros, accumulator.parts)
    stats = accumulator.stats(sigma, call.ids, facts)
    return accumulator.logits, accumulator.maps, stats
