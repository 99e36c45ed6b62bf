"""Tokens of transformers with windows, merged patches, and convolutions between."""

import keras
import numpy as np
import pytest
from keras import layers
from support.hybrids import mobile_vit, swin

import keras_explainable as ke
from keras_explainable.inspection import token_grid

SIDES = {"tokens": 8, "shifted_end": 8, "merged": 4, "last_end": 4, "norm": 4}


@pytest.fixture
def x(rng):
    return rng.normal(size=(2, 32, 32, 3)).astype("f4")


@pytest.mark.parametrize("layer", [*SIDES, None])
def test_grids_of_shifted_windows_and_merged_patches(layer):
    found, side = token_grid(swin(), layer), SIDES.get(layer, 4)
    assert (found.axis, found.grid) == (1, (side, side))
    assert (found.before, found.after) == (0, 0)


def without_mixing(model):
    """Return the model, whose attention adds nothing."""
    for layer in model.layers:
        if isinstance(layer, layers.MultiHeadAttention):
            *_, kernel, bias = layer.weights
            kernel.assign(np.zeros(kernel.shape))
            bias.assign(np.zeros(bias.shape))
    return model


@pytest.mark.parametrize("layer", SIDES)
def test_a_patch_changes_the_token_at_its_place(layer, x):
    model, side = without_mixing(swin()), SIDES[layer]
    inner = keras.Model(model.inputs, model.get_layer(layer).output)
    changed = x.copy()
    changed[:, 8:12, 20:24] += 1
    before, after = (inner.predict(each, verbose=0) for each in (x, changed))
    found = np.abs(after - before).max((0, 2)).reshape(side, side) > 1e-4
    expected = np.zeros((side, side), bool)
    expected[2 * side // 8, 5 * side // 8] = True
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("make", "layer", "side"), [(swin, "norm", 4), (mobile_vit, "fused", 8)]
)
def test_class_activation_maps_and_methods_of_the_whole_image(make, layer, side, x):
    model, options = make(), {"verbose": 0, "resizing": None}
    assert ke.inspection.shown_layers(model) == [layer]
    _, maps = ke.gradcam(model, x, [0, 1], **options)
    assert maps.shape == (2, side, side, 1)
    exposed = ke.inspection.expose(model, layer)
    np.testing.assert_allclose(ke.gradcam(exposed, x, [0, 1], **options)[1], maps, 1e-4)
    for method in (ke.occlusion, ke.attnlrp):
        maps = method(model, x, [0, 1], verbose=0)[1]
        assert maps.shape == (2, 32, 32, 1)
        assert np.abs(maps).max() > 0


def test_attention_within_windows_has_one_more_axis(x):
    found = ke.attention_maps(swin(), x)
    assert found["shifted_attention"].shape == (2, 4, 2, 16, 16)
    with pytest.raises(ValueError, match="keys are the 16 tokens before it"):
        ke.attention_rollout(swin(), x, [0, 1], verbose=0)


@pytest.mark.parametrize("layer", ["shifted_attention", "unfolded"])
def test_layers_inside_windows_are_refused(layer):
    model = mobile_vit() if layer == "unfolded" else swin()
    with pytest.raises(ValueError, match="one row for each image"):
        token_grid(model, layer)


def test_layers_with_the_axes_of_an_image_have_no_tokens():
    with pytest.raises(ValueError, match=r"tokens .*'fused'.*the axes of an image"):
        token_grid(mobile_vit())
