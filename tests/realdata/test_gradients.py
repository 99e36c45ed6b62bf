"""Derivatives of networks trained on ImageNet agree with finite differences."""

import pytest
from support import real_networks

import keras_explainable as ke

#: Of the part of the photo that is shown: many values are computed.
SIDE = 96


@pytest.mark.parametrize("network", [*real_networks.NETWORKS, "mobilenet_025"])
def test_the_check_of_derivatives_gives_no_false_alarm(network, shared):
    """ReLUs and maxima of a trained network lie close to their kinks, on any photo."""
    model = real_networks.build_model(shared).build(network, side=SIDE)
    x, classes = real_networks.photos(shared, network, real_networks.labels(shared)[:1])
    found = ke.check_gradients(model, x[:, :SIDE, :SIDE], classes, directions=2)
    assert found.agreeing == 2, found
    assert found.ok
