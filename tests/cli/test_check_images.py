"""The command that checks derivatives."""

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_explainable as ke
from keras_explainable.cli import check_images

#: On JAX and PyTorch, Keras rounds to float32.
PRECISION = (
    ""
    if keras.backend.backend() == "tensorflow"
    else " (differences in the precision of the model)"
)


def test_the_bundled_network_is_all_right(command, here):
    code, out, err = command("check", "--directions", 1)
    assert (code, out) == (0, f"12 of 12 derivatives agree{PRECISION}\n")
    lines = err.splitlines()
    assert (lines[0], lines[-1]) == ("Loading demo", "12 of 12 images")
    assert list(here.iterdir()) == []


@pytest.fixture
def stepped(here):
    """A network of which most goes through a function without a derivative."""
    inputs = keras.Input((12, 12, 3))
    x = layers.Rescaling(1 / 255)(inputs)
    x = layers.Conv2D(4, 3, activation="tanh", name="conv")(x)
    x = 0.1 * x + ops.stop_gradient(ops.sin(3 * x))
    model = keras.Model(inputs, layers.Dense(4)(layers.GlobalAveragePooling2D()(x)))
    model.save(here / "net.keras")
    return "net.keras"


def test_operations_without_a_derivative_are_named(command, stepped, picture):
    names = [picture("a.png"), picture("b.png", 1)]
    code, out, _ = command("check", *names, "--model", stepped)
    lines = out.splitlines()
    assert code == 1
    assert lines[0] == f"0 of 4 derivatives agree{PRECISION}"
    assert lines[1].split()[:5] == [
        "image",
        "derivative",
        "difference",
        "error",
        "verdict",
    ]
    assert {line.split()[0] for line in lines[2:]} == {*names}
    assert all("stop_gradient" in line for line in lines[2:])


def test_other_images_are_checked_if_one_cannot_be_read(
    command, model_file, picture, here
):
    (here / "bad.png").write_text("no image")
    good = picture("good.png")
    code, out, err = command("check", "bad.png", good, "--model", model_file)
    assert code == 1
    assert out == f"2 of 2 derivatives agree{PRECISION}\n"
    assert "bad.png" in err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--directions", 0], "`directions` must be"),
        (["--seed", -1], "`seed` must be"),
        (["--derivatives", "true"], "`derivatives` must be"),
        (["--model", "none.keras"], "Pass images or folders"),
    ],
)
def test_wrong_options(command, here, options, message):
    code, out, err = command("check", *options)
    assert (code, out) == (2, "")
    assert message in err


def test_what_was_checked_before_an_interruption_is_shown(
    command, model_file, picture, monkeypatch
):
    checked = ke.check_gradients
    names = [picture("a.png"), picture("b.png", 1)]

    def check(*args, **params):
        if check_images.ke.check_gradients is check:
            monkeypatch.setattr(ke, "check_gradients", interrupted)
        return checked(*args, **params)

    def interrupted(*args, **params):
        raise KeyboardInterrupt

    monkeypatch.setattr(ke, "check_gradients", check)
    code, out, _ = command("check", *names, "--model", model_file)
    assert (code, out) == (130, f"2 of 2 derivatives agree{PRECISION}\n")


def test_the_seed_chooses_the_directions(command, stepped, picture):
    def run(seed):
        return command("check", picture("a.png"), "--model", stepped, "--seed", seed)

    assert run(1) == run(1)
    assert not np.array_equal(run(1)[1], run(2)[1])


def test_the_help_fits_80_columns(command, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERMINAL_WIDTH", "80")
    code, out, _ = command("check", "--help")
    assert code == 0
    assert max(map(len, out.splitlines())) <= 80
    assert "--directions" in out
