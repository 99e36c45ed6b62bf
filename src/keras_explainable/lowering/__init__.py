"""The faster equal copy of a model."""

from keras_explainable.lowering.compare_outputs import checked
from keras_explainable.lowering.lowered_model import PRECISIONS, lower
from keras_explainable.lowering.rows_per_chunk import suitable_rows

__all__ = ["PRECISIONS", "checked", "lower", "suitable_rows"]
