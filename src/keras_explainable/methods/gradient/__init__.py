"""Methods by derivatives of the model's units by its inputs."""

from keras_explainable.methods.gradient.full_gradients import full_gradients
from keras_explainable.methods.gradient.guided_gradients import guided_gradients
from keras_explainable.methods.gradient.input_gradients import (
    gradients,
    input_x_gradient,
)
from keras_explainable.methods.gradient.integrated_gradients import (
    completeness_gap,
    expected_gradients,
    integrated_gradients,
)
from keras_explainable.methods.gradient.smooth_gradients import smooth_gradients

__all__ = [
    "completeness_gap",
    "expected_gradients",
    "full_gradients",
    "gradients",
    "guided_gradients",
    "input_x_gradient",
    "integrated_gradients",
    "smooth_gradients",
]
