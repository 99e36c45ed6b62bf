"""Trained networks and labelled photos, for the benchmarks that need them.

They come from a folder that is not part of the repository. It contains

- `build_model.py` with the functions `build`, `load_rgb` and `preprocess`,
- `photos/`, and
- `labels.csv` with the columns `file`, `class_index` and, for each network,
  `NETWORK_rank`, the rank that the network gives to the label.

The benchmarks explain the label of the first photos that all networks classify
correctly.
"""

import argparse
import csv
import importlib
import os
import sys
from importlib.metadata import version
from pathlib import Path

import keras
import numpy as np
from keras import ops

from keras_explainable.methods.gradient.input_gradients import SIGNED_GRADIENTS

NETWORKS = ("mobilenet_075", "mobilenet_025", "squeezenet11")

#: Channels of the maps of `signed_and_absolute_gradients`.
CHANNELS = {"signed": slice(0, 3), "absolute": slice(3, 4)}


def parse_arguments(description, reference):
    """Return the arguments of a script, with a default for its reference."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument(
        "--data", type=Path, required=True, help="folder of networks and photos"
    )
    parser.add_argument("--photos", type=int, default=2)
    parser.add_argument(
        "--reference", type=int, default=reference, help="repetitions of the reference"
    )
    return parser.parse_args()


def signed_and_absolute_gradients(model, inputs, indices=None):
    """Return the logits, and the three signed channels and the mean absolute value."""
    logits, signed = SIGNED_GRADIENTS(model, inputs, indices)
    absolute = ops.mean(ops.abs(signed), axis=-2, keepdims=True)
    return logits, ops.concatenate([signed, absolute], axis=-2)


def networks(folder, photos):
    """Yield the name of each network, the network, its inputs, and units to explain."""
    sys.path.insert(0, str(folder))
    data = importlib.import_module("build_model")
    labels = correctly_classified(folder, photos)
    files = [folder / "photos" / row["file"] for row in labels]
    units = [int(row["class_index"]) for row in labels]
    for name in NETWORKS:
        rgb = np.stack([data.load_rgb(file, name) for file in files])
        yield name, data.build(name), data.preprocess(rgb, name), units


def correctly_classified(folder, count):
    """Return the labels of the first photos that all networks classify correctly."""
    with (folder / "labels.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    ranks = [f"{network}_rank" for network in NETWORKS]
    return [row for row in rows if all(row[rank] == "1" for rank in ranks)][:count]


def print_setting(folder, photos):
    """Print the processor, the versions and the photos that the numbers depend on."""
    packages = ("keras", keras.backend.backend(), "numpy")
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    labels = correctly_classified(folder, photos)
    names = "; ".join(f"{row['file']} (unit {row['class_index']})" for row in labels)
    print(f"{_processor()}, {os.cpu_count()} cores; {versions}\nPhotos: {names}")


def _processor():
    text = Path("/proc/cpuinfo").read_text()
    name = text.split("model name\t: ")[1].splitlines()[0]
    return f"{name} with{'' if 'avx512_bf16' in text else 'out'} AVX512-BF16"
