"""The same maps from many processes and machines, with Ray."""

from keras_explainable.distributed.explain import explain
from keras_explainable.distributed.noise_ids import noise_ids

__all__ = ["explain", "noise_ids"]
__dir__ = __all__.copy
