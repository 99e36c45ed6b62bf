"""Maps that cannot fit the memory are refused, with the figures."""

from functools import partial

import pytest
from support.small_models import UNITS

import keras_explainable as ke
from keras_explainable.engine import map_memory

GIB = 2**30
MAP = 12 * 12 * map_memory.WIDTH


def with_free(monkeypatch, size):
    monkeypatch.setattr(map_memory, "free_host_memory", lambda: size)


@pytest.mark.parametrize("images", [8, 3])
def test_a_batch_of_too_many_maps(monkeypatch, model, x, images):
    with_free(monkeypatch, images * UNITS * MAP - 1)
    with pytest.raises(ValueError, match=f"{images} inputs and {UNITS} units"):
        ke.gradients(model, x[:images], verbose=0, batch_size=8)
    with_free(monkeypatch, images * UNITS * MAP)
    ke.gradients(model, x[:images], verbose=0, batch_size=8)


def test_all_maps_together(monkeypatch, model, x):
    with_free(monkeypatch, 2 * 8 * MAP - 1)
    with pytest.raises(ValueError, match=r"8 inputs and 1 unit, .* GiB are free"):
        ke.gradients(model, x, [0] * 8, verbose=0, batch_size=2)
    with_free(monkeypatch, 2 * 8 * MAP)
    ke.gradients(model, x, [0] * 8, verbose=0, batch_size=2)


def test_maps_of_a_small_layer_take_little_unless_they_are_resized(
    monkeypatch, model, x
):
    with_free(monkeypatch, 2 * 8 * MAP - 1)
    call = partial(ke.explain, ke.methods.cams.gradcam, model, x, [0] * 8, verbose=0)
    call(batch_size=2, resizing=None)
    with pytest.raises(ValueError, match=r"8 inputs and 1 unit"):
        call(batch_size=2)


def test_where_memory_cannot_be_told(monkeypatch, model, x):
    with_free(monkeypatch, None)
    ke.gradients(model, x, verbose=0, batch_size=2)
