"""The eight pictures in the documentation, painted by ``tools/make_pictures.py``."""

import pathlib
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

ROOT = pathlib.Path(__file__).parents[2]
FOLDER = ROOT / "docs/_static/images/singleton"
PICTURES = sorted(FOLDER.iterdir())


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image)


def test_the_folder_holds_eight_pictures_and_nothing_else():
    assert len(PICTURES) == 8
    assert {path.suffix for path in PICTURES} == {".jpg"}


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.stem)
def test_each_is_a_small_colour_picture(path):
    picture = pixels(path)
    assert picture.shape == (320, 320, 3)
    assert path.stat().st_size < 60_000
    saturation = picture.max(-1).astype(int) - picture.min(-1)
    assert saturation.mean() > 30


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.stem)
def test_each_is_textured(path):
    luminance = pixels(path).mean(-1)
    steps = np.abs(np.diff(luminance, axis=1))
    assert (steps > 1).mean() > 0.5


@pytest.fixture(scope="module")
def painted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    script = ROOT / "tools/make_pictures.py"
    subprocess.run([sys.executable, script, "--out", folder], check=True)
    return folder


def test_the_script_paints_them_all(painted):
    names = [path.name for path in PICTURES]
    assert sorted(path.name for path in painted.iterdir()) == names


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.stem)
def test_the_script_is_reproducible(painted, path):
    apart = np.abs(pixels(path).astype(int) - pixels(painted / path.name))
    assert apart.mean() < 1  # another JPEG library may round differently
