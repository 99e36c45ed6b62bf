"""Methods of attention for batches, single units, and called by themselves."""

import numpy as np
import pytest
from keras import ops
from support.attention_methods import NAMES, UNITS, raw_maps
from support.transformers import transformer

from keras_explainable.methods import attention


@pytest.fixture
def x(rng):
    return rng.normal(size=(2, 16, 24, 3)).astype("f4")


@pytest.mark.parametrize("name", NAMES)
def test_batches_units_and_direct_calls(x, name):
    model, method = transformer(), getattr(attention, name)
    found = raw_maps(name, model, x)
    one = raw_maps(name, model, x, batch_size=1)
    np.testing.assert_allclose(one, found, rtol=1e-3, atol=1e-6)
    alone = raw_maps(name, model, x, [2, 0])
    np.testing.assert_allclose(alone[..., 0], found[..., 1], rtol=1e-3, atol=1e-6)
    logits, direct = method(model, x, np.array(UNITS))
    np.testing.assert_allclose(direct, found, rtol=1e-3, atol=1e-6)
    expected = np.take_along_axis(ops.convert_to_numpy(model(x)), np.array(UNITS), 1)
    np.testing.assert_allclose(logits, expected, rtol=1e-3, atol=1e-5)
