"""Meta methods, which take an explanation method and return another one.

The new method averages the maps of the given one over noisy copies of the inputs
(``smooth``), scaled and flipped inputs (``tta``) or noisy copies of the weights
(``noise_grad``), or computes it with balanced gradients (``libragrad``). It has the
same signature, and can be given to a meta method again. Nothing here knows a particular
method: any function with that signature will do.
"""

from keras_explainable.methods.meta.libragrad import libragrad
from keras_explainable.methods.meta.noise_grad import noise_grad
from keras_explainable.methods.meta.smooth import smooth
from keras_explainable.methods.meta.tta import tta

__all__ = ["libragrad", "noise_grad", "smooth", "tta"]


__dir__ = __all__.copy
