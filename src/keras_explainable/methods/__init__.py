"""The explanation methods: what is computed for a model, inputs and units.

A method is a function ``method(model, inputs, indices, **params)`` that returns logits
(B, K) and maps (B, ..., K); a meta method turns a method into another one. Families of
methods do not import each other. None of them knows where inputs come from, how they
are batched, or what happens to the maps: this is up to ``engine``.
"""

from keras_explainable.methods import attention, cams, gradient, meta, perturbation

__all__ = ["attention", "cams", "gradient", "meta", "perturbation"]


__dir__ = __all__.copy
