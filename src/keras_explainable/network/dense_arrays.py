"""Refuse ragged and sparse tensors, known by what only they have.

The frameworks would fill them with zeros, so that another input would be explained.
"""

from typing import Any


def check_dense(name: str, x: Any) -> None:
    """Raise TypeError for a ragged or sparse tensor , or a list of them."""
    for each in x if isinstance(x, list | tuple) else [x]:
        kind = type(each).__name__
        if _is_ragged(each):
            raise TypeError(
                f"`{name}` must be dense; received a ragged {kind}. Pass samples of "
                "different lengths as a list with a dense array for each sample."
            )
        if _is_sparse(each):
            raise TypeError(
                f"`{name}` must be dense; received a sparse {kind}. Pass "
                f"`{_dense(name, each)}`."
            )


def _is_ragged(x: Any) -> bool:
    """Whether it is a RaggedTensor of TensorFlow or a nested tensor of PyTorch."""
    return hasattr(x, "nested_row_splits") or getattr(x, "is_nested", False) is True


def _is_sparse(x: Any) -> bool:
    """Whether it is sparse in TensorFlow, JAX, SciPy or PyTorch."""
    if hasattr(x, "is_nested"):  # A tensor of PyTorch: all of them have `to_dense`.
        return str(x.layout).startswith("torch.sparse")
    return hasattr(x, "dense_shape") or hasattr(x, "todense")


def _dense(name: str, x: Any) -> str:
    """Return the expression that makes a sparse ``x`` dense."""
    known = [each for each in ("toarray", "to_dense", "todense") if hasattr(x, each)]
    return f"{name}.{known[0]}()" if known else f"tf.sparse.to_dense({name})"
