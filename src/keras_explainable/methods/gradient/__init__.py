"""Methods based on derivatives of the model's units with respect to its inputs.

Each takes a model, inputs (B, ..., C) and units (B, K), and returns logits (B, K) and
maps: gradients as they are, averaged under noise or along a path, guided through ReLUs,
or completed by the gradients of biases. Estimators of gradients under noise are in
``methods.slopes``. Nothing here knows the other families of methods.
"""

from keras_explainable.methods.gradient.attnlrp import attnlrp
from keras_explainable.methods.gradient.expected_gradients import expected_gradients
from keras_explainable.methods.gradient.full_gradients import full_gradients
from keras_explainable.methods.gradient.guided_gradients import guided_gradients
from keras_explainable.methods.gradient.input_gradients import (
    gradients,
    input_x_gradient,
)
from keras_explainable.methods.gradient.integrated_gradients import (
    completeness_gap,
    integrated_gradients,
)
from keras_explainable.methods.gradient.smooth_gradients import smooth_gradients

__all__ = [
    "attnlrp",
    "completeness_gap",
    "expected_gradients",
    "full_gradients",
    "gradients",
    "guided_gradients",
    "input_x_gradient",
    "integrated_gradients",
    "smooth_gradients",
]

#: The methods that return maps (B, H, W, K) without parameters of their own.
METHODS = [
    attnlrp,
    gradients,
    full_gradients,
    guided_gradients,
    input_x_gradient,
    integrated_gradients,
]

__dir__ = __all__.copy
