"""What takes the place of hidden pixels."""

import keras
import numpy as np
from support.attributions import X
from support.small_models import numpy

from keras_explainable.metrics import replacement
from keras_explainable.metrics.linear_imputation import linear_imputation
from keras_explainable.sampling.schedule import Copies


def values(baseline, inputs=X):
    count = len(inputs)
    tensor = keras.ops.convert_to_tensor(inputs)
    function = replacement.replacement(baseline, tensor, np.arange(count), 0)
    copies = Copies(np.arange(count), np.zeros(count, int), np.ones(count, bool))
    hidden = np.zeros(inputs.shape[:-1], bool)
    hidden[:, 1:, 1:] = True
    return numpy(function(copies, keras.ops.convert_to_tensor(hidden)))


def test_values_of_baselines():
    np.testing.assert_array_equal(values(0.5), np.full(X.shape, 0.5, "float32"))
    np.testing.assert_allclose(values([1, 2, 3])[0, 0, 0], [1, 2, 3])
    np.testing.assert_allclose(values(X[0])[1], X[0])
    mean = np.broadcast_to(X.mean(axis=(1, 2), keepdims=True), X.shape)
    np.testing.assert_allclose(values("mean"), mean, atol=1e-6)
    np.testing.assert_allclose(values("blur").mean(), X.mean(), atol=0.1)
    noise = values("uniform")
    assert (noise.min((1, 2, 3)) >= X.min((1, 2, 3))).all()
    assert (noise.max((1, 2, 3)) <= X.max((1, 2, 3))).all()
    low, high = X.min((1, 2, 3)), X.max((1, 2, 3))
    unit = (noise - low[:, None, None, None]) / (high - low)[:, None, None, None]
    assert 0.2 < unit.std() < 0.4
    assert abs(unit[0] - unit[1]).max() > 0.3


def test_imputed_pixels_are_means_of_their_neighbours():
    image, hidden = X[0], np.random.default_rng(0).uniform(size=(4, 4)) < 0.6
    found = linear_imputation(image, hidden)
    np.testing.assert_array_equal(found[~hidden], image[~hidden])
    for row, column in np.argwhere(hidden):
        total = weights = 0
        for r, c in np.ndindex(4, 4):
            far = abs(r - row), abs(c - column)
            weight = {(0, 1): 1 / 6, (1, 0): 1 / 6, (1, 1): 1 / 12}.get(far, 0)
            total, weights = total + weight * found[r, c], weights + weight
        np.testing.assert_allclose(found[row, column], total / weights)


def test_imputation_of_a_plane_and_of_nothing():
    rows, columns = np.mgrid[:9.0, :9.0]
    plane = (2 * rows - columns)[..., None]
    hidden = np.zeros((9, 9), bool)
    hidden[2:6, 3:7] = True
    np.testing.assert_allclose(linear_imputation(plane, hidden), plane, atol=1e-9)
    everything = linear_imputation(plane, np.ones((9, 9), bool))
    np.testing.assert_allclose(everything, plane.mean())
    spread = values("noisy_linear") - linear_imputed(X)
    assert 0 < spread[:, 1:, 1:].std() < 0.02 * np.ptp(X)


def linear_imputed(x):
    hidden = np.zeros((4, 4), bool)
    hidden[1:, 1:] = True
    return np.stack([linear_imputation(one, hidden) for one in x])
