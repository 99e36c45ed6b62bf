"""In bfloat16, real networks predict the same classes, and maps change little.

`benchmarks/accuracy/bfloat16_error.py` measures how large the rounding errors are, and
whether they average out.
"""

import keras
import numpy as np
import pytest
from support import real_networks
from support.small_models import numpy

import keras_explainable as ke
from keras_explainable.methods.gradient.input_gradients import SIGNED_GRADIENTS
from keras_explainable.methods.meta import smooth
from keras_explainable.network import output_units

REPETITIONS = 16
PHOTOS = 4


@pytest.fixture(scope="module", params=real_networks.NETWORKS)
def case(request, shared):
    """A model, photos that it classifies with high confidence, and their classes."""
    network = request.param
    rows = real_networks.labels(shared, [network], least=0.9)[:PHOTOS]
    model = real_networks.build_model(shared).build(network)
    return model, *real_networks.photos(shared, network, rows)


def smooth_map(case, seed, precision="float32"):
    model, x, classes = case
    method = smooth(SIGNED_GRADIENTS, REPETITIONS, noise_level=0.15, seed=seed)
    return ke.explain(
        method, model, x[:1], classes[:1], precision=precision, batch_size=8, verbose=0
    )


def test_bfloat16_predicts_the_same_classes(case):
    model, x, classes = case
    half = ke.lowering.lower(model, "bfloat16")
    outputs = numpy(output_units.forward(half, x, PHOTOS))
    assert (outputs.argmax(axis=1) == classes).all()


@pytest.mark.skipif(
    keras.backend.backend() == "jax", reason="JAX compiles both precisions too slowly"
)
def test_bfloat16_rounds_less_than_the_noise_varies(case):
    """Each of two maps with independent noise has half the variance."""
    logits, single = smooth_map(case, seed=0)
    half_logits, half = smooth_map(case, seed=0, precision="bfloat16")
    _, other = smooth_map(case, seed=1)
    sampling = np.linalg.norm(other - single) / np.sqrt(2)
    assert 0 < np.linalg.norm(half - single) < sampling
    np.testing.assert_allclose(half_logits, logits, rtol=0.05)
