"""Meta methods: they take an explaining method and return one."""

from keras_explainable.methods.meta.noise_grad import noise_grad
from keras_explainable.methods.meta.smooth import smooth
from keras_explainable.methods.meta.tta import tta

__all__ = ["noise_grad", "smooth", "tta"]
