"""Does memory level off over many calls with changing models and image sizes?

    KERAS_BACKEND=torch python -m benchmarks.memory.memory_over_calls [--calls 1000]

Every tenth call has a new model, and the images of a model have two sizes. After each
tenth of the calls, the script prints the resident memory of the process.
"""

import argparse
import ctypes
import gc
import os
import platform
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from keras import layers

import keras_explainable as ke

CALLS_PER_MODEL = 10

#: Height and width of the images.
IMAGE_SIZES = (8, 11)


def new_model() -> keras.Model:
    """Return a small network for images of any size."""
    inputs = keras.Input((None, None, 3))
    x = layers.Conv2D(4, 3, activation="relu")(inputs)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(3, activation="softmax")(x))


def explain(model: keras.Model, number: int) -> Any:
    """Explain two images of a size and by a method that depend on the call."""
    size = IMAGE_SIZES[number % len(IMAGE_SIZES)]
    x = np.random.default_rng(number).normal(size=(2, size, size, 3))
    if number % 5 == 0:
        return ke.gradcam(model, x, "predicted", verbose=0)
    return ke.smoothgrad(model, x, "predicted", repetitions=2, verbose=0)


def memory_over(calls: int) -> Iterator[tuple[int, float]]:
    """Yield the number of calls so far and the resident memory in MB, ten times."""
    for number in range(calls):
        if number % CALLS_PER_MODEL == 0:
            model = new_model()
        explain(model, number)
        if (number + 1) % max(1, calls // 10) == 0:
            gc.collect()
            _release_free_memory()
            yield number + 1, _resident_memory()


def _resident_memory() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _release_free_memory() -> None:
    """Return free memory to the system, so that only memory in use is counted."""
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=1000)
    args = parser.parse_args()
    for number, megabytes in memory_over(args.calls):
        print(f"{number:5d} calls  {megabytes:8.1f} MB", flush=True)


if __name__ == "__main__":
    main()
