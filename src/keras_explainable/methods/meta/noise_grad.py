"""NoiseGrad: any method, averaged over noisy copies of the weights."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from threading import get_ident
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_explainable import backend
from keras_explainable.common import checks
from keras_explainable.execution.compilation import call_method, describe, display_name
from keras_explainable.execution.method_checks import check_method
from keras_explainable.execution.model_preparation import (
    prepared_model,
    prepares_model,
    shows_layers,
)
from keras_explainable.inspection.axes import along_axes
from keras_explainable.inspection.logits import rewritten_model
from keras_explainable.network import output_units
from keras_explainable.network.graph import NO_OFFSETS, Graph, GraphModel
from keras_explainable.network.layers_of_model import trained_weights
from keras_explainable.sampling import averaging_loop, noise
from keras_explainable.sampling.accumulator import Accumulators
from keras_explainable.sampling.parameters import Sampling
from keras_explainable.sampling.schedule import Copies
from keras_explainable.types import Method, Model, Tensor


class NoisyWeights(GraphModel):
    """A model that runs with weights ``w * (1 + sigma * eps)``; w does not change."""

    def __init__(self, graph: Graph, name: str):
        super().__init__(graph, name)
        self.dtype_policy = "float32"  # Noise is not rounded, whatever layers compute.
        self.noisy = trained_weights(self.layers_used)
        # As variables, they can change without compiling again.
        options = {"trainable": False, "initializer": "zeros"}
        self.sigma = keras.Variable(shape=(), dtype="float32", **options)
        shape = (len(self.noisy), 2)
        self.keys = keras.Variable(shape=shape, dtype="int32", **options)

    @contextmanager
    def drawn(self, sigma: float, sampling: Sampling, draw: int) -> Iterator[None]:
        """Add the noise of a ``draw`` to all weights, and none afterwards."""
        indices = np.arange(len(self.noisy))
        keys = sampling.keys(indices, np.full(len(indices), draw))
        try:
            self.keys.assign((keys >> 1).astype("int32"))
            self.sigma.assign(sigma)
            yield
        finally:
            self.sigma.assign(0)

    def run(self, inputs: Any, offsets: Mapping[int, Tensor] = NO_OFFSETS) -> Any:
        """Return the outputs; see ``Graph.run``."""
        noisy = [*map(self._noisy_value, range(len(self.noisy)))]
        with backend.state_kept(noisy):
            return super().run(inputs, offsets)

    def _noisy_value(self, index: int) -> tuple[keras.Variable, Tensor]:
        weight = self.noisy[index]
        eps = backend.normal(self.keys[index : index + 1], tuple(weight.shape))[0]
        factor = ops.cast(1 + self.sigma * eps, weight.dtype)
        return weight, weight.value * factor


def _noisy(model: Model, method: Method, params: dict[str, Any]) -> Model:
    """Return the model that ``method`` requires, with noisy weights.

    Raises:
        ValueError: If the layers of the model are not known.
    """
    if isinstance(model, NoisyWeights):
        return model
    model = prepared_model(method, model, params)
    # One model for each thread, as its variables hold the current draw.
    noisy = rewritten_model(model, _for_thread, get_ident(), kind=NoisyWeights)
    if noisy is model or not noisy.noisy:
        lacks = "" if noisy is model else " without any"
        raise ValueError(
            "`model` must be Functional or Sequential, and have weights, for noise on "
            f"these; received {type(model).__name__}{lacks}."
        )
    noisy.sigma.assign(0)  # Ctrl-C may have interrupted this after the last draw.
    return noisy


def _for_thread(graph: Graph, thread: int) -> Graph:
    return replace(graph)


def noise_grad(
    method: Method,
    repetitions: int = 10,
    noise_level: float = 0.2,
    *,
    seed: int | None = None,
) -> Method:
    """Return ``method`` averaged over noisy copies of the weights (NoiseGrad).

        maps = 1/n sum_s method(x; w * (1 + sigma * eps_s)),   eps_s ~ N(0, I)

    ``noise_grad(smooth(method))`` is FusionGrad: noise on weights and inputs.

    Args:
        method: Explanation method to wrap.
        repetitions: Number n of noisy copies; none of them is the model itself.
        noise_level: Standard deviation sigma, as a fraction of each weight.
        seed: Integer >= 0, which gives the same copies for all inputs. None draws a
            fresh seed.

    Returns:
        A method with the same signature. Logits (B, K) are those of the model itself;
        maps have the shape of ``method``'s. It also takes ``return_stats``: whether
        to return ``Stats`` as a third value.

    Raises:
        ValueError: If ``repetitions < 1``, or the noise or the seed is negative.

    Reference: Bykov et al., 2022, https://arxiv.org/abs/2106.10185
    """
    check_method(method)
    checks.number("noise_level", noise_level, 0)
    asked = Sampling(repetitions, seed)

    def noisy(call: averaging_loop.MethodCall, **params: Any) -> tuple[Any, ...]:
        sampling, model = asked.with_seed(), _noisy(call.model, method, params)
        accumulator = Accumulators(
            call.outputs, call.indices, sampling, with_errors=call.return_stats
        )
        image, used = np.arange(len(call.ids)), call.ids != noise.PADDING
        step = output_units.with_outputs(method) if call.return_stats else method
        run = partial(call_method, step, model, rows=call.rows, ids=call.ids)
        given = call.inputs, call.indices, params
        for draw in range(repetitions):
            with model.drawn(noise_level, sampling, draw):
                logits, maps, *outputs = run(*given, results=2 + call.return_stats)
            copies = Copies(image, np.full(len(image), draw), used)
            accumulator.add(logits, maps, outputs, copies)
            call.progress((draw + 1) * len(image), repetitions * len(image))
        facts = {"method": describe(method), "noise_level": noise_level}
        return averaging_loop.method_result(call, accumulator, facts)

    noisy.__name__ = f"noise_grad({display_name(method)})"
    hook = prepares_model(
        lambda model, params: _noisy(model, method, params),
        shows_layers=shows_layers(method),
    )
    return along_axes(
        hook(averaging_loop.looping_method(noisy, several=True, inner=method))
    )
