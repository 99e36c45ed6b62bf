"""Rows that do not fit the device at once run in chunks, each of them once."""

import contextlib
import itertools
import re
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops
from support.out_of_memory import Device, refused
from support.small_models import numpy

from keras_explainable.execution.out_of_memory import retry_with_fewer_rows


def rows_of(count):
    """Return rows of two numbers, the first of which numbers them."""
    numbers = np.arange(count, dtype="float32")
    return ops.convert_to_tensor(np.stack([numbers, numbers**2], axis=1))


def sizes(calls):
    return [len(rows) for rows in calls]


@contextlib.contextmanager
def halving():
    """Expect warnings about halving, and collect their texts in a list."""
    texts = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield texts
    ours = [warning for warning in caught if warning.category is UserWarning]
    texts.extend(str(warning.message) for warning in ours)


def test_rows_that_fit_run_once_without_a_copy():
    x, device = rows_of(6), Device(6)
    seen = []
    retry_with_fewer_rows(
        lambda *tensors: seen.append(tensors) or device.run(tensors[0])
    )(x)
    assert sizes(device.calls) == [6]
    assert seen[0][0] is x


@pytest.mark.parametrize("error", refused(), ids=lambda error: type(error).__name__)
def test_rows_are_halved_until_they_fit(error):
    device = Device(3, error)
    with halving() as texts:
        doubled, (plus_one,) = retry_with_fewer_rows(device.run)(rows_of(20))
    assert sizes(device.calls) == [20, 10, 5, 2, *[2] * 9]
    np.testing.assert_array_equal(numpy(doubled), 2 * numpy(rows_of(20)))
    np.testing.assert_array_equal(numpy(plus_one), numpy(rows_of(20)) + 1)
    numbers = [re.findall(r"\d+", text) for text in texts]
    assert numbers == [["20", "10", "10"], ["10", "5", "5"], ["5", "2", "2"]]


def test_each_halving_warns_the_user_once():
    run = retry_with_fewer_rows(Device(4).run)
    message = (
        r"out of memory with 8 rows at once; continuing with 4\. "
        r"A `batch_size` of 4 avoids the attempt"
    )
    with pytest.warns(UserWarning, match=message) as caught:
        run(rows_of(8))
    ours = [warning for warning in caught if warning.category is UserWarning]
    assert len(ours) == 1
    assert "test_out_of_memory" in ours[0].filename  # Points to the user's line.
    run(rows_of(8))  # Warnings are errors here.


def test_chunks_that_fitted_do_not_run_again_when_a_later_one_fails():
    """Memory may run out in the middle, when another program takes some."""
    device, room = Device(0), itertools.chain([4] * 3, itertools.repeat(2))

    def run(x):
        device.most = next(room)
        return device.run(x)

    with halving():
        doubled, _ = retry_with_fewer_rows(run)(rows_of(16))
    # 16 and 8 do not fit; 4 does, once; then only 2.
    assert sizes(device.calls) == [16, 8, 4, 4, *[2] * 6]
    assert [row for rows in device.done for row in rows] == list(range(16))
    np.testing.assert_array_equal(numpy(doubled), 2 * numpy(rows_of(16)))


def test_the_size_that_fits_is_remembered():
    device = Device(4)
    run = retry_with_fewer_rows(device.run)
    with halving() as texts:
        run(rows_of(8))
    device.calls.clear()
    for count in (8, 3, 4, 16):
        run(rows_of(count))
    assert sizes(device.calls) == [4, 4, 3, 4, 4, 4, 4, 4]
    assert len(texts) == 1


def test_each_function_remembers_its_own_size():
    small, large = Device(2), Device(8)
    with halving():
        retry_with_fewer_rows(small.run)(rows_of(4))
    retry_with_fewer_rows(large.run)(rows_of(8))
    assert sizes(large.calls) == [8]


def test_one_row_that_does_not_fit_is_an_error():
    device = Device(0)
    run = retry_with_fewer_rows(device.run)
    for _ in range(2):
        with halving(), pytest.raises(type(device.error)) as raised:
            run(rows_of(4))
        assert raised.value is device.error
    assert sizes(device.calls) == [4, 2, 1, 1]


@pytest.mark.parametrize(
    "error", [KeyError("mine"), ValueError("out of memory"), KeyboardInterrupt()]
)
def test_any_other_error_is_raised_unchanged(error):
    device = Device(2, error)
    with pytest.raises(type(error)) as raised:
        retry_with_fewer_rows(device.run)(rows_of(8))
    assert raised.value is error
    assert sizes(device.calls) == [8]


def test_none_stays_none():
    seen = []

    def run(x, nothing, other):
        seen.append(nothing)
        return device.run(x, other)

    device = Device(3)
    with halving():
        doubled, (_, negative) = retry_with_fewer_rows(run)(
            rows_of(7), None, rows_of(7)
        )
    assert set(seen) == {None}
    np.testing.assert_array_equal(numpy(negative), -numpy(rows_of(7)))
    np.testing.assert_array_equal(numpy(doubled), 2 * numpy(rows_of(7)))


def test_the_last_chunk_is_padded_and_the_padding_dropped():
    """All chunks have one shape, so that nothing more is compiled."""
    device = Device(4)
    run = retry_with_fewer_rows(device.run)
    with halving():
        run(rows_of(8))
    device.calls.clear()
    doubled, _ = run(rows_of(10))
    assert sizes(device.calls) == [4, 4, 4]
    assert device.calls[-1] == [8, 9, 9, 9]
    np.testing.assert_array_equal(numpy(doubled), 2 * numpy(rows_of(10)))


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, 20), min_size=1, max_size=3), st.integers(1, 20))
def test_chunks_give_the_results_of_the_whole(counts, most):
    device = Device(most)
    run = retry_with_fewer_rows(device.run)
    for count in counts:
        before = len(device.done)
        with halving():
            doubled, (plus_one,) = run(rows_of(count))
        expected = numpy(rows_of(count))
        np.testing.assert_array_equal(numpy(doubled), 2 * expected)
        np.testing.assert_array_equal(numpy(plus_one), expected + 1)
        computed = [row for rows in device.done[before:] for row in sorted(set(rows))]
        assert computed == list(range(count))  # No row twice, no row left out.
