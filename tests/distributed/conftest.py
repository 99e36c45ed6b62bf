"""A real Ray on this machine, for `make test-ray`."""

import logging
import tempfile

import keras
import numpy as np
import pytest
import ray
import ray.data
from keras import layers
from ray.cluster_utils import Cluster

WORKERS, SIDE, COUNT = 3, 8, 10


@pytest.fixture(scope="session", autouse=True)
def cluster():
    """A head node, to which tests may add others. "auto" finds it, and no other."""
    with (
        tempfile.TemporaryDirectory(prefix="ke", ignore_cleanup_errors=True) as folder,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("RAY_TMPDIR", folder)  # Not pytest's: names of sockets are short.
        patch.setenv("RAY_AUTH_MODE", "disabled")  # Whatever token is in the home.
        head = {"num_cpus": WORKERS + 1, "include_dashboard": False}
        head["_system_config"] = {"health_check_period_ms": 1000}
        cluster = Cluster(initialize_head=True, head_node_args=head)
        ray.init(cluster.address, log_to_driver=False, logging_level="ERROR")
        ray.data.DataContext.get_current().enable_progress_bars = False
        logging.getLogger("ray.data").setLevel("ERROR")
        yield cluster
        ray.shutdown()
        cluster.shutdown()


@pytest.fixture(scope="session")
def build():
    """A function that returns the same small network in every process."""

    def build():
        # `keras.utils.set_random_seed` would import TensorFlow in each process.
        drawn = {"kernel_initializer": keras.initializers.GlorotUniform(seed=0)}
        x = inputs = keras.Input((SIDE, SIDE, 3))
        x = layers.Conv2D(4, 3, activation="relu", **drawn)(x)
        x = layers.GlobalAveragePooling2D()(x)
        return keras.Model(inputs, layers.Dense(5, **drawn)(x))

    return build


@pytest.fixture(scope="session")
def images():
    """Images by id."""
    values = np.random.default_rng(0).normal(size=(COUNT, SIDE, SIDE, 3))
    return {f"{n}.png": each for n, each in enumerate(values.astype("float32"))}


@pytest.fixture
def dataset():
    """Return a function of images by id to a data set with a block for each three."""

    def make(images):
        rows = [{"path": path, "image": image} for path, image in images.items()]
        return ray.data.from_items(rows, override_num_blocks=-(-len(rows) // 3))

    return make
