"""A trained vision transformer, in two forms of the same network."""

import sys

import keras
import numpy as np
import pytest

import keras_explainable as ke
from keras_explainable.inspection.token_grid import TokenGrid

FORMS = ("ops", "mha")


@pytest.fixture(scope="module")
def transformers(shared):
    sys.path.insert(0, str(shared / "realdata"))
    try:
        import build_vit
    finally:
        sys.path.pop(0)
    return [build_vit.build(84, form) for form in FORMS]


@pytest.fixture
def noise():
    return np.random.default_rng(0).normal(size=(1, 84, 84, 3)).astype("f4")


def test_tokens_are_those_of_patches_and_a_class_token(transformers):
    for model in transformers:
        found = ke.inspection.token_grid(model, "add2_10")
        assert found == TokenGrid(1, (6, 6), 1)


def test_both_forms_of_attention_have_the_same_maps(transformers, noise):
    method = ke.methods.cams.hirescam
    options = {"layer": "add2_10", "verbose": 0, "resizing": None}
    one, other = (
        ke.explain(method, model, noise, [14], **options)[1] for model in transformers
    )
    assert one.shape == (1, 6, 6, 1)
    np.testing.assert_allclose(one, other, atol=1e-4 * np.abs(one).max())


def test_the_default_without_a_decoder_is_the_last_block(transformers):
    for model in transformers:
        tokens = model.get_layer("norm").output
        head = keras.layers.Dense(2)(tokens[:, 0])
        classifier = keras.Model(model.input, head)
        assert ke.inspection.shown_layers(classifier) == ["add2_10"]


def test_both_forms_have_the_same_attention(transformers, noise):
    found = [[*ke.attention_maps(model, noise).values()] for model in transformers]
    assert [len(each) for each in found] == [12, 12]
    for one, other in zip(*found, strict=True):
        assert one.shape == (1, 6, 37, 37)
        np.testing.assert_allclose(one, other, atol=1e-4)
        np.testing.assert_allclose(one.sum(axis=-1), 1, rtol=1e-5)
