"""Meta methods: they take an explaining method and return one."""

from keras_explainable.methods.meta.augmenting import tta
from keras_explainable.methods.meta.noisy_weights import noise_grad
from keras_explainable.methods.meta.smoothing import smooth

__all__ = ["noise_grad", "smooth", "tta"]
