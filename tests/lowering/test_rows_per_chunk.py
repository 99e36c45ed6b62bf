"""The number of rows fits into memory and is close to the fastest."""

import os

import keras
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers
from support.small_models import SHAPE, UNITS, linear, network

from keras_explainable import backend
from keras_explainable.common.host_memory import free_host_memory
from keras_explainable.lowering import lower, rows_per_chunk, suitable_rows
from keras_explainable.lowering.rows_per_chunk import bytes_per_row

MANY = 2**50
NETWORK = lower(network())


class Subclassed(keras.Model):
    def call(self, inputs):
        return inputs


@pytest.fixture
def memory(monkeypatch):
    """Return a function that sets the free bytes of the accelerator and the host."""

    def set_free(device, host=None):
        monkeypatch.setattr(backend, "free_memory", lambda: device)
        monkeypatch.setattr(rows_per_chunk, "free_host_memory", lambda: host)

    return set_free


def any_size():
    inputs = keras.Input((None, None, 3))
    x = layers.Conv2D(4, 3)(inputs)
    return lower(keras.Model(inputs, layers.GlobalMaxPooling2D()(x)))


LIGHT, HEAVY = backend.ROWS_ON_CPU


def test_a_cpu_gets_few_rows(memory, monkeypatch):
    memory(None, MANY)
    assert suitable_rows(NETWORK) == LIGHT
    monkeypatch.setattr(
        rows_per_chunk, "LIGHT_BYTES_PER_ROW", bytes_per_row(NETWORK) - 1
    )
    assert suitable_rows(NETWORK) == HEAVY


def test_an_accelerator_gets_many_rows(memory):
    memory(MANY, 1)  # The host's free memory does not matter.
    assert suitable_rows(NETWORK) == rows_per_chunk.ROWS_ON_ACCELERATOR


@pytest.mark.parametrize("host", [False, True])
def test_rows_fit_into_a_share_of_the_free_memory(memory, host):
    most = LIGHT if host else rows_per_chunk.ROWS_ON_ACCELERATOR
    needed = bytes_per_row(NETWORK)
    for fitting in range(1, 2 * most + 2):
        free = int((fitting + 0.5) * needed / rows_per_chunk.MEMORY_SHARE)
        memory(*((None, free) if host else (free,)))
        found = suitable_rows(NETWORK)
        assert found <= min(fitting, most)
        assert 2 * found > min(fitting, most)  # No smaller than necessary.


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**45), st.booleans())
def test_the_number_of_rows_is_a_power_of_two(free, host):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backend, "free_memory", lambda: None if host else free)
        patch.setattr(rows_per_chunk, "free_host_memory", lambda: free)
        found = suitable_rows(NETWORK)
    assert found >= 1
    assert found & (found - 1) == 0


def test_one_row_is_tried_with_almost_no_free_memory(memory):
    memory(1)
    assert suitable_rows(NETWORK) == 1


@pytest.mark.parametrize("make", [any_size, Subclassed, network])
def test_memory_does_not_matter_if_the_need_is_unknown(make, memory):
    """The need of a model is unknown without a graph and for inputs of any size."""
    little = 2**16  # Less than 128 images of 8 x 8 need.
    memory(little, little)
    assert suitable_rows(make()) == rows_per_chunk.ROWS_ON_ACCELERATOR
    memory(None, little)
    assert suitable_rows(make()) == HEAVY


def test_free_memory_that_is_unknown(memory):
    memory(None, None)
    assert suitable_rows(NETWORK) == LIGHT


def test_a_row_needs_the_values_of_each_layer_and_their_gradients():
    pixels = SHAPE[0] * SHAPE[1] * SHAPE[2]
    assert bytes_per_row(lower(linear())) == 2 * 4 * (pixels + UNITS)


def test_the_need_of_a_row_grows_with_the_image():
    taken = [bytes_per_row(lower(network(side=side))) for side in (12, 24, 48)]
    assert 3.5 < taken[1] / taken[0] < 4.5
    assert 3.5 < taken[2] / taken[1] < 4.5


def test_the_free_host_memory_is_less_than_the_total():
    free = free_host_memory()
    if free is None:
        pytest.skip("this system does not report it")
    assert 0 < free < os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
