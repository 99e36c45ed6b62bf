"""Recipes for functions of ``keras.ops.image``."""

from typing import Any

import numpy as np
from keras import ops

from benchmarks.derivatives.recipe import Recipe, of

_IMAGE, _PIXELS = (1, 4, 4, 2), (1, 4, 4, 3)


def _resized(interpolation: str) -> Recipe:
    def function(x: Any) -> Any:
        return ops.image.resize(x, (3, 6), interpolation=interpolation)

    return of(function, (1, 4, 4, 2), variant=interpolation)


def _warped(fill: str) -> Recipe:
    turn = np.array([0.9, -0.4, 1.3, 0.3, 1.1, -0.7, 0, 0])

    def function(x: Any) -> Any:
        return ops.image.affine_transform(x, turn, fill_mode=fill)

    return of(function, (1, 4, 4, 2), variant=fill)


IMAGES: dict[str, list[Recipe]] = {
    "affine_transform": [
        _warped(fill) for fill in ("constant", "nearest", "wrap", "reflect")
    ],
    "crop_images": [
        of(
            lambda x: ops.image.crop_images(
                x, top_cropping=1, left_cropping=1, target_height=2, target_width=2
            ),
            _IMAGE,
        )
    ],
    "extract_patches": [of(lambda x: ops.image.extract_patches(x, 2), _IMAGE)],
    "extract_patches_3d": [
        of(lambda x: ops.image.extract_patches_3d(x, 2), (1, 4, 4, 4, 2))
    ],
    "map_coordinates": [
        of(
            lambda x, at: ops.image.map_coordinates(x, 1.3 + at, order=1),
            (4, 4),
            (2, 6),
        )
    ],
    "pad_images": [
        of(
            lambda x: ops.image.pad_images(
                x, top_padding=1, left_padding=1, target_height=6, target_width=6
            ),
            _IMAGE,
        )
    ],
    "perspective_transform": [
        of(
            lambda x: ops.image.perspective_transform(
                x,
                np.array([[[0, 0], [0, 3], [3, 0], [3, 3]]], "float32"),
                np.array([[[0.2, 0], [0, 2.9], [3.1, 0.3], [3, 3]]], "float32"),
            ),
            _IMAGE,
        )
    ],
    "resize": [_resized(name) for name in ("nearest", "bilinear", "bicubic")]
    + [_resized(name) for name in ("lanczos3", "lanczos5")],
    "scale_and_translate": [
        of(
            lambda x: ops.image.scale_and_translate(
                x,
                (1, 3, 6, 2),
                np.array([0.8, 1.3], "float32"),
                np.array([0.2, -0.4], "float32"),
                (1, 2),
                "linear",
            ),
            _IMAGE,
        )
    ],
    "ssim": [of(lambda x, y: ops.image.ssim(x, y, 1.0, filter_size=3), *(_IMAGE,) * 2)],
    "hsv_to_rgb": [of(ops.image.hsv_to_rgb, _PIXELS)],
    "rgb_to_hsv": [of(ops.image.rgb_to_hsv, _PIXELS)],
}
