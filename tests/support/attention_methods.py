"""The methods of attention, and their maps as they are."""

import keras_explainable as ke
from keras_explainable.methods import attention

NAMES = attention.__all__
UNITS = [[0, 2], [1, 0]]


def raw_maps(name, model, x, y=UNITS, **params):
    method = getattr(attention, name)
    return ke.explain(method, model, x, y, verbose=0, resizing=None, **params)[1]
