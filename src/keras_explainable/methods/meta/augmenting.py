"""Any method over scaled and flipped views of the input."""

from collections.abc import Sequence
from typing import Any

from keras import ops

from keras_explainable import checks
from keras_explainable.averaging import Call, looping
from keras_explainable.compilation import call_method, name_of
from keras_explainable.preparing import prepared, prepares
from keras_explainable.types import Method, Tensor


def tta(
    method: Method,
    scales: Sequence[float] = (0.5, 1.5, 2.0),
    hflip: bool = True,
    interpolation: str = "bilinear",
) -> Method:
    """Return ``method`` averaged over views of the input (test-time augmentation).

        maps = mean over views v of v^-1( method(v(x)) )

    Views are the input itself, and the input scaled; and each of them flipped from
    left to right, with ``hflip``. Maps are flipped back, and resized to those of the
    input itself.

    Args:
        method: explaining method to wrap.
        scales: factors of height and width. The model must take inputs of any size,
            unless there are none: ``scales=()``.
        hflip: whether to flip.
        interpolation: of inputs and maps, as in ``keras.ops.image.resize``.

    Returns:
        A method with the same signature. Logits (B, K) are those of the input itself;
        maps have the shape of ``method``'s, (B, h, w, K).

    Raises:
        ValueError: if a scale is not above 0.
        TypeError: if ``method`` cannot be called.
    """
    checks.is_callable("method", method)
    for scale in scales:
        checks.number("scales", scale, 1e-6)
    flips = (False, True) if hflip else (False,)

    def augmented(call: Call, **params: Any) -> tuple[Tensor, Tensor]:
        sizes = [_scaled(call.inputs.shape[1:3], scale) for scale in (1, *scales)]
        views = [(size, flip) for size in dict.fromkeys(sizes) for flip in flips]
        total, shape = 0.0, None
        for number, (size, flip) in enumerate(views):
            view = _flipped(_resized(call.inputs, size, interpolation), flip)
            _, maps = call_method(
                method,
                call.model,
                view,
                call.indices,
                params,
                rows=call.rows,
                ids=call.ids,
            )
            maps = _flipped(maps, flip)
            shape = shape or maps.shape[1:3]  # Of the input itself.
            total = total + _resized(maps, shape, interpolation)
            call.progress((number + 1) * len(call.ids), len(views) * len(call.ids))
        return call.logits, total / len(views)

    augmented.__name__ = f"tta({name_of(method)})"
    wrapped = looping(augmented, samples=False)
    return prepares(lambda model, params: prepared(method, model, params))(wrapped)


def _scaled(size: Any, scale: float) -> tuple[int, int]:
    return tuple(max(round(scale * side), 1) for side in size)


def _resized(images: Tensor, size: Any, interpolation: str) -> Tensor:
    """Return images or maps (B, H, W, ...) of another size."""
    if tuple(images.shape[1:3]) == tuple(size):
        return images
    flat = ops.reshape(images, (*images.shape[:3], -1))
    resized = ops.image.resize(flat, size, interpolation, data_format="channels_last")
    return ops.reshape(resized, (-1, *size, *images.shape[3:]))


def _flipped(images: Tensor, flip: bool) -> Tensor:
    return ops.flip(images, axis=2) if flip else images
