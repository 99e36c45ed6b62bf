"""The real networks and labelled photos beside the checkout."""

import csv
import importlib
import sys

import numpy as np

NETWORKS = ["mobilenet_075", "squeezenet11"]


def build_model(shared):
    """Return the module that builds networks, loads weights and reads photos."""
    sys.path.insert(0, str(shared / "realdata"))
    try:
        return importlib.import_module("build_model")
    finally:
        sys.path.pop(0)


def labels(shared, networks=NETWORKS, least=0.0):
    """Return labels that all networks rank first with a probability above ``least``."""
    with (shared / "realdata" / "labels.csv").open(encoding="utf-8") as file:
        return [
            row
            for row in csv.DictReader(file)
            if all(row[f"{network}_rank"] == "1" for network in networks)
            and all(float(row[f"{network}_prob"]) > least for network in networks)
        ]


def photos(shared, network, rows):
    """Return the photos of some labels as inputs of a network, and their classes."""
    classes = np.array([int(row["class_index"]) for row in rows])
    return inputs(shared, network, [row["file"] for row in rows]), classes


def inputs(shared, network, names):
    """Return photos as inputs of a network."""
    data, folder = build_model(shared), shared / "realdata" / "photos"
    rgb = np.stack([data.load_rgb(folder / name, network) for name in names])
    return data.preprocess(rgb, network)


def mask(shared, network, row):
    """Return a mask of a label's boxes in the photo as the network receives it."""
    data = build_model(shared)
    corners = [[int(n) for n in box.split()] for box in row["boxes"].split(";")]
    size, side = (int(row["width"]), int(row["height"])), data.NETWORKS[network][1]
    found = np.zeros((side, side), bool)
    for left, top, right, bottom in data.map_boxes(corners, size, network):
        found[round(top) : round(bottom), round(left) : round(right)] = True
    return found
