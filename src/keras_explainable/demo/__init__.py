"""A small network the project trained itself, with pictures whose answer is known.

Each picture holds one real handwritten digit on a cluttered canvas; the network
says which. It was never told *where* the digit is, yet the masks here say so:
a good explanation of its answer should light up inside them.

    >>> model = ke.demo.load_model()
    >>> images, labels, masks = ke.demo.load_samples()
    >>> predictions = model.predict(images, verbose=0).argmax(axis=-1)

``tools/train_demo.py`` trained it from scratch: 208,970 parameters, 98.0 % right on
3,000 scenes made of handwriting that training never saw.
"""

from __future__ import annotations

import pathlib

import keras

from keras_explainable.demo.samples import Samples, load_samples, make_samples

__all__ = ["Samples", "load_model", "load_samples", "make_samples", "model_path"]


def model_path() -> pathlib.Path:
    """Locate the bundled network, a ``.keras`` file of less than one megabyte.

    Returns:
        Path of a file that plain ``keras.models.load_model`` reads.
    """
    return pathlib.Path(__file__).with_name("model.keras")


def load_model() -> keras.Model:
    """Load the bundled network: which digit is hidden in the picture?

    Returns:
        A convolutional network from RGB pictures (N, 96, 96, 3), values 0..255 of
        any real dtype, to the probabilities (N, 10) of the digits 0 to 9.
    """
    return keras.models.load_model(model_path(), compile=False)
