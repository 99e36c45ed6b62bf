"""A run into a folder in which a process is killed at a random moment.

    python killed_run.py ADDRESS FOLDER SEED VICTIM

It is also imported by the tests, which continue what it leaves.
"""

import os
import pathlib
import random
import signal
import sys
import threading
import time

import keras
import numpy as np
import ray
import ray.data
from keras import layers

import keras_explainable as ke
from keras_explainable.methods.gradient import gradients
from keras_explainable.methods.meta import smooth

VICTIMS = ("driver", "actor", "task")
COUNT, SIDE = 40, 8
IDS = [f"photos/{number}.png" for number in range(COUNT)]
METHOD = smooth(gradients, 8, noise=0.5, seed=1)


def build():
    # `keras.utils.set_random_seed` would import TensorFlow in each process.
    drawn = {"kernel_initializer": keras.initializers.GlorotUniform(seed=0)}
    x = inputs = keras.Input((SIDE, SIDE, 3))
    x = layers.Conv2D(4, 3, activation="relu", **drawn)(x)
    return keras.Model(inputs, layers.Dense(5, **drawn)(layers.Flatten()(x)))


def images():
    shape = COUNT, SIDE, SIDE, 3
    return np.random.default_rng(0).normal(size=shape).astype("float32")


def killer(marker, seed, pid=None):
    """Return a function of images that once has a process killed soon after one."""
    draw = random.Random(seed)
    chosen, delay = draw.randrange(COUNT), draw.uniform(0, 0.1)

    def pass_on(image):
        if (
            np.array_equal(image, images()[chosen])
            and not pathlib.Path(marker).exists()
        ):
            pathlib.Path(marker).touch()
            victim = pid or os.getpid()
            threading.Timer(delay, os.kill, (victim, signal.SIGKILL)).start()
        return image

    return pass_on


def slowly(image):
    time.sleep(0.05)
    return image


def run(folder, seed=0, victim=None, prepare=np.asarray):
    """Explain all images into a folder; one process is killed if there is a victim."""
    kill = killer(f"{folder}-killed", seed, os.getpid() if victim == "driver" else None)
    rows = [{"path": path, "image": x} for path, x in zip(IDS, images(), strict=True)]
    dataset = ray.data.from_items(rows, override_num_blocks=8)
    if victim == "task":
        dataset = dataset.map(lambda row: {**row, "image": kill(row["image"])})
    return ke.distributed.explain(
        dataset,
        METHOD,
        build,
        "predicted",
        id_column="path",
        prepare=kill if victim in ("driver", "actor") else prepare,
        workers=2,
        batch_size=2,
        output=folder,
    )


if __name__ == "__main__":
    address, folder, seed, victim = sys.argv[1:]
    ray.init(address, log_to_driver=False, logging_level="ERROR")
    run(folder, int(seed), victim)
