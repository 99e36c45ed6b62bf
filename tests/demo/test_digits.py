"""The handwritten digits: a fixed split, and enlarging that keeps their shapes."""

import sys

import numpy as np
import pytest
from sklearn import datasets

from keras_explainable.demo import digits


@pytest.fixture(scope="module")
def splits():
    return {held_out: digits.load_digits(held_out) for held_out in (True, False)}


def test_one_fifth_is_held_out(splits):
    assert len(splits[True].labels) == 360
    assert len(splits[False].labels) == 1437


def test_the_parts_are_disjoint_and_complete(splits):
    drawn = {
        held: {g.tobytes() for g in split.glyphs} for held, split in splits.items()
    }
    small, _ = datasets.load_digits(return_X_y=True)
    assert drawn[True].isdisjoint(drawn[False])
    assert len(drawn[True]) + len(drawn[False]) == len(np.unique(small, axis=0))


@pytest.mark.parametrize("held_out", [True, False])
def test_every_class_is_in_both_parts(splits, held_out):
    counts = np.bincount(splits[held_out].labels, minlength=10)
    assert len(counts) == 10
    assert counts.min() > len(splits[held_out].labels) / 20


@pytest.mark.parametrize("held_out", [True, False])
def test_types_and_shapes(splits, held_out):
    glyphs, labels = splits[held_out]
    assert glyphs.shape == (len(labels), digits.GLYPH_SIZE, digits.GLYPH_SIZE)
    assert (glyphs.dtype, labels.dtype) == (np.float32, np.int64)


def test_enlarging_keeps_the_digit(splits):
    small, labels = datasets.load_digits(return_X_y=True)
    first = splits[True].glyphs[0]  # the first digit of all is held out
    shrunk = first.reshape(12, 4, 12, 4).mean((1, 3))[2:-2, 2:-2]
    assert labels[0] == splits[True].labels[0]
    correlation = np.corrcoef(shrunk.ravel(), small[0])[0, 1]
    assert correlation > 0.98


def test_margins_are_blank(splits):
    for glyphs, _ in splits.values():
        for edge in (glyphs[:, :4], glyphs[:, -4:], glyphs[..., :4], glyphs[..., -4:]):
            assert np.abs(edge).max() < 0.1


def test_cubic_weights_sum_to_one_away_from_the_edge():
    weights = digits._cubic_weights(12)
    np.testing.assert_allclose(weights.sum(1)[8:-8], 1, atol=1e-12)


def test_cubic_weights_reproduce_a_slope():
    weights = digits._cubic_weights(12)
    places = (np.arange(digits.GLYPH_SIZE) + 0.5) / 4 - 0.5
    np.testing.assert_allclose((weights @ np.arange(12))[8:-8], places[8:-8])


def test_a_missing_scikit_learn_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    digits._enlarged_digits.cache_clear()
    with pytest.raises(ImportError, match=r'pip install "keras-explainable\[train\]"'):
        digits.load_digits(True)
