"""A snapshot detects that the value of a variable has changed."""

import keras
import numpy as np
import pytest

from keras_explainable.lowering.weight_snapshot import Snapshot


def variables():
    shapes = [(3, 4), (5,), ()]
    return [keras.Variable(np.ones(shape), dtype="float32") for shape in shapes]


def test_a_snapshot_is_current_until_a_value_changes():
    written = variables()
    snapshot = Snapshot(written)
    assert snapshot.is_current()
    assert snapshot.is_current()


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_single_written_number_is_noticed(number):
    written = variables()
    snapshot = Snapshot(written)
    values = np.ones(written[number].shape, "float32")
    values[(0,) * values.ndim] = np.nextafter(np.float32(1), np.float32(2))
    written[number].assign(values)
    assert not snapshot.is_current()
    assert Snapshot(written).is_current()


def test_writing_the_same_values_is_no_change():
    written = variables()
    snapshot = Snapshot(written)
    for variable in written:
        variable.assign(np.ones(variable.shape))
    assert snapshot.is_current()


def test_repeated_writes_are_noticed():
    """Memory that was freed may be used again for other values."""
    written = variables()
    for number in range(20):
        snapshot = Snapshot(written)
        for _ in range(3):
            written[0].assign_add(np.full((3, 4), number + 1.0))
            assert not snapshot.is_current()


def test_swapped_values_are_noticed():
    variable = keras.Variable(np.array([1.0, 2.0]), dtype="float32")
    snapshot = Snapshot([variable])
    variable.assign(np.array([2.0, 1.0]))
    assert not snapshot.is_current()


@pytest.mark.skipif(
    keras.backend.backend() != "torch", reason="only torch edits in place"
)
def test_values_edited_in_place_are_noticed():
    written = variables()
    snapshot = Snapshot(written)
    written[0].value.data[1, 2] += 1
    assert not snapshot.is_current()
