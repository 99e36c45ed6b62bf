"""Sample scenes: the bundled dozen, and new ones."""

import sys

import numpy as np
import pytest

from keras_explainable import demo
from keras_explainable.demo import digits, samples


@pytest.fixture(scope="module")
def bundled():
    return demo.load_samples()


def check(found, count):
    assert found.images.shape == (count, 96, 96, 3)
    assert found.labels.shape == (count,)
    assert found.masks.shape == (count, 96, 96)
    assert found.images.dtype == np.uint8
    assert found.labels.dtype == np.int64
    assert found.masks.dtype == np.bool_


def test_a_dozen_is_bundled(bundled):
    check(bundled, 12)


def test_samples_are_a_named_tuple(bundled):
    images, labels, masks = bundled
    assert images is bundled.images
    assert labels is bundled.labels
    assert masks is bundled.masks


def test_every_class_is_bundled(bundled):
    assert set(bundled.labels) == set(range(10))


def test_each_bundled_mask_marks_some_ink(bundled):
    share = bundled.masks.mean((1, 2))
    assert (share > 0.005).all()
    assert (share < 0.2).all()


def test_bundled_samples_are_a_small_file():
    assert samples._BUNDLED.stat().st_size < 500_000


def test_bundled_samples_need_numpy_only(monkeypatch):
    for absent in ("sklearn", "scipy", "PIL"):
        monkeypatch.setitem(sys.modules, absent, None)
    digits._enlarged_digits.cache_clear()
    check(demo.load_samples(), 12)


@pytest.mark.parametrize("held_out", [True, False])
def test_made_samples_have_the_same_form(held_out):
    check(demo.make_samples(3, held_out=held_out), 3)


def test_the_same_arguments_make_the_same_scenes():
    for one, other in zip(
        demo.make_samples(4, 7), demo.make_samples(4, 7), strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_the_global_generator_is_not_used():
    np.random.seed(1)  # noqa: NPY002
    first = demo.make_samples(1)
    left = np.random.random()  # noqa: NPY002
    np.random.seed(1)  # noqa: NPY002
    assert np.random.random() == left  # noqa: NPY002
    np.testing.assert_array_equal(demo.make_samples(1).images, first.images)


def test_a_longer_series_begins_with_the_shorter():
    few, more = demo.make_samples(2, seed=3), demo.make_samples(5, seed=3)
    np.testing.assert_array_equal(few.images, more.images[:2])
    np.testing.assert_array_equal(few.labels, more.labels[:2])


def test_seeds_and_parts_make_different_scenes():
    made = [demo.make_samples(1, 0), demo.make_samples(1, 1)]
    made.append(demo.make_samples(1, 0, held_out=False))
    assert len({scene.images.tobytes() for scene in made}) == 3


@pytest.mark.parametrize("held_out", [True, False])
def test_digits_and_scraps_come_from_the_requested_part(monkeypatch, held_out):
    requested = []
    load = digits.load_digits

    def spy(part):
        requested.append(part)
        return load(part)

    monkeypatch.setattr(digits, "load_digits", spy)
    demo.make_samples(1, held_out=held_out)
    assert requested == [held_out]


def test_labels_are_those_of_the_glyphs_drawn(monkeypatch):
    glyphs = np.zeros((2, 48, 48), "float32")
    glyphs[0, 12:36, 20:28] = 1  # a bar
    glyphs[1, 20:28, 12:36] = 1  # the same, horizontal
    known = digits.Digits(glyphs, np.array([1, 7]))
    monkeypatch.setattr(digits, "load_digits", lambda held_out: known)
    made = demo.make_samples(12)
    tall = made.masks.any(2).sum(1) > made.masks.any(1).sum(1)
    np.testing.assert_array_equal(np.where(tall, 1, 7), made.labels)
    assert 0 < tall.sum() < 12


def test_classes_are_drawn_about_equally():
    counts = np.bincount(demo.make_samples(300).labels, minlength=10)
    assert counts.min() >= 12


@pytest.mark.parametrize("count", [0, -1])
def test_count_below_one_is_refused(count):
    with pytest.raises(
        ValueError, match=rf"`count` must be at least 1; received {count}"
    ):
        demo.make_samples(count)


@pytest.mark.parametrize("count", [1.0, "3", None])
def test_count_must_be_an_integer(count):
    with pytest.raises(TypeError, match="`count` must be an integer; received"):
        demo.make_samples(count)


def test_negative_seeds_are_refused():
    with pytest.raises(ValueError, match="`seed` must be at least 0; received -2"):
        demo.make_samples(1, seed=-2)


def test_numpy_integers_are_integers():
    check(demo.make_samples(np.int32(2), seed=np.uint8(1)), 2)


def test_a_missing_scikit_learn_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    digits._enlarged_digits.cache_clear()
    with pytest.raises(ImportError, match="scikit-learn"):
        demo.make_samples(1)
