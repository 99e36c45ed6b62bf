"""The faster equal copy of a model."""

from keras_explainable.lowering.checking import checked
from keras_explainable.lowering.making import PRECISIONS, lower
from keras_explainable.lowering.rows import suitable_rows

__all__ = ["PRECISIONS", "checked", "lower", "suitable_rows"]
