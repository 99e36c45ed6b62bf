"""A parameter that would have no effect is refused."""

import keras
import numpy as np
import pytest
from support.small_models import images, linear, network

import keras_explainable as ke
from keras_explainable.methods.gradient import gradients, smooth_gradients
from keras_explainable.methods.gradient.smooth_gradients import ESTIMATORS
from keras_explainable.methods.meta import smooth

pytestmark = pytest.mark.backend_independent  # No tensor is computed differently.

X, Y = images(2), [0, 1]


@pytest.fixture(scope="module")
def model():
    return linear()


def test_batches_are_not_points_on_a_path(model):
    with pytest.warns(UserWarning, match="number of points on the path is `n_steps`"):
        found = ke.integrated_gradients(model, X, Y, steps=1, batch_size=1, verbose=0)
    assert len(found.maps) == 1
    # Warnings are errors here.
    ke.integrated_gradients(model, X, Y, steps=1, n_steps=5, verbose=0)
    ke.integrated_gradients(model, iter([X, X]), steps=1, verbose=0)
    ke.gradients(model, X, Y, steps=1, verbose=0)


SMOOTHING = [ke.smoothgrad, ke.smoothgrad_squared, ke.vargrad]
SMOOTHING += [smooth_gradients, lambda *_, **params: smooth(gradients, **params)]


@pytest.mark.parametrize("function", SMOOTHING)
@pytest.mark.parametrize("level", [0.15, 0.3])
def test_two_amounts_of_noise_are_refused(model, function, level):
    """Also if the level that is given is the one that holds by default."""
    with pytest.raises(ValueError, match="`noise` and `noise_level` must not both be"):
        function(model, X, Y, noise=0.1, noise_level=level)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_each_amount_of_noise_alone_has_its_effect(estimator):
    model, x = network(), np.random.default_rng(0).normal(size=(1, 12, 12, 3))
    options = {"estimator": estimator, "repetitions": 4, "verbose": 0}

    def sigma(**noise):
        explained = ke.smoothgrad(model, x, [0], return_stats=True, **options, **noise)
        return explained[2].sigma.item()

    assert sigma(noise=0.7) == pytest.approx(0.7)
    assert sigma(noise_level=0.3) == pytest.approx(0.3 * np.ptp(x))
    assert sigma() == pytest.approx(0.15 * np.ptp(x))


@pytest.mark.parametrize("estimator", ["slopes", "hybrid"])
@pytest.mark.parametrize(
    "params", [{"antithetic": True}, {"statistic": "square"}, {"clip": (0, 1)}]
)
def test_estimators_refuse_what_only_samples_use(model, estimator, params):
    with pytest.raises(ValueError, match="`estimator` must be 'sampled'"):
        ke.smoothgrad(model, X, Y, estimator=estimator, **params)


@pytest.mark.parametrize("params", [{"postprocessing": None}, {"resizing": True}])
def test_a_sweep_refuses_parameters_of_maps(model, params):
    with pytest.raises(ValueError, match=f"`{next(iter(params))}` must be omitted"):
        ke.sweep(model, X[0], 0, to_file="never.png", **params)


def test_half_precision_needs_known_layers(model):
    class Subclassed(keras.Model):
        def call(self, inputs):
            return model(inputs)

    for unknown in (Subclassed(), lambda inputs, training=False: model(inputs)):
        with pytest.raises(ValueError, match="`precision` must be 'float32' for"):
            ke.gradients(unknown, X, Y, precision="bfloat16", verbose=0)
