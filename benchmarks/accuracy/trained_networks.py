"""Real networks and labelled photos, for the benchmarks that need them.

The folder they come from is no part of the repository: `build_model.py` (`build`,
`load_rgb`, `preprocess`), `photos/`, and `labels.csv` with the columns `file`,
`class_index` and, for each network, `NETWORK_rank`. Explained are the first photos
whose label all networks rank first, for the unit of that label.
"""

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

#: Channels of what `signed_and_absolute` gives.
KINDS = {"signed": slice(0, 3), "absolute": slice(3, 4)}


def signed_and_absolute(model, inputs, indices=None):
    """Both kinds of gradient at once: the signed channels, then their mean size."""
    logits, signed = SIGNED_GRADIENTS(model, inputs, indices)
    absolute = ops.mean(ops.abs(signed), axis=-2, keepdims=True)
    return logits, ops.concatenate([signed, absolute], axis=-2)


def networks(folder, photos):
    """Yield each network's name, the network, its inputs and the units to explain."""
    sys.path.insert(0, str(folder))
    data = importlib.import_module("build_model")
    labels = chosen_labels(folder, photos)
    files = [folder / "photos" / row["file"] for row in labels]
    units = [int(row["class_index"]) for row in labels]
    for name in NETWORKS:
        rgb = np.stack([data.load_rgb(file, name) for file in files])
        yield name, data.build(name), data.preprocess(rgb, name), units


def chosen_labels(folder, count):
    with (folder / "labels.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    ranks = [f"{network}_rank" for network in NETWORKS]
    return [row for row in rows if all(row[rank] == "1" for rank in ranks)][:count]


def describe(folder, photos):
    """Print what the numbers depend on."""
    packages = ("keras", keras.backend.backend(), "numpy")
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    labels = chosen_labels(folder, photos)
    names = "; ".join(f"{row['file']} (unit {row['class_index']})" for row in labels)
    print(f"{_processor()}, {os.cpu_count()} cores; {versions}\nPhotos: {names}")


def _processor():
    text = Path("/proc/cpuinfo").read_text()
    name = text.split("model name\t: ")[1].splitlines()[0]
    return f"{name} with{'' if 'avx512_bf16' in text else 'out'} AVX512-BF16"
