"""Properties of the filters, compared with plain NumPy on the current backend."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from keras import ops

from keras_explainable import filters

NORMALIZATIONS = (
    filters.normalize,
    filters.positive_normalize,
    filters.negative_normalize,
    filters.absolute_normalize,
    filters.percentile_normalize,
)
PARTS = (filters.absolute, filters.positive, filters.negative)
HAS_FLOAT64 = keras.backend.backend() != "jax"

# Some backends treat subnormal numbers as zero.
FLOATS = st.floats(-(2.0**100), 2.0**100, width=32, allow_subnormal=False)
# Only a few shapes, because JAX compiles each operation again for every shape.
SHAPES = st.sampled_from([(2, 3, 4, 2), (1, 1, 3, 1), (1, 1, 1, 3)])
MAPS = hnp.arrays(np.float32, SHAPES, elements=FLOATS)
FEW = settings(max_examples=25, deadline=None, derandomize=True)


def host(x):
    return ops.convert_to_numpy(x)


def noise(*shape):
    return np.random.default_rng(7).normal(size=shape).astype("float32")


def reference(x, percentile=100, axis=(1, 2)):
    x = x.astype("float64")
    low = x.min(axis, keepdims=True)
    high = np.percentile(x, percentile, axis=axis, keepdims=True)
    span = high - low
    ratio = np.clip((x - low) / np.where(span == 0, 1, span), 0, 1)
    return np.where(span == 0, x > low, ratio)


def compiled(function):
    """Return ``function`` compiled by the current backend."""
    name = keras.backend.backend()
    if name == "tensorflow":
        return pytest.importorskip("tensorflow").function(function)
    if name == "jax":
        return pytest.importorskip("jax").jit(function)
    pytest.skip("Keras does not compile functions on PyTorch")


# Positive, negative and absolute parts


def test_parts_of_a_known_array():
    x = np.array([-2.0, 0.0, 3.0], "float32")
    assert host(filters.absolute(x)).tolist() == [2, 0, 3]
    assert host(filters.positive(x)).tolist() == [0, 0, 3]
    assert host(filters.negative(x)).tolist() == [2, 0, 0]


@FEW
@given(MAPS)
def test_positive_and_negative_parts_add_up(x):
    up, down = host(filters.positive(x)), host(filters.negative(x))
    assert (up >= 0).all()
    assert (down >= 0).all()
    np.testing.assert_array_equal(up - down, x)
    np.testing.assert_array_equal(up + down, host(filters.absolute(x)))


@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (2, 3, 4), (2, 3, 4, 2, 2)])
@pytest.mark.parametrize("part", PARTS)
def test_parts_accept_any_rank(part, shape):
    assert tuple(part(noise(*shape)).shape) == shape


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "int64"])
def test_parts_of_integers_do_not_wrap_around(dtype):
    info = np.iinfo(dtype)
    x = np.array([info.min, 0, 1, info.max], dtype)
    exact = x.astype("float32")
    np.testing.assert_array_equal(host(filters.absolute(x)), np.abs(exact))
    np.testing.assert_array_equal(host(filters.negative(x)), np.maximum(-exact, 0))
    np.testing.assert_array_equal(host(filters.positive(x)), np.maximum(exact, 0))


# Normalisations


@FEW
@given(MAPS)
def test_normalize_equals_numpy(x):
    np.testing.assert_allclose(host(filters.normalize(x)), reference(x), atol=1e-6)


@FEW
@given(MAPS, st.sampled_from([1.0, 37.5, 50.0, 99.0, 100.0]))
def test_percentile_normalize_equals_numpy(x, percentile):
    # Values are rounded so that the percentile is not a small difference of large
    # numbers, for which interpolation in float32 and in float64 legitimately differs.
    x = np.round(np.clip(x, -100, 100))
    actual = host(filters.percentile_normalize(x, percentile=percentile))
    np.testing.assert_allclose(actual, reference(x, percentile), atol=1e-3)


@pytest.mark.parametrize("percentile", [0.5, 50, 90, 99, 99.9, 100])
def test_percentile_normalize_equals_numpy_on_large_maps(percentile):
    x = noise(2, 40, 31, 3)
    actual = host(filters.percentile_normalize(x, percentile=percentile))
    np.testing.assert_allclose(actual, reference(x, percentile), atol=1e-5)


@FEW
@given(MAPS)
@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_values_are_finite_and_between_0_and_1(normalization, x):
    y = host(normalization(x))
    assert y.shape == x.shape
    assert np.isfinite(y).all()
    assert y.min() >= 0
    assert y.max() <= 1


@FEW
@given(MAPS)
@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_each_map_spans_0_to_1_exactly_unless_constant(normalization, x):
    y = host(normalization(x))
    parts = {
        filters.positive_normalize: np.maximum(x, 0),
        filters.negative_normalize: np.maximum(-x, 0),
        filters.absolute_normalize: np.abs(x),
    }
    before = parts.get(normalization, x)
    varies = before.min((1, 2)) < before.max((1, 2))
    np.testing.assert_array_equal(y.min((1, 2)), np.zeros_like(varies, "float32"))
    np.testing.assert_array_equal(y.max((1, 2)), varies.astype("float32"))


@FEW
@given(MAPS, st.integers(-20, 20), st.sampled_from([0.0, 1.0, -8.0]))
@pytest.mark.parametrize(
    "normalization", [filters.normalize, filters.percentile_normalize]
)
def test_normalization_is_invariant_to_scale_and_offset(
    normalization, x, power, offset
):
    # Integers, a power of two and an integer offset are exact in float32.
    x = np.round(np.clip(x, -1000, 1000)) + np.float32(0)
    moved = (x + np.float32(offset)) * np.float32(2.0**power)
    np.testing.assert_allclose(
        host(normalization(moved)), host(normalization(x)), atol=2e-5
    )


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
@pytest.mark.parametrize("value", [-3.0, 0.0, 1e-30, 3e38])
def test_constant_maps_become_zeros(normalization, value):
    x = np.full((1, 3, 4, 2), value, "float32")
    assert not host(normalization(x)).any()


@pytest.mark.parametrize("scale", [2e-38, 1e-30, 1.0, 1e30, 3.4e38])
@pytest.mark.parametrize(
    "normalization", [filters.normalize, filters.percentile_normalize]
)
def test_tiny_and_huge_values_neither_vanish_nor_overflow(normalization, scale):
    x = np.array([[-1.0, 0.0, 1.0]], "float32") * np.float32(scale)
    middle = 0.5 if normalization is filters.normalize else 0.5 / 0.99
    expected = [[0.0, middle, 1.0]]
    np.testing.assert_allclose(host(normalization(x)), expected, atol=1e-6)


def test_small_differences_of_large_values_survive():
    x = np.array([[1000.0, 1000.0001, 1000.0002]], "float32")
    expected = reference(x, axis=(0, 1))
    np.testing.assert_allclose(host(filters.normalize(x)), expected, atol=1e-7)


@pytest.mark.skipif(not HAS_FLOAT64, reason="JAX has no float64 by default")
@pytest.mark.parametrize(
    "normalization", [filters.normalize, filters.percentile_normalize]
)
def test_double_precision_is_kept(normalization):
    x = 1 + 1e-12 * np.arange(10.0).reshape(1, 10, 1, 1)
    percentile = 100 if normalization is filters.normalize else 99
    np.testing.assert_allclose(
        host(normalization(x)), reference(x, percentile), atol=1e-12
    )


def test_each_map_is_normalized_independently():
    x = noise(2, 4, 5, 3) * np.array([1.0, 10.0, 100.0], "float32")
    together = host(filters.normalize(x))
    for image in range(2):
        for unit in range(3):
            alone = host(filters.normalize(x[image, ..., unit]))
            np.testing.assert_allclose(together[image, ..., unit], alone, atol=1e-6)


def test_signed_normalizations_are_normalized_parts():
    x = noise(2, 4, 5, 3)
    pairs = [
        (filters.positive_normalize, np.maximum(x, 0)),
        (filters.negative_normalize, np.maximum(-x, 0)),
        (filters.absolute_normalize, np.abs(x)),
    ]
    for normalization, part in pairs:
        np.testing.assert_allclose(host(normalization(x)), reference(part), atol=1e-6)


def test_values_above_the_percentile_are_clipped():
    x = np.arange(101, dtype="float32").reshape(1, 101, 1, 1)
    y = host(filters.percentile_normalize(x, percentile=50)).ravel()
    np.testing.assert_allclose(y[:51], np.arange(51) / 50, atol=1e-6)
    assert (y[50:] == 1).all()


def test_percentile_normalize_keeps_the_only_pixel_of_a_sparse_map():
    x = np.zeros((1, 20, 20, 1), "float32")
    x[0, 3, 4, 0] = 5
    np.testing.assert_array_equal(host(filters.percentile_normalize(x)), x / 5)


def test_percentile_accepts_more_elements_than_torch_quantile():
    if keras.backend.backend() != "torch":
        pytest.skip("only torch.quantile has a limit")
    x = np.zeros((17, 1024, 1024), "float32")
    x[:, :, :512] = 2
    y = host(filters.percentile_normalize(x, axis=(-2, -1), percentile=60))
    assert y[0, 0, 0] == 1
    assert y[0, 0, 1000] == 0


# Axes


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_a_single_map_is_normalized_as_a_whole(normalization):
    x = noise(5, 6)
    expected = host(normalization(x[None, :, :, None]))[0, :, :, 0]
    np.testing.assert_allclose(host(normalization(x)), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("shape", "axis", "numpy_axis"),
    [
        ((2, 3, 4, 5, 2), (1, 2, 3), (1, 2, 3)),
        ((2, 3, 4, 5, 2), [-4, -3], (1, 2)),
        ((4, 5, 2), (-3, -2), (0, 1)),
        ((3, 4, 5), (2, 1), (1, 2)),
        ((3, 4, 5), np.int64(-1), (2,)),
        ((6,), 0, (0,)),
        ((3, 4, 5), None, (0, 1, 2)),
    ],
)
def test_axes_can_be_chosen(shape, axis, numpy_axis):
    x = noise(*shape)
    np.testing.assert_allclose(
        host(filters.normalize(x, axis=axis)), reference(x, axis=numpy_axis), atol=1e-6
    )
    np.testing.assert_allclose(
        host(filters.percentile_normalize(x, axis=axis, percentile=70)),
        reference(x, 70, axis=numpy_axis),
        atol=1e-5,
    )


@pytest.mark.parametrize(
    ("shape", "axis"),
    [((4,), (-3, -2)), ((4, 5), (0, 2)), ((4, 5, 2), (0, -3)), ((), 0)],
)
@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_axes_that_do_not_fit_are_rejected(normalization, shape, axis):
    with pytest.raises(ValueError, match=f"has rank {len(shape)}; received axis="):
        normalization(noise(*shape), axis=axis)


@pytest.mark.parametrize("percentile", [0, -1, 100.1, float("nan"), float("inf")])
def test_percentiles_out_of_range_are_rejected(percentile):
    with pytest.raises(ValueError, match="`percentile` must be above 0"):
        filters.percentile_normalize(noise(3, 4), percentile=percentile)


# Types of input


@pytest.mark.parametrize("function", NORMALIZATIONS + PARTS)
@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        ("float16", "float16"),
        ("float32", "float32"),
        ("float64", "float64" if HAS_FLOAT64 else "float32"),
        ("int32", "float32"),
        ("uint8", "float32"),
        ("bool", "float32"),
    ],
)
def test_dtypes(function, dtype, expected):
    y = function((noise(2, 4, 5, 2) * 50).astype(dtype))
    assert ops.is_tensor(y)
    assert keras.backend.standardize_dtype(y.dtype) == expected


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_half_precision_is_accurate_to_its_last_bit(normalization, dtype):
    half = ops.cast(ops.convert_to_tensor(noise(2, 30, 30, 2) * 3e4), dtype)
    full = ops.cast(half, "float32")
    y = normalization(half)
    assert keras.backend.standardize_dtype(y.dtype) == dtype
    np.testing.assert_allclose(
        host(ops.cast(y, "float32")), host(normalization(full)), atol=4e-3
    )


@pytest.mark.parametrize("function", NORMALIZATIONS + PARTS)
def test_lists_tensors_and_read_only_arrays_agree_and_are_not_modified(function):
    x = noise(1, 4, 5, 2)
    x.setflags(write=False)
    tensor = ops.convert_to_tensor(x)
    expected = host(function(x))
    np.testing.assert_array_equal(host(function(tensor)), expected)
    np.testing.assert_array_equal(host(function(x.tolist())), expected)
    np.testing.assert_array_equal(host(tensor), noise(1, 4, 5, 2))


@pytest.mark.parametrize("function", NORMALIZATIONS + PARTS)
def test_compiled_equals_eager(function):
    x = noise(2, 5, 6, 3)
    np.testing.assert_allclose(
        host(compiled(function)(x)), host(function(x)), atol=1e-6
    )


@pytest.mark.parametrize("function", NORMALIZATIONS + PARTS)
@pytest.mark.parametrize("jit_compile", [False, True])
def test_unknown_shapes_in_tf_function(function, jit_compile):
    if keras.backend.backend() != "tensorflow":
        pytest.skip("only TensorFlow has unknown shapes")
    tf = pytest.importorskip("tensorflow")
    spec = tf.TensorSpec((None, None, None, 2), tf.float32)
    traced = tf.function(function, input_signature=[spec], jit_compile=jit_compile)
    x = noise(3, 5, 6, 2)
    np.testing.assert_allclose(traced(x), host(function(x)), atol=1e-6)


@pytest.mark.parametrize("function", NORMALIZATIONS + PARTS)
def test_nan_is_preserved(function):
    x = noise(1, 4, 5, 1)
    x[0, 1, 2, 0] = np.nan
    assert np.isnan(host(function(x))[0, 1, 2, 0])


@pytest.mark.parametrize("function", NORMALIZATIONS + PARTS)
def test_complex_values_are_rejected(function):
    with pytest.raises(TypeError, match="`x` must be real; received dtype complex64"):
        function(np.ones((3, 3), "complex64"))


@FEW
@given(MAPS)
def test_signed_maps_keep_zero_and_the_largest_value_is_one(x):
    found = host(filters.signed_normalize(x))
    assert (found * np.sign(x) >= 0).all()
    largest = np.abs(x).max((1, 2), keepdims=True)
    expected = x / np.where(largest > 0, largest, 1)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    one = np.abs(found).max((1, 2))
    np.testing.assert_array_equal(one, (largest > 0)[:, 0, 0])


def test_the_default_dtype_of_keras_makes_no_difference():
    maps = noise(2, 4, 5, 1)
    expected = host(filters.normalize(maps))
    keras.config.set_floatx("float16")
    try:
        found = host(filters.normalize(maps))
    finally:
        keras.config.set_floatx("float32")
    np.testing.assert_array_equal(found, expected)
