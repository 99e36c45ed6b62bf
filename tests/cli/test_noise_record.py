"""The record of the noise of an image, which is written as JSON."""

import keras
import numpy as np
from keras import layers, ops

import keras_explainable as ke
from keras_explainable.cli.noise_record import noise_record


def test_what_is_not_known_is_none():
    """The class of a probability whose sigmoid cannot be removed, for example."""
    inputs = keras.Input((3, 3, 1))
    x = layers.Dense(1)(layers.Flatten()(inputs))
    model = keras.Model(inputs, ops.clip(ops.sigmoid(x), 0.01, 0.99))
    x = np.random.default_rng(0).normal(size=(1, 3, 3, 1)).astype("float32")
    given = {"noise": 0.1, "repetitions": 4, "return_stats": True, "verbose": 0}
    _, _, stats = ke.smoothgrad(model, x, estimator="sampled", **given)
    assert noise_record(stats, 0, 0.1).flip_rate is None
    assert noise_record(stats, 0, 0.1).relative_error[0] is not None
