"""The faster equal copy of a model."""

from keras_explainable.lowering.checking import checked
from keras_explainable.lowering.making import PRECISIONS, lower

__all__ = ["PRECISIONS", "checked", "lower"]
