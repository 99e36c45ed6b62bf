"""A small bundled network, with sample images for which good maps are known.

Each image shows one handwritten digit on a cluttered canvas, and the network predicts
which digit it is. It was never trained on *where* the digit is, but the samples have
masks of it: a good explanation of the prediction highlights the masked pixels.

    >>> model = ke.demo.load_model()
    >>> images, labels, masks = ke.demo.load_samples()
    >>> predictions = model.predict(images, verbose=0).argmax(axis=-1)

The network has 208,970 parameters and was trained from scratch by
``tools/train_demo.py``. Its accuracy is 98.0 % on 3,000 scenes with digits that were
not used in training. Neither network nor samples know anything of the methods.

There is also a small vision transformer with a class token, for images of its own:

    >>> vit = ke.demo.load_transformer()
    >>> images, labels, masks = ke.demo.load_small_samples()

It has 44,746 parameters, was trained by ``tools/train_demo_transformer.py``, and
recognises 86.4 % of 3,000 digits that were not used in training.
"""

import pathlib

import keras

from keras_explainable.demo.samples import (
    Samples,
    load_samples,
    load_small_samples,
    make_samples,
    make_small_samples,
)

__all__ = [
    "Samples",
    "load_model",
    "load_samples",
    "load_small_samples",
    "load_transformer",
    "make_samples",
    "make_small_samples",
    "model_path",
    "transformer_path",
]
__dir__ = __all__.copy


def model_path() -> pathlib.Path:
    """Return the path of the bundled network, a ``.keras`` file below one megabyte.

    ``keras.models.load_model`` reads it.
    """
    return pathlib.Path(__file__).with_name("model.keras")


def load_model() -> keras.Model:
    """Return the bundled network, which recognises the digit in an image.

    Returns:
        A convolutional network from RGB images (N, 96, 96, 3), with values 0..255 of
        any real dtype, to the probabilities (N, 10) of the digits 0 to 9.
    """
    return keras.models.load_model(model_path(), compile=False)


def transformer_path() -> pathlib.Path:
    """Return the path of the bundled transformer, a small ``.keras`` file."""
    return pathlib.Path(__file__).with_name("transformer.keras")


def load_transformer() -> keras.Model:
    """Return the bundled vision transformer, which recognises the digit in an image.

    Its tokens are a class token and 8 x 8 patches of 4 x 4 pixels.

    Returns:
        A transformer from small grey images (N, 32, 32, 1), with values 0..255 of any
        real dtype, to the probabilities (N, 10) of the digits 0 to 9.
    """
    return keras.models.load_model(transformer_path(), compile=False)
