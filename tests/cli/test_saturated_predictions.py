"""Photos in 0..255 through a network that was trained on 0..1."""

import keras
import pytest
from keras import layers

from keras_explainable.cli.saturated_predictions import saturation


def model(*first):
    head = layers.Dense(4, bias_initializer="ones", activation="softmax")
    pool = layers.GlobalAveragePooling2D()
    made = keras.Sequential([keras.Input((12, 12, 3)), *first, pool, head])
    head.kernel.assign([[1, 2, 3, 9]] * 3)
    return made


def entry(unit=3, score=0.9999, probability=True):
    best = {"unit": unit, "label": f"class {unit}", "score": score}
    return {"predictions": [best | {"probability": probability}]}


@pytest.mark.filterwarnings("ignore:.*maps are zero:UserWarning")
def test_the_command_says_that_preprocess_may_be_missing(explain, picture, here):
    model().save(here / "unit.keras")
    given = (picture("a.png", 1), picture("b.png", 2), "--model", "unit.keras")
    code, _, err = explain(*given, "--method", "gradients", repetitions=None)
    assert code == 0, err
    assert "Note: All 2 images have the prediction class 3 with more than 99.9 %" in err
    asked = ("--preprocess", "none")
    _, _, err = explain(*given, *asked, "--method", "gradients", repetitions=None)
    assert "All 2 images" not in err


@pytest.mark.parametrize(
    ("first", "entries"),
    [
        ([layers.Rescaling(1 / 255)], [entry(), entry()]),
        ([], [entry()]),
        ([], []),
        ([], [entry(), entry(unit=2)]),
        ([], [entry(), entry(score=0.99)]),
        ([], [entry(score=7.0, probability=False)] * 2),
    ],
)
def test_nothing_is_said_without_such_predictions(first, entries):
    assert saturation(model(*first), entries) is None
