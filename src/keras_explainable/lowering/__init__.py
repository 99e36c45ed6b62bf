"""Make a copy of a model that computes the same outputs faster.

``lower`` takes a Functional or Sequential model, which is only read, and returns a flat
copy with batch normalization folded into the layers before it. ``checked_copy`` decides
whether the copy's outputs agree with the model's, and ``suitable_rows`` how many rows
go through it at once. The package knows graphs of operations (``network``) and what
each backend does fastest (``backend``). It must not know the explanation methods.
"""

from keras_explainable.lowering.compare_outputs import checked_copy
from keras_explainable.lowering.lowered_model import PRECISIONS, lower
from keras_explainable.lowering.rows_per_chunk import suitable_rows

__all__ = ["PRECISIONS", "checked_copy", "lower", "suitable_rows"]

__dir__ = __all__.copy
