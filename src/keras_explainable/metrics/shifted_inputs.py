"""Robustness: whether maps stay as they are when inputs and model shift together."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_explainable.common import checks
from keras_explainable.common.structures import flatten
from keras_explainable.engine.progress_bar import Progress
from keras_explainable.metrics.map_arrays import Floats, checked_maps, share
from keras_explainable.metrics.orientation import lower_is_better
from keras_explainable.metrics.randomization import explained
from keras_explainable.metrics.robustness import norms, without_quantities
from keras_explainable.network.channel_axes import channel_axes
from keras_explainable.network.input_kinds import takes_noise
from keras_explainable.network.trace_model import trace
from keras_explainable.types import Method, Model


@lower_is_better
def input_invariance(
    method: Method,
    model: Model,
    x: Any,
    y: Any = None,
    *,
    shift: Any = 1.0,
    seed: int = 0,
    ids: Any = None,
    verbose: str | int = "auto",
    **params: Any,
) -> Floats:
    """Return the relative change of maps when inputs and model shift together (N, K).

        score = |map_c(x + c) - map(x)| / |map(x)|,   f_c(x) = f(x - c)

    map_c is the map of the model f_c, whose outputs for x + c are those of the model f
    for x. The shift of the inputs is only a matter of preprocessing, and should not
    change a map. Gradients do not change; methods that multiply by the input, or
    compare it with a baseline such as 0, may change. Norms are Euclidean. NaN for a map
    of zeros. Lower is better.

    The paper asks for equality; the score says how far maps are from it, and is 0 for
    equal ones, up to rounding.

    Args:
        method: Explaining method, as for ``ke.explain``, or a shortcut. One that draws
            at random is given ``seed``, the same for both models, if it takes it.
        model: Functional or Sequential Keras model with one input of real numbers.
        x: Inputs (N, H, W, C): an array, list or tensor.
        y: Units, None or a target without data, as for ``ke.explain``.
        shift: c in units of the input, a number or one for each channel (C,).
        seed: Integer >= 0, of the method.
        ids: One integer >= 0 for each image, by default its position.
        verbose: As for ``ke.explain``; progress is counted in images.
        **params: All other parameters of ``ke.explain`` and of the method.

    Returns:
        Scores (N, K).

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If the model is neither Functional nor Sequential, its input holds
            no real numbers, or an argument is not as described.

    Reference: after Kindermans et al., 2019, https://arxiv.org/abs/1711.00867
    """
    given = method, model, x, y, seed, ids, params
    maps_of, inputs, units = explained(input_invariance, *given)
    if not any(takes_noise(model, inputs)):
        raise without_quantities("input invariance")
    moved = _as_moved(shift, model, inputs)
    both = (model, inputs), (_shifted(model, moved), inputs + moved)
    progress = Progress(model, None, verbose, 1, len(inputs))
    report = progress.of_batch(len(inputs))
    for _ in progress.steps([None]):
        maps, others = (checked_maps(maps_of(*each, units)) for each in both)
        report(len(inputs), len(inputs))
    return share(norms(others - maps), norms(maps))


def _as_moved(shift: Any, model: Model, inputs: Any) -> Floats:
    """Return the shift in a shape that broadcasts with the inputs.

    Raises:
        ValueError: If it has other channels, or is not whole for a model of integers.
    """
    checks.number_or_numbers("shift", shift, -np.inf)
    moved, graph = np.asarray(shift, "float32"), trace(model)
    axis = -1 if graph is None else channel_axes(graph)[0]
    if moved.ndim and moved.shape != (inputs.shape[axis],):
        raise ValueError(
            "`shift` must be a number, or one for each of the "
            f"{inputs.shape[axis]} channels; received shape {moved.shape}."
        )
    dtype = str(flatten(getattr(model, "inputs", None) or [inputs])[0].dtype)
    if "int" in dtype and (moved != np.round(moved)).any():
        raise ValueError(
            f"`shift` must be whole for a model of {dtype}; received {shift!r}."
        )
    if moved.ndim and axis != -1:
        moved = moved.reshape(-1, *[1] * (inputs.ndim - 1 - axis))
    return moved


def _shifted(model: Model, shift: Any) -> Model:
    """Return the model of x whose outputs are those of ``model`` for x - ``shift``."""
    symbols = getattr(model, "inputs", None)
    if not symbols:
        raise ValueError(
            "`model` must be Functional or Sequential for input invariance, as its "
            f"input is shifted; received {type(model).__name__}."
        )
    [symbol] = symbols
    inputs = keras.Input(batch_shape=symbol.shape, dtype=symbol.dtype)
    return keras.Model(inputs, model(ops.subtract(inputs, shift)))
