"""Arrays are checked as they are."""

import tracemalloc

import numpy as np

from keras_explainable.network.model_inputs import as_array


def test_checking_an_array_makes_no_python_object_of_each_number():
    x = np.zeros((64, 64, 64), "float32")
    tracemalloc.start()
    checked = as_array("x", x)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert checked is x
    assert peak < x.nbytes / 100
