"""``ke.utils.visualize``: the files it writes and the state it leaves unchanged."""

import io
import warnings

import matplotlib
import matplotlib.figure
import numpy as np
import pytest
from matplotlib import pyplot as plt
from PIL import Image
from support.example_images import PHOTOS, size_of

from keras_explainable import utils
from keras_explainable.plotting import panels


def test_to_buffer_and_to_file_hold_the_same_picture(tmp_path):
    buffer, path = io.BytesIO(), tmp_path / "maps.png"
    found = utils.visualize(PHOTOS, to_buffer=buffer, to_file=path)
    assert found.tobytes() == Image.open(path).tobytes()
    buffer.seek(0)
    assert size_of(buffer.getvalue()) == size_of(path.read_bytes())
    assert size_of(path.read_bytes())[0] == "PNG"


def test_figsize_is_that_of_the_picture():
    buffer = io.BytesIO()
    utils.visualize(PHOTOS, figsize=(4, 3), to_buffer=buffer)
    assert size_of(buffer.getvalue()) == ("PNG", (600, 450))


@pytest.mark.parametrize(
    ("name", "start"), [("a.pdf", b"%PDF"), ("a.svg", b"<?xml"), ("a", b"\x89PNG")]
)
def test_the_suffix_sets_the_file_format(tmp_path, name, start):
    utils.visualize(PHOTOS[0], to_file=str(tmp_path / name))
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_bytes().startswith(start)


def test_the_picture_shows_every_pixel_on_white():
    image = np.zeros((20, 20, 3), "uint8")
    image[:, 10:] = (255, 0, 0)
    buffer = io.BytesIO()
    with plt.style.context("dark_background"):
        utils.visualize(image, titles=["title"], to_buffer=buffer)
    picture = np.asarray(Image.open(buffer).convert("RGB")).astype(int)
    assert (picture[0] == 255).all()
    red = (picture == [255, 0, 0]).all(-1)
    black = (picture == 0).all(-1)
    assert red.sum() > 0.4 * picture[..., 0].size
    rows = np.flatnonzero(red.any(1))
    assert np.array_equal(rows, np.flatnonzero(red.any(1) & black.any(1)))
    assert (picture[: rows[0]] < 100).any()  # A dark title above the image.


def test_titles_are_not_cropped():
    """No dark pixels of a three-line title are within three pixels of the edge."""
    title = "a rather long title that takes more than the width of a panel, twice over"
    buffer = io.BytesIO()
    white = np.full((30, 30, 3), 255, "uint8")
    utils.visualize([white] * 4, titles=[title] * 4, to_buffer=buffer)
    picture = np.asarray(Image.open(buffer).convert("L"))
    ink = picture < 128
    assert ink.any()
    for rim in (ink[:3], ink[-3:], ink[:, :3], ink[:, -3:]):
        assert not rim.any()


def test_the_state_of_pyplot_is_unchanged(tmp_path):
    figure = plt.figure()
    axes = figure.add_subplot()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        utils.visualize(PHOTOS, to_file=tmp_path / "a.png")
        utils.visualize(PHOTOS)
    assert plt.gcf() is figure
    assert plt.gca() is axes
    assert plt.get_fignums() == [figure.number]
    plt.close(figure)


@pytest.mark.parametrize("key", ["figure.autolayout", "figure.constrained_layout.use"])
def test_layout_settings_of_the_user_are_ignored(key):
    buffer, plain = io.BytesIO(), io.BytesIO()
    utils.visualize(PHOTOS, to_buffer=plain)
    with matplotlib.rc_context({key: True}):
        utils.visualize(PHOTOS, to_buffer=buffer)
    assert buffer.getvalue() == plain.getvalue()


def test_no_figure_is_left_when_drawing_fails(monkeypatch):
    def broken(*args):
        raise RuntimeError("broken")

    monkeypatch.setattr(panels, "_draw_pixels", broken)
    with pytest.raises(RuntimeError, match="broken"):
        utils.visualize(PHOTOS)
    assert plt.get_fignums() == []


def test_writing_does_not_use_pyplot(monkeypatch, tmp_path):
    def refused(*args, **kwargs):
        raise AssertionError("pyplot was used")

    for name in ("figure", "show", "switch_backend", "new_figure_manager", "close"):
        with monkeypatch.context() as patch:
            patch.setattr(plt, name, refused)
            utils.visualize(PHOTOS, to_file=tmp_path / "a.png")
    assert (tmp_path / "a.png").exists()
