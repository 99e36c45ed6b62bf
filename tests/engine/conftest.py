"""A small network and inputs, for modules that need no others."""

import keras
import pytest
from support.small_models import network


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    return network()


@pytest.fixture
def x(rng):
    return rng.normal(size=(8, 12, 12, 3)).astype("float32")
