"""Is `check_gradients` silent on sound networks, those of `keras.applications`?

    python -m benchmarks.derivatives.applications [--networks NAME ...] [--side 80]

The networks have random weights, so that their derivatives may be very small. Nothing
is wrong with them: each derivative that does not agree is a false alarm. The table is
printed as Markdown, one row as soon as a network is done.
"""

import argparse
import importlib
import os
import time
from collections import Counter
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

import keras_explainable as ke
from benchmarks.derivatives.one_backend import versions

#: The smallest networks of each family, the quick ones first, and some larger ones.
NETWORKS = (
    "MobileNet",
    "MobileNetV2",
    "MobileNetV3Small",
    "MobileNetV3Large",
    "EfficientNetB0",
    "EfficientNetV2B0",
    "ResNet50",
    "ResNet50V2",
    "VGG16",
    "VGG19",
    "Xception",
    "InceptionV3",
    "ConvNeXtTiny",
    "DenseNet121",
    "NASNetMobile",
    "InceptionResNetV2",
    "EfficientNetV2S",
    "DenseNet169",
    "ResNet101",
    "ResNet101V2",
)

#: Network that Keras does not build on a backend.
NOT_BUILT = "NASNetMobile", "torch"

INPUTS, DIRECTIONS, CLASSES = 2, 2, 10


def network(name: str, side: int) -> tuple[keras.Model, np.ndarray]:
    """Return a network with random weights, and random inputs in its range."""
    keras.utils.set_random_seed(0)
    build = getattr(keras.applications, name)
    model = build(weights=None, input_shape=(side, side, 3), classes=CLASSES)
    shape = (INPUTS, side, side, 3)
    pixels = np.random.default_rng(0).uniform(0, 255, shape).astype("float32")
    return model, importlib.import_module(build.__module__).preprocess_input(pixels)


def row(name: str, side: int) -> list[Any]:
    """Return the cells of a network, of which the error is relative to the largest."""
    model, x = network(name, side)
    start = time.process_time()
    found = ke.check_gradients(model, x, "predicted", directions=DIRECTIONS)
    seconds = time.process_time() - start
    verdicts = Counter(each.verdict for each in found.comparisons)
    agreeing = f"{verdicts.pop('agrees', 0)} of {len(found.comparisons)}"
    others = ", ".join(f"{count} {verdict}" for verdict, count in verdicts.items())
    sizes = [abs(each.derivative) for each in found.comparisons]
    error = max(each.error for each in found.comparisons) / max(sizes)
    numbers = f"{max(sizes):.0e}", f"{error:.0e}", f"{seconds:.0f}"
    return [name, agreeing, others or "-", *numbers]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="+", default=NETWORKS)
    parser.add_argument("--side", type=int, default=80)
    args = parser.parse_args()
    print(keras.backend.backend(), ", ".join(map(" ".join, versions().items())))
    columns = "Network", "Agree", "Others", "Largest derivative", "Error", "CPU seconds"
    print("| " + " | ".join(columns) + " |")
    print("| " + " | ".join(["---"] * len(columns)) + " |")
    for name in args.networks:
        if (name, keras.backend.backend()) == NOT_BUILT:
            continue
        print("| " + " | ".join(row(name, args.side)) + " |", flush=True)
        keras.backend.clear_session()


if __name__ == "__main__":
    main()
