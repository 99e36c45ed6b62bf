"""Layer-wise relevance propagation for networks with attention (AttnLRP)."""

from collections.abc import Callable
from typing import Any

from keras import ops

from keras_explainable.common.structures import Nested
from keras_explainable.execution.model_preparation import prepares_model
from keras_explainable.inspection.axes import along_axes
from keras_explainable.inspection.rules_of_model import model_with_rules
from keras_explainable.methods.gradient.input_gradients import input_x_gradient
from keras_explainable.types import Model, Tensor


def _prepare(model: Model, params: dict[str, Any]) -> Model:
    return model_with_rules(model, "attnlrp")


@along_axes
@prepares_model(_prepare)
def attnlrp(
    model: Model,
    inputs: Tensor,
    indices: Tensor | None = None,
    *,
    channel_reduction: Callable[..., Tensor] | None = ops.sum,
) -> tuple[Tensor, Nested]:
    """Return the logits and the relevance of each input value (AttnLRP).

        maps = sum_c x_c g(x_c)

    g(v) stands for df/dv, and is propagated back by these rules:

    - Products of two values that depend on the input, such as q k, p v, and gates: each
      factor is passed half of what the derivative is (n factors: 1/n).
    - Softmax: the derivative, of which its bias takes a part of the relevance.
    - Normalizations: the mean and the scale; the scale has no derivative. Quotients
      alike.
    - Functions a(z) of single values, such as GELU: g(z) = g(a) a(z) / z.
    - Linear layers, sums, ReLUs and pooling: the derivative.

    Relevance x g(x) is the same as by the epsilon rule, for small epsilon: what a layer
    is passed it passes on, except for what biases and the softmax take. Recurrent
    layers keep their derivatives.

    Arguments and errors are those of ``gradients``.

    Returns:
        ``logits`` (B, K), and ``maps`` (B, H, W, K), signed, in units of the output.

    Raises:
        ValueError: If the layers of the model are not known; or the operations of a
            layer of the user's that is not linear.

    Reference: Achtibat et al., 2024, https://arxiv.org/abs/2402.05602
    """
    return input_x_gradient(
        _prepare(model, {}), inputs, indices, channel_reduction=channel_reduction
    )
