"""Recipes for functions of ``keras.ops``."""

from typing import Any

import keras
import numpy as np
from keras import ops

from benchmarks.derivatives.recipe import Recipe, of

_MATRIX, _IMAGE = (4, 4), (1, 4, 4, 2)
_LABELS = np.arange(12.0).reshape(3, 4) % 2
_KERNELS = (_IMAGE, (2, 2, 2, 3))


def _positive_definite(x: Any) -> Any:
    return ops.matmul(x, ops.transpose(x)) + ops.eye(x.shape[0], dtype=x.dtype)


def _symmetric(x: Any) -> Any:
    return x + ops.transpose(x)


def _pooling(kind: str) -> list[Recipe]:
    """Return recipes for one, two and three axes, without and with padding."""
    shapes = {1: (1, 6, 2), 2: (1, 4, 4, 2), 3: (1, 4, 4, 4, 2)}
    pool = getattr(ops, kind)
    return [
        of(
            lambda x, n=rank, padding=padding: pool(x, (2,) * n, (2,) * n, padding),
            shape,
            variant=f"{rank}D {padding}",
        )
        for rank, shape in shapes.items()
        for padding in ("valid", "same")
    ]


def _by_segment(name: str) -> Any:
    segments = np.array([0, 0, 1])
    return lambda x: getattr(ops, name)(x, segments, num_segments=2)


def _product_of(carry: Any, row: Any) -> tuple[Any, Any]:
    product = carry * row
    return product, product


