"""Arrays that users give: dense ones of finite, real numbers.

Ragged and sparse tensors are known by what only they have, and refused: the frameworks
would fill them with zeros, so that another input would be explained.
"""

import inspect
from pathlib import PurePath
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_explainable import backend
from keras_explainable.common.image_suffixes import SUFFIXES

_OF_FILE = (
    "An image is read by `keras.utils.img_to_array(keras.utils.load_img(path))`, and a "
    "folder of them by `keras.utils.image_dataset_from_directory(path)`."
)


def check_dense(name: str, x: Any) -> None:
    """Raise TypeError for a ragged or sparse tensor, or a list of them."""
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


def as_array(name: str, x: Any) -> Any:
    """Return a tensor unchanged, anything else as a NumPy array.

    Raises:
        TypeError: If it is ragged or sparse, or does not hold real numbers.
    """
    check_dense(name, x)
    if name == "x" and isinstance(x, str | PurePath):
        raise TypeError(
            f"`x` must be an array of real numbers; received {x!r:.60}. {_OF_FILE}"
        )
    if x is None:
        raise TypeError(
            f"`{name}` must be an array of real numbers; received None. Inputs of the "
            "model that are optional must be given, too."
        )
    if not ops.is_tensor(x):
        try:
            x = np.asarray(x)
        except (TypeError, ValueError, RuntimeError) as error:
            raise TypeError(_no_array(name, x, error)) from error
    only = x.item() if isinstance(x, np.ndarray) and x.shape == () else None
    if isinstance(only, dict) and only:
        raise TypeError(_dictionary(name, [*only]))
    if only is not None and (hint := _uncalled(only)):
        raise TypeError(f"`{name}` must be an array of numbers; received {hint}")
    dtype = dtype_name(x)
    if dtype.startswith(("str", "bytes")) or _holds_text(x):
        raise TypeError(
            f"`{name}` must be an array of real numbers; received text. "
            + _of_text(name, x)
        )
    if not dtype.startswith(("float", "bfloat", "int", "uint", "bool")):
        raise TypeError(f"`{name}` must be an array of real numbers; received {dtype}.")
    return x


def _of_text(name: str, text: Any) -> str:
    """Return what to pass in place of text."""
    if name == "y":
        return "For class names, pass their units, such as `names.index('cat')`."
    if name == "data":
        return "For labels, pass their numbers."
    if isinstance(text, np.ndarray) and _is_image_file(text.flat[0]):
        return _OF_FILE
    return (
        "Look it up first, and explain the model of what comes after: "
        "`keras.Model(lookup.output, model.output)`."
    )


def _is_image_file(text: Any) -> bool:
    return str(text).lower().endswith(SUFFIXES)


def _holds_text(x: Any) -> bool:
    """Return whether an array of objects begins with text, or the path of a file."""
    if not isinstance(x, np.ndarray) or x.dtype != object or not x.size:
        return False
    return isinstance(x.flat[0], str | bytes | PurePath)


def _uncalled(x: Any) -> str:
    """Return what an object that holds the numbers is, and what to write instead."""
    if inspect.isgeneratorfunction(x):
        return f"the function {x.__name__}. Write `{x.__name__}()` for what it yields."
    if isinstance(x, set | frozenset) or hasattr(x, "__next__"):
        return f"a {type(x).__name__}. Write `list(...)` of it."
    return ""


def _no_array(name: str, x: Any, error: Exception) -> str:
    if name == "x" and _is_labelled_batch(x):
        return (
            "`x` must be an array of inputs; received a pair, maybe of inputs and "
            "labels, which are passed as `x, y`."
        )
    if hasattr(type(x), "__getitem__") and not isinstance(x, list | tuple | str):
        return (
            f"`{name}` must be an array of numbers, or yield batches; received "
            f"{type(x).__name__}. Pass a loader of its batches, such as "
            "`torch.utils.data.DataLoader(data, batch_size=32)`."
        )
    shapes = sorted({np.shape(each) for each in x}) if _are_arrays(x) else ()
    if len(shapes) > 1:
        return (
            f"`{name}` must be one array, with rows of one shape; received rows of "
            f"{len(shapes)} shapes, such as {shapes[0]} and {shapes[-1]}. Images of "
            "several sizes can be passed in several calls."
        )
    return f"`{name}` must be an array of numbers; {error}"


def _are_arrays(x: Any) -> bool:
    return isinstance(x, list | tuple) and all(hasattr(each, "shape") for each in x)


def _is_labelled_batch(x: Any) -> bool:
    """Return whether ``x`` is a pair as of a data loader; a list may be of images."""
    if not isinstance(x, tuple | list) or len(x) != 2:
        return False
    return isinstance(x, tuple) or getattr(x[1], "shape", ()) == np.shape(x[0])[:1]


def _dictionary(name: str, keys: list[Any]) -> str:
    hint = f" Units of one of several outputs: `y=ke.targets.output({keys[0]!r})`."
    return (
        f"`{name}` must be an array of real numbers; received a dictionary with the "
        f"keys {keys!r:.60}.{hint if name == 'y' else ''}"
    )


def check_finite(x: Any, name: str = "x") -> None:
    """Raise ValueError if ``x`` holds NaN or infinite values."""
    if backend.is_symbolic(x):
        return
    finite = ops.all(ops.isfinite(x)) if ops.is_tensor(x) else np.isfinite(x).all()
    if not finite:
        raise ValueError(
            f"`{name}` must be finite; received NaN or infinite values. If the model "
            "replaces missing values itself, replace them in the same way before, such "
            "as by `numpy.nan_to_num`."
        )


def dtype_name(x: Any) -> str:
    """Return the name of the dtype of a tensor or array."""
    return (
        keras.backend.standardize_dtype(x.dtype) if ops.is_tensor(x) else x.dtype.name
    )
