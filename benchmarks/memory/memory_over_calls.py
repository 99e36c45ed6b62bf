"""Does memory stay flat over many calls, on changing models and shapes?

    KERAS_BACKEND=torch python benchmarks/flat.py [--calls 1000]

Every tenth call has a new model, and the calls on a model have images of different
sizes. What the process holds is printed after each tenth of the calls.
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

#: Calls in turn; each model has all of them, on images of two sizes.
CALLS = 10
SIDES = (8, 11)


def made() -> keras.Model:
    """Return a small network for images of any size."""
    inputs = keras.Input((None, None, 3))
    x = layers.Conv2D(4, 3, activation="relu")(inputs)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(3, activation="softmax")(x))


def call(model: keras.Model, number: int) -> Any:
    """Explain images of a size, by one of two methods."""
    side = SIDES[number % len(SIDES)]
    x = np.random.default_rng(number).normal(size=(2, side, side, 3))
    if number % 5 == 0:
        return ke.gradcam(model, x, "predicted", verbose=0)
    return ke.smoothgrad(model, x, "predicted", repetitions=2, verbose=0)


def held(calls: int) -> Iterator[tuple[int, float]]:
    """Yield the number of calls made, and MB held, ten times."""
    for number in range(calls):
        if number % CALLS == 0:
            model = made()
        call(model, number)
        if (number + 1) % max(1, calls // 10) == 0:
            gc.collect()
            _give_back()
            yield number + 1, _resident()


def _resident() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _give_back() -> None:
    """Return free memory to the system, so that what is held is what is used."""
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=1000)
    args = parser.parse_args()
    for number, megabytes in held(args.calls):
        print(f"{number:5d} calls  {megabytes:8.1f} MB", flush=True)


if __name__ == "__main__":
    main()
