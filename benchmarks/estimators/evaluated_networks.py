"""The networks, inputs and units on which the estimators are measured."""

import argparse
import json
from pathlib import Path

import keras
import numpy as np
from keras import ops

import keras_explainable as ke
from benchmarks.accuracy.trained_networks import networks

TRAINED = ("mobilenet_075", "squeezenet11")
RANDOM = ("EfficientNetB0", "VGG16", "ResNet50V2", "ConvNeXtTiny")

#: Networks with random weights whose inputs are in 0..255.
BYTE_INPUTS = ("EfficientNetB0", "ConvNeXtTiny")

#: Height and width of the photos for networks with random weights.
RANDOM_PIXELS = 64

REPETITIONS = (8, 16, 32, 64, 128, 256, 512)


def parser(description):
    """Return a parser of the options that all measurements of estimators have."""
    options = argparse.ArgumentParser(description=description)
    options.add_argument(
        "--data", type=Path, required=True, help="folder of networks and photos"
    )
    options.add_argument("--networks", nargs="+", default=[*TRAINED, "demo", *RANDOM])
    options.add_argument("--photos", type=int, default=20)
    options.add_argument("--pixels", type=int, help="resize the photos to this size")
    options.add_argument("--repetitions", nargs="+", type=int, default=REPETITIONS)
    options.add_argument("--save", type=Path, help="JSON file to write")
    return options


def evaluated_networks(args):
    """Yield the name of each network, the network, its inputs and units to explain."""
    for name, model, x, y in networks(args.data, args.photos):
        if name == TRAINED[0]:
            photos, units = x, y  # In -1..1.
        if name in args.networks:
            yield name, *_resized(model, x, args.pixels), y
    if "demo" in args.networks:
        samples = ke.demo.make_samples(args.photos, seed=2)  # Not the bundled ones.
        x = np.asarray(samples.images, "float32")
        yield "demo", ke.demo.load_model(), x, list(samples.labels)
    photos = _resize(photos, args.pixels or RANDOM_PIXELS)
    for name in RANDOM:
        if name in args.networks:
            yield name, *_with_random_weights(name, photos), units


def _resized(model, x, pixels):
    if pixels is None:
        return model, x
    x = _resize(x, pixels)
    clone = keras.models.clone_model(model, keras.Input(x.shape[1:]))
    clone.set_weights(model.get_weights())
    return clone, x


def _resize(photos, pixels):
    small = ops.image.resize(photos, (pixels, pixels), antialias=True)
    return ops.convert_to_numpy(small)


def _with_random_weights(name, photos):
    keras.utils.set_random_seed(0)
    application = getattr(keras.applications, name)
    model = application(weights=None, input_shape=photos.shape[1:])
    return model, 127.5 * (photos + 1) if name in BYTE_INPUTS else photos


def print_and_save(rows, path):
    """Print the rows as a Markdown table, and write all rows so far to a JSON file."""
    done = []
    for row in rows:
        if not done:
            print(_markdown(row), "|---" * len(row) + "|", sep="\n")
        print(_markdown(row.values()), flush=True)
        done.append(row)
        if path:
            path.write_text("[\n" + ",\n".join(map(json.dumps, done)) + "\n]\n")


def _markdown(values):
    texts = (f"{v:.3f}" if isinstance(v, float) else str(v) for v in values)
    return f"| {' | '.join(texts)} |"
