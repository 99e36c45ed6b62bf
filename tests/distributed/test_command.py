"""The command writes the same with processes of Ray as without."""

import json
import subprocess
import sys
from unittest.mock import Mock

import keras
import numpy as np
import pytest
import ray
from keras import layers
from PIL import Image

from keras_explainable.cli import main, ray_images

pytestmark = pytest.mark.ray

GIVEN = ["explain", "photos", "--model", "net.keras", "--repetitions", "2"]


@pytest.fixture
def command(tmp_path, monkeypatch, capsys):
    """Run the command on five photos, two of which are spoiled; return code, stderr."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    for number in range(5):
        pixels = np.random.default_rng(number).integers(0, 256, (20, 16, 3), "uint8")
        Image.fromarray(pixels).save(f"photos/{number}.png")
    for number in (1, 3):
        path = tmp_path / f"photos/{number}.png"
        path.write_bytes(path.read_bytes()[:500])
    inputs = keras.Input((12, 12, 3))
    x = layers.Conv2D(4, 3, activation="tanh")(layers.Rescaling(1 / 255)(inputs))
    outputs = layers.Dense(4)(layers.GlobalAveragePooling2D()(x))
    keras.Model(inputs, outputs).save("net.keras")

    def run(*options):
        with pytest.raises(SystemExit) as caught:
            main([*GIVEN, *options])
        return caught.value.code, capsys.readouterr().err

    return run


def manifest(folder):
    facts = json.loads((folder / "manifest.json").read_text("utf-8"))
    return {name: facts[name] for name in facts if name not in ("started", "seconds")}


def in_a_process(*options):
    """Run the command where no Ray is known; return code and stderr."""
    program = "from keras_explainable.cli import main; main()"
    result = subprocess.run(
        [sys.executable, "-c", program, *GIVEN, *options],
        capture_output=True,
        text=True,
        check=False,
    )
    return result.returncode, result.stderr


def test_the_folder_is_the_same(command, tmp_path):
    code, _ = command("--out", "here")
    assert code == 1  # Two images failed.
    options = ["--out", "there", "--engine", "ray"]
    code, text = in_a_process(*options, "--workers", "2", "--address", "auto")
    assert code == 1
    assert "5 of 5 images" in text
    here, there = tmp_path / "here", tmp_path / "there"
    one, other = manifest(here), manifest(there)
    assert [each["name"] for each in one["failures"]] == [
        "photos/1.png",
        "photos/3.png",
    ]
    np.testing.assert_equal(numbers(other), numbers(one))
    assert texts(other) == texts(one)
    with np.load(here / "maps.npz") as maps, np.load(there / "maps.npz") as others:
        assert maps.files == others.files
        for name in maps.files:
            np.testing.assert_allclose(maps[name], others[name], 1e-4, 1e-5)
    names = [sorted(path.name for path in x.rglob("*")) for x in (here, there)]
    assert names[0] == names[1]
    code, text = command(*options, "--workers", "1", "--resume")
    assert code == 1
    assert manifest(there) == other


def texts(value):
    """Return a nested value without its floats."""
    if isinstance(value, dict):
        return {name: texts(each) for name, each in value.items()}
    if isinstance(value, list):
        return [*map(texts, value)]
    return None if isinstance(value, float) else value


def numbers(value):
    """Return the floats of a nested value, rounded."""
    if isinstance(value, dict):
        value = [*value.values()]
    if isinstance(value, list):
        return [number for each in value for number in numbers(each)]
    return [round(value, 3)] if isinstance(value, float) else []


@pytest.mark.parametrize("text", ["", "It has\nno nodes."])
def test_ray_gives_up(command, monkeypatch, text):
    error = ray.exceptions.RayError(text)
    monkeypatch.setattr(ray_images, "_found", Mock(side_effect=error))
    code, told = command("--out", "there", "--engine", "ray")
    assert code == 1
    assert f"Ray stopped: {'no nodes.' if text else 'RayError'};" in told


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--engine", "dask"], "--engine must be one of local, ray; received dask."),
        (["--workers", "2"], "--workers must be omitted without --engine ray."),
        (["--address", "auto"], "--address must be omitted without --engine ray."),
        (["--engine", "ray", "--workers", "0"], "--workers must be at least 1"),
    ],
)
def test_wrong_options(command, options, message):
    code, text = command(*options)
    assert code == 2
    assert message in text
