"""The faster equal copy of a model."""

from keras_explainable.lowering.compare_outputs import checked_copy
from keras_explainable.lowering.lowered_model import PRECISIONS, lower
from keras_explainable.lowering.rows_per_chunk import suitable_rows

__all__ = ["PRECISIONS", "checked_copy", "lower", "suitable_rows"]
