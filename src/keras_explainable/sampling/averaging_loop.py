"""Methods that loop on the host over many perturbed of their inputs, and average.

A view is what the network sees of an input: a noisy copy, a point on a path, a flipped
or a masked image. Perturb go through the network in chunks of one size, so that nothing
is compiled twice and memory does not grow with their number.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any

import numpy as np
from keras import ops

from keras_explainable.common import checks
from keras_explainable.common.structures import Nested, map_structure, row_count
from keras_explainable.execution.compilation import call_method
from keras_explainable.network import output_units
from keras_explainable.network.model_inputs import as_inputs, check_single_input
from keras_explainable.sampling import noise
from keras_explainable.sampling.accumulator import Accumulators
from keras_explainable.sampling.parameters import Sampling
from keras_explainable.sampling.schedule import Copies, Schedule
from keras_explainable.types import Method, Model, Tensor

#: Rows that go through the network at once when a method is called by itself.
ROWS = 16

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class MethodCall:
    """What a looping method was called with.

    Attributes:
        model: of one output.
        inputs: (B, ...), or several of them.
        outputs: the model's for the inputs (B, units).
        indices: units to explain (B, K).
        ids: of the inputs (B,), by which they draw; ``noise.PADDING`` for a padded row.
        rows: the most that go through the network at once.
        progress: called with rows done and their total.
        return_stats: whether ``Stats`` are wanted.
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
        """The chosen units (B, K)."""
        return output_units.gather_units(self.outputs, self.indices)


def _no_progress(done: int, total: int) -> None:
    """Nobody is told of progress."""


def _same(inputs: Nested) -> Nested:
    return inputs


def looping_method(
    function: Callable[..., tuple[Any, ...]],
    prepare: Callable[[Nested], Nested] = _same,
    *,
    samples: bool = True,
    several: bool = False,
) -> Method:
    """Return the method that ``function(call, **params)`` computes.

    Args:
        function: returns logits and maps, and ``Stats`` if they are asked for.
        prepare: what the model is given for the inputs.
        samples: whether it draws perturbed, and so has ``Stats`` to return.
        several: whether it takes a model with several inputs.
    """

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
        ids = checks.image_ids(ids, row_count(inputs), least=noise.PADDING)
        outputs = output_units.forward(model, prepare(inputs), rows)
        indices = output_units.as_indices(indices, len(ids), outputs.shape[-1])
        call = MethodCall(
            model, inputs, outputs, indices, ids, rows, progress, return_stats
        )
        return function(call, **params)

    hidden = () if samples else ("return_stats",)
    signature = _signature(method, function, hidden)
    method.__signature__ = signature  # type: ignore[attr-defined]
    return method


def _signature(
    method: Method, function: Callable[..., Any], hidden: tuple[str, ...]
) -> inspect.Signature:
    """Return the parameters of the method, with the function's own among them."""
    *common, _ = inspect.signature(method, follow_wrapped=False).parameters.values()
    common = [each for each in common if each.name not in hidden]
    _, *own = inspect.signature(function).parameters.values()
    return inspect.Signature(sorted([*common, *own], key=lambda each: each.kind))


def noisy_copy_source(
    call: MethodCall, noisy: noise.Noise, sampling: Sampling, sigma: Nested
) -> Callable[[Copies], tuple[Nested, Any]]:
    """Return the perturbed of ``averaged`` that are noisy copies.

    Args:
        call: whose inputs are copied.
        noisy: of which kind the noise is.
        sampling: with a seed.
        sigma: of each input, as ``Noise.scales`` gives it.
    """

    def perturbed(copies: Copies) -> tuple[Nested, Any]:
        keys = sampling.keys(call.ids[copies.image], copies.draw)
        inputs = noise.noisy_copies(
            call.inputs,
            sigma,
            keys,
            copies.image,
            pairs=noisy.antithetic,
            clip=noisy.clip,
        )
        ids = noise.copy_ids(keys, copies.used)
        return noisy.prepared(inputs), np.tile(ids, noisy.copies)

    return perturbed


def average_over_copies(
    call: MethodCall,
    method: Method,
    perturbed: Callable[[Copies], tuple[Nested, Any]],
    sampling: Sampling,
    *,
    params: Mapping[str, Any] | None = None,
    counted: Callable[[Nested, Copies], Nested] | None = None,
) -> Accumulators:
    """Return the maps of ``method`` over the perturbed of each input, counted up.

    Args:
        call: what is to be explained.
        method: explains each view.
        perturbed: returns a chunk of them (R, ...) and their ids, for a method that draws
            too; with antithetic pairs the second halves come after the first ones.
        sampling: how many perturbed, and what is estimated.
        params: passed to ``method``.
        counted: what to count of the maps that it returns; None for themselves.
    """
    step = output_units.with_outputs(method) if call.return_stats else method
    live = np.flatnonzero(call.ids != noise.PADDING)
    size = max(call.rows // sampling.copies, 1)
    schedule = Schedule(live, sampling.draws, size, len(call.ids))
    accumulator = Accumulators(
        call.outputs, call.indices, sampling, spread=call.return_stats
    )
    for copies in schedule:
        inputs, ids = perturbed(copies)
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
    """Return what a looping method returns: logits, maps, and stats if asked for.

    Args:
        call: what was asked.
        accumulator: what was found.
        facts: what must be equal for two runs to be of the same thing.
        sigma: of the noise (B, 1) or (B, C), of each input; None where there is none.
    """
    if not call.return_stats:
        return accumulator.logits, accumulator.maps
    if sigma is None:
        sigma = map_structure(
            lambda part: np.zeros((len(call.ids), 1)), accumulator.parts
        )
    return (
        accumulator.logits,
        accumulator.maps,
        accumulator.stats(sigma, call.ids, facts),
    )
