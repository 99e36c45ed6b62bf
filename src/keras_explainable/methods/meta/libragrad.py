"""LibraGrad: any method of gradients, with balanced gradients."""

from functools import wraps
from typing import Any

from keras_explainable.execution.compilation import display_name
from keras_explainable.execution.method_checks import check_method
from keras_explainable.execution.model_preparation import (
    prepared_model,
    prepares_model,
    shows_layers,
)
from keras_explainable.inspection.exposed_layers import ExposedModel
from keras_explainable.inspection.rules_of_model import model_with_rules
from keras_explainable.types import Method, Model


def libragrad(method: Method) -> Method:
    """Return ``method`` with balanced gradients (LibraGrad).

        maps = method with g(v) in place of df/dv

    Values are those of the network; g is propagated back by these rules:

    - Attention: through the values alone. Its probabilities are constants.
    - Normalizations: through the mean, not through the scale. Quotients alike.
    - Functions a(z) of single values with a(0) = 0, such as GELU: g(z) = g(a) a(z) / z.
    - Other products of values that depend on the input, such as gates: each of two
      factors is passed half of what the derivative is.
    - All else: the derivative.

    The network is then, around the input, linear in the input and in what its layers
    add: ``x g(x)`` and ``b g(b)``, for all biases b, add up to the output. Recurrent
    layers keep their derivatives.

    Args:
        method: Explanation method that uses gradients, such as ``input_x_gradient``,
            ``gradcam``, or ``smooth(gradients)``. ``smooth_gradients`` must be given
            ``estimator="sampled"``.

    Returns:
        A method with the same signature.

    Raises:
        TypeError: If ``method`` cannot be called.
        ValueError: If the layers of the model are not known; or the operations of a
            layer of the user's that is not linear.

    Reference: Mehri et al., 2025, https://arxiv.org/abs/2411.16760
    """
    check_method(method)
    of_layers = shows_layers(method)

    def prepare(model: Model, params: dict[str, Any]) -> Model:
        exposed = prepared_model(method, model, params) if of_layers else model
        if isinstance(exposed, ExposedModel):  # Layers have names before they open.
            return model_with_rules(exposed, "libragrad")
        return prepared_model(method, model_with_rules(model, "libragrad"), params)

    @wraps(method)
    def balanced(model: Model, *args: Any, **params: Any) -> Any:
        return method(prepare(model, params), *args, **params)

    balanced.__name__ = f"libragrad({display_name(method)})"
    return prepares_model(prepare, shows_layers=of_layers)(balanced)
