"""A real Ray on this machine, for `make test-ray`."""

import logging

import keras
import numpy as np
import pytest
import ray
import ray.data
from keras import layers

WORKERS, SIDE, COUNT = 3, 8, 10


@pytest.fixture(scope="session", autouse=True)
def cluster():
    ray.init(
        "local",  # Not one that runs already.
        num_cpus=WORKERS + 1,
        include_dashboard=False,
        object_store_memory=200 * 2**20,
        log_to_driver=False,
        logging_level="ERROR",
    )
    ray.data.DataContext.get_current().enable_progress_bars = False
    logging.getLogger("ray.data").setLevel("ERROR")
    yield
    ray.shutdown()


@pytest.fixture(scope="session")
def build():
    """A function that returns the same small network in every process."""

    def build():
        keras.utils.set_random_seed(0)
        x = inputs = keras.Input((SIDE, SIDE, 3))
        x = layers.Conv2D(4, 3, activation="relu")(x)
        x = layers.GlobalAveragePooling2D()(x)
        return keras.Model(inputs, layers.Dense(5)(x))

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
