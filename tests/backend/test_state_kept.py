"""What a network writes to its variables is dropped; scopes within others add up."""

import keras
import pytest
from support.small_models import numpy

from keras_explainable import backend


@pytest.fixture
def variables():
    return [keras.Variable(1.0), keras.Variable(2.0)]


def test_what_is_written_is_read_until_the_end(variables):
    one, _ = variables
    with backend.state_kept():
        one.assign(5.0)
        assert numpy(one) == 5
    assert numpy(one) == 1


def test_a_scope_within_another_reads_its_values(variables):
    one, two = variables
    with backend.state_kept([(one, 10.0)]):
        two.assign(20.0)
        with backend.state_kept([(two, 30.0)]):
            assert (numpy(one), numpy(two)) == (10, 30)
            one.assign(40.0)
        assert (numpy(one), numpy(two)) == (10, 20)
    assert (numpy(one), numpy(two)) == (1, 2)


def test_what_a_scope_within_another_writes_is_dropped_at_its_end(variables):
    one, _ = variables
    with backend.state_kept():
        with backend.state_kept():
            one.assign(5.0)
        assert numpy(one) == 1


def test_an_interrupted_scope_does_not_disable_the_next(variables):
    one, _ = variables
    scope = backend.state_kept()
    scope.__enter__()  # As Ctrl-C leaves it between two lines of Python.
    with backend.state_kept():
        one.assign(5.0)
    scope.__exit__(None, None, None)
    assert numpy(one) == 1
