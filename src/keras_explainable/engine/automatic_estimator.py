"""SmoothGrad by the estimator that is expected to be more accurate in the same time."""

import inspect
from collections.abc import Callable
from functools import partial, wraps
from typing import Any, Literal

from keras_explainable.execution.model_preparation import prepares_model
from keras_explainable.methods import gradient, meta
from keras_explainable.methods.gradient.input_gradients import SIGNED_GRADIENTS
from keras_explainable.methods.gradient.smooth_gradients import FEWEST
from keras_explainable.methods.slopes import linearized_network
from keras_explainable.types import Method, Model

#: The estimators of ``smoothgrad``.
EstimatorChoice = Literal["auto", "sampled", "slopes", "hybrid"]


def automatic_method(sampling: dict[str, Any], of_samples: dict[str, Any]) -> Method:
    """Return a method that takes "hybrid" where it applies, and "sampled" elsewhere.

    "hybrid" needs a model whose nonlinear steps all have known mean slopes, an even
    number of repetitions, and no parameter that only ``smooth`` takes.

    Args:
        sampling: Parameters that both estimators take.
        of_samples: Further parameters of ``smooth``.
    """
    sampled = meta.smooth(SIGNED_GRADIENTS, **sampling, **of_samples)
    if given_for_samples(of_samples) or not _pairs(sampling["repetitions"]):
        return sampled
    hybrid = partial(gradient.smooth_gradients, estimator="hybrid", **sampling)

    @prepares_model(_with_known_slopes)
    @wraps(sampled)
    def method(model: Model, *args: Any, **params: Any) -> Any:
        exposed = linearized_network.is_exposed(model)
        return (hybrid if exposed else sampled)(model, *args, **params)

    return method


def title(name: str, estimator: EstimatorChoice | None) -> Callable[[Model], str]:
    """Return a function from the model that runs to a name with the estimator.

    Args:
        name: Name of the method.
        estimator: The estimator; None if there is only one.
    """

    def of(model: Model) -> str:
        exposed = linearized_network.is_exposed(model)
        chosen = "hybrid" if exposed else "sampled"
        known = chosen if estimator == "auto" else estimator
        return f"{name} ({known})" if known else name

    return of


def given_for_samples(of_samples: dict[str, Any]) -> list[str]:
    """Return the parameters of ``smooth`` that differ from their default, by name."""
    defaults = inspect.signature(meta.smooth).parameters
    differ = (name for name in of_samples if of_samples[name] != defaults[name].default)
    return sorted(differ)


def _pairs(repetitions: Any) -> bool:
    whole = isinstance(repetitions, int)
    return whole and repetitions >= FEWEST["hybrid"] and repetitions % 2 == 0


def _with_known_slopes(model: Model, params: dict[str, Any]) -> Model:
    return linearized_network.model_with_known_slopes(model) or model
