"""Noise is standard normal, and a pure function of its key."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.small_models import images, linear, numpy

from keras_explainable import backend
from keras_explainable.sampling import noise

IDS = st.integers(0, 2**62)


@given(st.integers(0, 2**100), IDS, st.integers(0, 2**40), IDS)
def test_a_key_does_not_depend_on_its_neighbours(seed, image, draw, other):
    alone = noise.random_keys(seed, np.array([image]), np.array([draw]))
    ids, draws = np.array([other, image, image]), np.array([draw, draw, draw + 1])
    among = noise.random_keys(seed, ids, draws)
    np.testing.assert_array_equal(among[1], alone[0])
    assert len(np.unique(among, axis=0)) == (2 if other == image else 3)


def test_keys_of_many_triples_differ():
    """Even where a word of one number could be mistaken for one of the next."""
    values = [0, 1, 2**32, 2**32 + 1, 2**33]
    triples = [(s, i, d) for s in values for i in values for d in values]
    rows = [
        noise.random_keys(s, np.array([i]), np.array([d]))[0] for s, i, d in triples
    ]
    assert len(np.unique(rows, axis=0)) == len(triples)


def test_noise_is_standard_normal():
    keys = noise.random_keys(0, np.arange(8), np.zeros(8, int))
    draws = numpy(backend.normal(keys, (100, 100))).ravel()
    assert abs(draws.mean()) < 0.02
    assert abs(draws.std() - 1) < 0.02
    assert abs((draws**3).mean()) < 0.05
    assert abs((draws**4).mean() - 3) < 0.1


def test_noise_depends_only_on_the_key_of_its_row():
    keys = noise.random_keys(0, np.arange(4), np.zeros(4, int))
    rows = numpy(backend.normal(keys, (5, 5)))
    np.testing.assert_array_equal(numpy(backend.normal(keys[2:3], (5, 5)))[0], rows[2])
    assert np.abs(np.corrcoef(rows.reshape(4, -1))[~np.eye(4, dtype=bool)]).max() < 0.8


def test_copies_are_input_plus_sigma_times_noise():
    x, sigma = images(2), np.array([[0.0], [0.5]], "float32")
    image = np.array([0, 1, 1])
    keys = noise.random_keys(0, image, np.array([0, 0, 1]))
    copies = numpy(noise.noisy_copies(x, sigma, keys, image))
    eps = numpy(backend.normal(keys, x.shape[1:]))
    np.testing.assert_allclose(copies[0], x[0])
    np.testing.assert_allclose(copies[1:], x[1] + 0.5 * eps[1:], rtol=1e-5, atol=1e-6)


def test_copy_ids_mark_padding():
    keys = noise.random_keys(0, np.arange(3), np.zeros(3, int))
    ids = noise.copy_ids(keys, np.array([True, True, False]))
    assert ids[2] == noise.PADDING
    assert (ids[:2] >= 0).all()
    assert ids[0] != ids[1]


def test_scales_of_amounts_and_levels():
    x = images(3)
    spans, model = noise.value_ranges(x), linear()
    np.testing.assert_allclose(spans, [np.ptp(image) for image in x], rtol=1e-6)
    np.testing.assert_allclose(noise.Noise(0.5).scales(model, x, spans), [[0.5]] * 3)
    found = noise.Noise(noise.DEFAULT, 0.1).scales(model, x, spans)
    np.testing.assert_allclose(found[:, 0], 0.1 * spans, rtol=1e-6)


@pytest.mark.parametrize("level", [15, [0.1, 15.0], {"a": 15}])
def test_a_level_above_one_is_asked_back(level):
    message = r"`noise_level` .* 15, which means 1500 %; did you mean 0\.15\? `noise`"
    with pytest.raises(ValueError, match=message):
        noise.Noise(noise.DEFAULT, level)
    with pytest.raises(
        ValueError, match=r"received 255, which means 25500 %\. `noise`"
    ):
        noise.Noise(noise.DEFAULT, 255)
    assert noise.Noise(noise.DEFAULT, 1).level == 1


def test_fresh_seeds_differ():
    assert len({noise.random_seed() for _ in range(10)}) == 10
