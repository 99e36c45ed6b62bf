"""Layers such as ``MultiHeadAttention``, called on symbols."""

import inspect
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from keras_explainable.common.structures import map_structure
from keras_explainable.network.carried_masks import (
    CarriedMask,
    WithoutMask,
    with_mask_of,
)


def attention_of_layer(
    layer: keras.Layer, masked: bool, *args: Any, **options: Any
) -> tuple[Any, dict[int, Any]]:
    """Return what a layer outputs for symbols, and which of them lose their masks.

    ``MultiHeadAttention`` takes the masks away from the tensors that it is given. These
    tensors without their masks are returned as well, by their ``id``.

    Args:
        layer: ``MultiHeadAttention`` or ``GroupQueryAttention``.
        masked: Whether tensors may carry masks.
        *args: Symbols.
        **options: Other arguments.
    """
    given = inspect.signature(layer.call).bind(*args, **options).arguments
    first, free = given["query"], _free_tensors(given) if masked else {}
    given |= _with_masks(layer, given, free)
    outputs = layer.call(**_with_causal_mask(given) | {"training": False})
    if masked:
        outputs = map_structure(lambda x: with_mask_of(first, x), outputs)
    return outputs, free if isinstance(layer, layers.MultiHeadAttention) else {}


def _free_tensors(given: dict[str, Any]) -> dict[int, Any]:
    """Return the tensors among the arguments without their masks."""
    every = [given[name] for name in ("query", "value", "key") if name in given]
    return {id(x): WithoutMask()(x) for x in every if x is not None}


def _with_masks(
    layer: keras.Layer, given: dict[str, Any], free: dict[int, Any]
) -> dict[str, Any]:
    """Return arguments in place of tensors that carry masks."""
    found = dict[str, Any]()
    for name in ("query", "value", "key"):
        if id(x := given.get(name)) in free:
            found[name] = free[id(x)]
            if given.get(f"{name}_mask") is None:
                found[f"{name}_mask"] = CarriedMask()(x)
    if found and isinstance(layer, layers.MultiHeadAttention):
        # It reads this one mask from the tensor itself.
        found["query"] = WithoutMask()(given["query"])
        found["query"]._keras_mask = CarriedMask()(given["query"])
    return found


def _with_causal_mask(given: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments with the causal mask as an array.

    The layer would make it in the sizes of inner tensors, which may not be known.
    """
    sizes = given["query"].shape[1], given["value"].shape[1]
    if not given.get("use_causal_mask") or None in sizes:
        return given
    causal, mask = np.tril(np.ones((1, *sizes), bool)), given.get("attention_mask")
    both = causal if mask is None else ops.logical_and(ops.cast(mask, "bool"), causal)
    return given | {"use_causal_mask": False, "attention_mask": both}
