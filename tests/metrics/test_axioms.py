"""Axioms, for methods that satisfy them and for those that do not."""

import numpy as np
import pytest
from support.attributions import UNITS, X, contributions
from support.small_models import linear, quadratic

import keras_explainable as ke
from keras_explainable.metrics.axioms import completeness_gap


@pytest.mark.parametrize("baseline", [0.0, 0.5])
def test_attributions_of_a_linear_model_are_complete(baseline):
    model, options = linear(), {"baseline": baseline, "verbose": 0}
    maps = contributions(model, baseline)
    np.testing.assert_allclose(
        completeness_gap(model, X, maps, UNITS, **options), 0, atol=1e-4
    )
    gap = completeness_gap(model, X, maps + 0.25, UNITS, **options)
    np.testing.assert_allclose(gap, 16 * 0.25, rtol=1e-4)
    np.testing.assert_allclose(
        completeness_gap(model, X, maps - 0.25, UNITS, **options), gap, rtol=1e-4
    )
    assert not completeness_gap.higher_is_better


@pytest.mark.parametrize("baseline", [0.0, "blur"])
def test_integrated_gradients_are_complete(baseline):
    method, model = ke.methods.gradient.integrated_gradients, quadratic()
    options = {"baseline": baseline, "verbose": 0}
    _, maps = ke.explain(method, model, X, UNITS, n_steps=3, **options)
    np.testing.assert_allclose(
        completeness_gap(model, X, maps, UNITS, **options), 0, atol=1e-4
    )
