"""Scenes: the digit is complete and visible, and the mask marks it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_explainable.demo import digits, scenes

SEEDS = st.integers(0, 2**32 - 1)
LUMINANCE = np.array([0.299, 0.587, 0.114])


@pytest.fixture(scope="module")
def glyphs():
    return digits.load_digits(held_out=False).glyphs


def drawn(glyphs, seed):
    return scenes.draw(np.random.default_rng(seed), glyphs[seed % 1437], glyphs)


def ring(mask, reach):
    """Pixels near the mask but not in it."""
    padded = np.pad(mask, reach)
    shifts = range(2 * reach + 1)
    size = mask.shape[0]
    near = [padded[i : i + size, j : j + size] for i in shifts for j in shifts]
    return np.any(near, 0) & ~mask


@given(SEEDS)
@settings(max_examples=40, deadline=None)
def test_every_scene_has_the_promised_form(seed):
    glyphs = digits.load_digits(held_out=False).glyphs
    image, mask = drawn(glyphs, seed)
    assert image.shape == (scenes.SIZE, scenes.SIZE, 3)
    assert mask.shape == (scenes.SIZE, scenes.SIZE)
    assert (image.dtype, mask.dtype) == (np.uint8, np.bool_)


@given(SEEDS)
@settings(max_examples=40, deadline=None)
def test_the_size_and_position_of_the_digit(seed):
    _, mask = drawn(digits.load_digits(held_out=False).glyphs, seed)
    assert 0.005 < mask.mean() < 0.2
    border = np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]])
    assert border.mean() < 0.05  # In one of thousands of scenes a stroke touches it.


@given(SEEDS)
@settings(max_examples=40, deadline=None)
def test_ink_contrasts_with_its_surroundings(seed):
    image, mask = drawn(digits.load_digits(held_out=False).glyphs, seed)
    luminance = image @ LUMINANCE / 255
    inside, outside = luminance[mask], luminance[ring(mask, 3)]
    assert abs(np.median(inside) - np.median(outside)) > 0.1


@given(SEEDS)
@settings(max_examples=40, deadline=None)
def test_the_canvas_is_cluttered(seed):
    image, mask = drawn(digits.load_digits(held_out=False).glyphs, seed)
    elsewhere = image[~(mask | ring(mask, 4))]
    assert elsewhere.std(0).min() > 8  # of 255: far from a plain background


def test_the_same_generator_draws_the_same_scene(glyphs):
    for one, other in zip(drawn(glyphs, 5), drawn(glyphs, 5), strict=True):
        np.testing.assert_array_equal(one, other)


def test_ink_is_sometimes_lighter_sometimes_darker(glyphs):
    signs = []
    for seed in range(30):
        image, mask = drawn(glyphs, seed)
        luminance = image @ LUMINANCE
        signs.append(luminance[mask].mean() > luminance[ring(mask, 3)].mean())
    assert 5 < sum(signs) < 25


def test_position_and_size_vary(glyphs):
    masks = np.stack([drawn(glyphs, seed)[1] for seed in range(60)])
    rows, columns = np.indices(masks.shape[1:])
    area = masks.sum((1, 2))
    for place in (rows, columns):
        assert ((masks * place).sum((1, 2)) / area).std() > 8
    assert np.sqrt(area).max() > 1.7 * np.sqrt(area).min()


def test_masks_are_recognisable_digits():
    """The nearest other mask, cut out and shrunk, has the same label."""
    features, labels = {}, {}
    for held_out, count in ((False, 500), (True, 60)):
        part = digits.load_digits(held_out)
        chosen = np.arange(count) * 7 % len(part.labels)
        rngs = map(np.random.default_rng, range(count))
        masks = [
            scenes.draw(rng, part.glyphs[i], part.glyphs)[1]
            for rng, i in zip(rngs, chosen, strict=True)
        ]
        features[held_out] = np.stack([cut_out(mask) for mask in masks])
        labels[held_out] = part.labels[chosen]
    apart = ((features[True][:, None] - features[False]) ** 2).sum(-1)
    right = labels[False][apart.argmin(1)] == labels[True]
    assert right.mean() > 0.85


def cut_out(mask, size=12):
    """The mask's bounding box sampled on a small grid, and its aspect ratio."""
    rows, columns = (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
    height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
    grid = (np.arange(size) + 0.5) / size
    y, x = (
        (rows[0] + grid * height).astype(int),
        (columns[0] + grid * width).astype(int),
    )
    return np.append(mask[np.ix_(y, x)].ravel(), 6 * width / height)


@pytest.mark.parametrize("shape", [scenes._line, scenes._arc, scenes._blob])
def test_distractors_cover_little_of_the_canvas(shape):
    for seed in range(20):
        layer = shape(np.random.default_rng(seed))
        assert layer.shape == (scenes.SIZE, scenes.SIZE)
        assert layer.dtype == np.float32
        assert layer.min() >= 0
        assert layer.max() <= 1
        assert layer.mean() < 0.2


def test_scraps_keep_the_ink_but_not_the_shape(glyphs):
    """At the same position, scrap and digit differ by much of their ink."""
    for seed in range(10):
        scrap = scenes._scrap(np.random.default_rng(seed), glyphs[:1])
        assert 0 < (scrap > 0.5).mean() < 0.2
    rng = np.random.default_rng(0)
    whole = scenes.draw_glyph(rng, glyphs[0], 48)
    scrap = scenes._scrap(np.random.default_rng(0), glyphs[:1])
    assert np.abs(whole - scrap).sum() > 0.5 * whole.sum()


def test_noise_is_smooth_and_of_variance_one_to_two():
    noise = [scenes._noise(np.random.default_rng(seed), 3) for seed in range(200)]
    assert 1 < np.var(noise) < 2
    assert np.mean(noise) == pytest.approx(0, abs=0.1)
    assert np.abs(np.diff(noise)).max() < 1.5


def test_sampling_reads_pixels_exactly_and_halfway_between():
    glyph = np.arange(16, dtype="float32").reshape(4, 4)
    x = np.array([[1.0, 1.5, 0.0]], "float32")
    y = np.array([[2.0, 2.0, 0.5]], "float32")
    np.testing.assert_allclose(scenes._sample(glyph, x, y), [[9, 9.5, 2]])


def test_sampling_outside_reads_the_edge():
    glyph = np.zeros((4, 4), "float32")
    glyph[1:3, 1:3] = 1
    far = np.full((1, 1), 50, "float32")
    assert scenes._sample(glyph, far, -far) == 0
