"""Maps of several devices of one machine are those of one."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import pytest

MODEL = """
import keras, numpy as np
import keras_explainable as ke

def build():
    keras.utils.set_random_seed(0)
    x = inputs = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(4, 3)(x)
    x = keras.layers.ReLU()(keras.layers.BatchNormalization()(x))
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, keras.layers.Dense(5)(x))

def maps(model):  # Five images: the last batch is padded.
    x = np.random.default_rng(0).normal(size=(5, 8, 8, 3)).astype("float32")
    given = {"repetitions": 8, "batch_size": 16, "verbose": 0}
    estimators = "sampled", "hybrid"
    return [ke.smoothgrad(model, x, estimator=e, **given).maps for e in estimators]

alone = maps(build())
"""

JAX = """
from keras_explainable.execution.device_rows import over_devices

keras.distribution.set_distribution(keras.distribution.DataParallel())
np.testing.assert_allclose(maps(build()), alone, 1e-4, 1e-6)
shapes = over_devices(lambda x: [each.data.shape for each in x.addressable_shards])
assert shapes(keras.ops.ones((8, 3))) == [(2, 3)] * 4
assert {*shapes(keras.ops.ones((6, 3)))} == {(6, 3)}
of_second = over_devices(lambda pair: pair["b"].addressable_shards[0].data.shape)
assert of_second({"a": keras.ops.ones((8, 3)), "b": keras.ops.ones((4, 2))}) == (1, 2)
"""

HERE = Path(__file__).parent
ARGUMENTS = {"jax": ["-c", MODEL + JAX], "tensorflow": [HERE / "mirrored_maps.py"]}


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="no distribution")
def test_maps_of_one_device():
    flags = (
        f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=4"
    )
    result = subprocess.run(
        [sys.executable, *ARGUMENTS[keras.backend.backend()]],
        env={**os.environ, "XLA_FLAGS": flags},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
