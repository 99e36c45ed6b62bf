"""Errors of ``ke.utils.visualize``."""

import sys

import numpy as np
import pytest
from support.example_images import MAPS, PHOTOS

from keras_explainable import utils


@pytest.mark.parametrize("nothing", [[], (), np.zeros((0, 4, 4, 3))])
def test_nothing_to_draw_is_refused(nothing):
    with pytest.raises(ValueError, match="`images` must hold at least one"):
        utils.visualize(nothing)


@pytest.mark.parametrize("shape", [(), (4,), (1, 2, 3, 4, 5), (0, 4, 3)])
def test_shapes_other_than_images_are_refused(shape):
    with pytest.raises(ValueError, match=r"`images` must be .*; received shape"):
        utils.visualize([np.zeros(shape)])


@pytest.mark.parametrize("item", ["photo.png", None, [["a", "b"]]])
def test_non_arrays_are_refused(item):
    with pytest.raises(TypeError, match="must be real numbers; received"):
        utils.visualize([item])


@pytest.mark.parametrize("count", [0, 3, 5])
def test_too_few_or_too_many_titles_are_refused(count):
    message = f"`titles` must be as many as the panels, 4, or .* received {count}"
    with pytest.raises(ValueError, match=message):
        utils.visualize(PHOTOS, titles=["a"] * count)


@pytest.mark.parametrize("count", [0, 3, 5])
def test_too_few_or_too_many_overlays_are_refused(count):
    message = f"`overlays` must be as many as `images`, 4; received {count}"
    with pytest.raises(ValueError, match=message):
        utils.visualize(PHOTOS, overlays=[MAPS[0]] * count)


def test_grids_that_are_too_small_are_refused():
    with pytest.raises(ValueError, match="must hold 4 panels; received 1 x 3"):
        utils.visualize(PHOTOS, rows=1, cols=3)


def test_a_folder_that_does_not_exist_is_named(tmp_path):
    path = tmp_path / "nosuch" / "a.png"
    with pytest.raises(
        FileNotFoundError, match=r"`to_file` must be in a folder .*nosuch"
    ):
        utils.visualize(PHOTOS, to_file=path)
    assert not path.parent.exists()


def test_a_missing_matplotlib_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r'pip install "keras-explainable\[plot\]"'):
        utils.visualize(PHOTOS)