OPS: dict[str, list[Recipe]] = {
    "associative_scan": [of(lambda x: ops.associative_scan(ops.multiply, x), (3, 4))],
    "average_pool": _pooling("average_pool"),
    "batch_normalization": [
        of(lambda x, m, v: ops.batch_normalization(x, m, v**2, -1), (3, 4), (4,), (4,))
    ],
    "binary_crossentropy": [
        of(
            lambda x: ops.binary_crossentropy(_LABELS, x),
            (3, 4),
            variant="probabilities",
        ),
        of(
            lambda x: ops.binary_crossentropy(_LABELS, x, from_logits=True),
            (3, 4),
            variant="logits",
        ),
    ],
    "broadcast_to": [of(lambda x: ops.broadcast_to(x, (2, 3, 4)), (3, 4))],
    "cast": [of(lambda x: ops.cast(x, keras.config.floatx()), (3, 4))],
    "cholesky": [of(lambda x: ops.cholesky(_positive_definite(x)), _MATRIX)],
    "cholesky_inverse": [
        of(lambda x: ops.cholesky_inverse(ops.cholesky(_positive_definite(x))), _MATRIX)
    ],
    "cond": [of(lambda x: ops.cond(True, lambda: x**2, lambda: x), (3, 4))],
    "conv": [of(ops.conv, *_KERNELS)],
    "conv_transpose": [of(ops.conv_transpose, _IMAGE, (2, 2, 3, 2))],
    "correlate": [of(ops.correlate, (6,), (3,))],
    "cross": [of(ops.cross, (4, 3), (4, 3))],
    "ctc_loss": [
        of(
            lambda x: ops.ctc_loss(np.array([[1, 2]]), x, np.array([2]), np.array([6])),
            (1, 6, 3),
        )
    ],
    "cumprod": [
        of(lambda x: ops.cumprod(x, axis=0), (3, 4), variant="axis 0"),
        of(lambda x: ops.cumprod(x, axis=-1), (3, 4), variant="axis -1"),
    ],
    "depthwise_conv": [of(ops.depthwise_conv, _IMAGE, (2, 2, 2, 1))],
    "det": [of(ops.det, _MATRIX)],
    "divide": [of(ops.divide, (3, 4), (3, 4))],
    "dot_product_attention": [
        of(ops.dot_product_attention, *((1, 3, 2, 2),) * 3),
    ],
    "eig": [of(lambda x: ops.eig(_symmetric(x))[0], _MATRIX)],
    "eigh": [of(lambda x: ops.eigh(_symmetric(x))[0], _MATRIX, variant="values")],
    "einsum": [of(lambda x, y: ops.einsum("ij,kj->ik", x, y), (3, 4), (2, 4))],
    "fft": [of(lambda x, y: ops.fft((x, y)), (3, 4), (3, 4))],
    "fft2": [of(lambda x, y: ops.fft2((x, y)), (3, 4), (3, 4))],
    "fold": [of(lambda x: ops.fold(x, (3, 3), 2), (1, 8, 4))],
    "fori_loop": [of(lambda x: ops.fori_loop(0, 3, lambda _, y: y * x, x), (3, 4))],
    "get_item": [of(lambda x: ops.get_item(x, 1), (3, 4))],
    "glu": [of(ops.glu, (3, 4))],
    "ifft2": [of(lambda x, y: ops.ifft2((x, y)), (3, 4), (3, 4))],
    "imag": [of(lambda x: ops.imag(ops.view_as_complex(x)), (3, 2))],
    "irfft": [of(lambda x, y: ops.irfft((x, y)), (3, 4), (3, 4))],
    "istft": [
        of(lambda x, y: ops.istft((x, y), 4, 2, 4), (1, 5, 3), (1, 5, 3)),
    ],
    "ldexp": [of(lambda x: ops.ldexp(x, np.arange(4)), (3, 4))],
    "logdet": [of(lambda x: ops.logdet(_positive_definite(x)), _MATRIX)],
    "lstsq": [of(ops.lstsq, _MATRIX, (4,))],
    "map": [of(lambda x: ops.map(lambda row: row**2, x), (3, 4))],
    "matmul": [of(ops.matmul, (3, 4), (4, 2))],
    "max_pool": _pooling("max_pool"),
    "meshgrid": [of(ops.meshgrid, (3,), (4,))],
    "norm": [
        of(lambda x: ops.norm(x, axis=-1), (3, 4), variant="default"),
        of(lambda x: ops.norm(x, ord=1, axis=-1), (3, 4), variant="ord 1"),
        of(lambda x: ops.norm(x, ord=3, axis=-1), (3, 4), variant="ord 3"),
        of(lambda x: ops.norm(x, ord=np.inf, axis=-1), (3, 4), variant="ord inf"),
        of(lambda x: ops.norm(x, ord="nuc"), (3, 4), variant="ord nuc"),
    ],
    "normalize": [
        of(ops.normalize, (3, 4), variant="default"),
        of(lambda x: ops.normalize(x, order=1), (3, 4), variant="order 1"),
    ],
    "pad": [
        of(lambda x, m=mode: ops.pad(x, ((1, 1), (1, 1)), mode=m), (3, 4), variant=mode)
        for mode in ("constant", "reflect", "symmetric")
    ],
    "percentile": [of(lambda x: ops.percentile(x, 30, axis=-1), (3, 4))],
    "nanpercentile": [of(lambda x: ops.nanpercentile(x, 30, axis=-1), (3, 4))],
    "power": [
        of(ops.power, (3, 4), (3, 4)),
        *(
            of(lambda x, p=p: ops.power(x, p), (3, 4), variant=f"exponent {p}")
            for p in (0, 0.5, 1, 2, 3)
        ),
    ],
    "prod": [
        of(lambda x: ops.prod(x, axis=-1), (3, 4), variant="axis -1"),
        of(ops.prod, (3, 4), variant="all"),
    ],
    "qr": [of(lambda x: ops.abs(ops.qr(x)[1]), _MATRIX, variant="size of R")],
    "rearrange": [of(lambda x: ops.rearrange(x, "a b -> b a"), (3, 4))],
    "saturate_cast": [
        of(lambda x: ops.saturate_cast(x, keras.config.floatx()), (3, 4))
    ],
    "scan": [of(lambda x: ops.scan(_product_of, ops.ones_like(x[0]), x), (3, 4))],
    "scatter": [of(lambda x: ops.scatter(np.array([[0], [2], [2]]), x, (5,)), (3,))],
    "scatter_update": [
        of(
            lambda x, u, r=r: ops.scatter_update(
                x, np.array([[0], [2], [2]]), u, reduction=r
            ),
            (5,),
            (3,),
            variant=f"reduction {r}",
        )
        for r in (None, "add", "max", "min", "mul")
    ],
    **{
        name: [of(_by_segment(name), (3,))]
        for name in ("segment_max", "segment_min", "segment_prod", "segment_sum")
    },
    "select": [
        of(lambda x, y: ops.select([x > 0, y > 0], [x, y * y], 0.0), (3, 4), (3, 4))
    ],
    "separable_conv": [of(ops.separable_conv, _IMAGE, (2, 2, 2, 1), (1, 1, 2, 3))],
    "slice": [of(lambda x: ops.slice(x, (1, 1), (2, 2)), (3, 4))],
    "slice_update": [of(lambda x, u: ops.slice_update(x, (1, 1), u), (3, 4), (2, 2))],
    "solve": [of(ops.solve, _MATRIX, (4, 2))],
    "solve_triangular": [
        of(lambda x, y: ops.solve_triangular(x, y, lower=True), _MATRIX, (4, 2))
    ],
    "sparse_categorical_crossentropy": [
        of(
            lambda x: ops.sparse_categorical_crossentropy(np.array([0, 1, 3]), x),
            (3, 4),
            variant="probabilities",
        ),
        of(
            lambda x: ops.sparse_categorical_crossentropy(
                np.array([0, 1, 3]), x, from_logits=True
            ),
            (3, 4),
            variant="logits",
        ),
    ],
    "std": [
        of(ops.std, (3, 4), variant="all"),
        of(lambda x: ops.std(x, axis=-1), (3, 4), variant="axis -1"),
    ],
    "stft": [of(lambda x: ops.stft(x, 4, 2, 4), (1, 12))],
    "svd": [of(lambda x: ops.svd(x, compute_uv=False), (3, 4), variant="values")],
    "switch": [of(lambda x: ops.switch(1, [ops.abs, ops.square], x), (3, 4))],
    "take_along_axis": [
        of(lambda x: ops.take_along_axis(x, np.array([[0, 1, 1]]), axis=-1), (3, 4))
    ],
    "tensordot": [of(lambda x, y: ops.tensordot(x, y, 1), (3, 4), (4, 2))],
    "trapezoid": [of(ops.trapezoid, (3, 4))],
    "unfold": [of(lambda x: ops.unfold(x, 2), (1, 2, 4, 4))],
    "vectorize": [of(lambda x: ops.vectorize(ops.square)(x), (3, 4))],
    "vectorized_map": [of(lambda x: ops.vectorized_map(ops.square, x), (3, 4))],
    "view_as_complex": [of(ops.view_as_complex, (3, 2))],
    "view_as_real": [of(lambda x: ops.view_as_real(ops.view_as_complex(x)), (3, 2))],
    "where": [of(lambda x, y: ops.where(x > 0, x, y), (3, 4), (3, 4))],
    "while_loop": [
        of(
            lambda x: ops.while_loop(
                lambda i, y: i < 3, lambda i, y: (i + 1, y * x), (0, x)
            )[1],
            (3, 4),
        )
    ],
}
