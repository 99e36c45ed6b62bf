"""The examples in the docstring run."""

import doctest

import keras_explainable as ke


def test_examples_of_the_demo():
    found = doctest.testmod(ke.demo, extraglobs={"ke": ke})
    assert found.attempted == 3
    assert found.failed == 0
