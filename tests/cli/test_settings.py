from typing import get_args

import numpy as np
import pytest

import keras_explainable as ke
from keras_explainable.cli.settings import ESTIMATORS, METHODS, Settings
from keras_explainable.engine.automatic_estimator import EstimatorChoice
from keras_explainable.methods.gradient.smooth_gradients import ESTIMATORS as KNOWN
from keras_explainable.methods.gradient.smooth_gradients import FEWEST
from keras_explainable.report import explanation_records

LOGITS = np.array([[1, 4, 2, 3], [9, 0, 9, 1]], "float32")


@pytest.mark.parametrize(
    ("target", "units"),
    [
        ("top1", [[1], [0]]),
        ("top3", [[1, 3, 2], [0, 2, 3]]),
        ("top9", [[1, 3, 2, 0], [0, 2, 3, 1]]),
        ("0", [[0], [0]]),
        ("3", [[3], [3]]),
    ],
)
def test_target_units(target, units):
    assert Settings(target=target).target_units(LOGITS).tolist() == units


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            {"sweep": True, "method": "gradcam,rise"},
            "--sweep must be used with one of .*; --method gradcam,rise adds no noise",
        ),
        (
            {"sweep": True, "estimator": "hybrid"},
            "--sweep must be used with --estimator sampled, .* received",
        ),
        ({"sweep": True, "tolerance": 0.1}, "--tolerance must be omitted with --sweep"),
        (
            {"method": "lime"},
            r"--method must be one of the methods in --help, .*; received lime\.$",
        ),
        (
            {"method": "rise,"},
            r"or several of them, separated by commas; received \.$",
        ),
        (
            {"method": "rise,rise"},
            "--method must be a list without repeats; received rise,rise",
        ),
        (
            {"method": "smothgrad"},
            "did you mean smoothgrad or smoothgrad_",
        ),
        ({"target": ""}, "--target must be top1, top3, the index of a class or its"),
        ({"target": "top0"}, "--target must be"),
        ({"target": "-1"}, "--target must be .*received -1"),
        ({"target": "1.5"}, "--target must be"),
        ({"repetitions": 0}, "--repetitions must be at least 1; received 0."),
        ({"noise_level": -0.1}, "--noise-level must be 0 or more; received -0.1."),
        ({"noise_level": 15}, r"most 1; .* 15, .* 1500 %; did you mean 0\.15\?$"),
        ({"noise_level": float("nan")}, "--noise-level must be 0 or more"),
        ({"noise_level": float("inf")}, "--noise-level must be 0 or more"),
        ({"seed": -1}, "--seed must be 0 or more"),
        ({"tolerance": -0.1}, "--tolerance must be 0 or more"),
        ({"batch_size": 0}, "--batch-size must be at least 1"),
        (
            {"estimator": "best"},
            "--estimator must be one of auto, sampled, slopes, hybrid; received best.",
        ),
        (
            {"estimator": "hybrid", "repetitions": 2},
            "--repetitions must be at least 4; received 2.",
        ),
        (
            {"estimator": "slopes", "repetitions": 5},
            "--repetitions must be even with --estimator slopes; received 5.",
        ),
        (
            {"estimator": "slopes", "tolerance": 0.1},
            "--tolerance must be omitted with --estimator slopes, .*; received 0.1.",
        ),
        (
            {"method": "vargrad,rise", "estimator": "hybrid"},
            "--estimator must be omitted without --method smoothgrad; .* hybrid.",
        ),
        (
            {"method": "gradients", "repetitions": 20},
            "--repetitions must be omitted with --method gradients, .*; received 20.",
        ),
        (
            {"method": "gradcam", "noise_level": 0.2},
            "--noise-level must be omitted with --method gradcam, .*; received 0.2.",
        ),
        (
            {"method": "gradcam,occlusion", "seed": 3},
            "--seed must be omitted with --method gradcam,occlusion, .*; received 3.",
        ),
        (
            {"method": "rise,gradcam", "tolerance": 0.1},
            "--tolerance must be omitted with --method rise,gradcam, .*; received 0.1.",
        ),
    ],
)
def test_invalid_settings_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        Settings(**wrong)


def test_the_target_must_be_a_class_of_the_model():
    for target in ("9", "top30"):
        assert Settings(target=target).for_classes("ABCDEFGHIJ").target == target
    with pytest.raises(
        ValueError, match=r"below 10, .* number of classes; received 10"
    ):
        Settings(target="10").for_classes("ABCDEFGHIJ")


def test_the_target_may_be_the_name_of_a_class():
    classes = ("apple", "bird", "top hat", "crane", "crane")
    for index, name in enumerate(classes[:3]):
        assert Settings(target=name).for_classes(classes).target == str(index)
    listed = r"has 5 classes \['apple', 'bird', .*\]"
    with pytest.raises(
        ValueError, match=f"name; received Brid. The model {listed}; did you mean bird"
    ):
        Settings(target="Brid").for_classes(classes)
    with pytest.raises(ValueError, match=rf"received zebra\. The model {listed}\.$"):
        Settings(target="zebra").for_classes(classes)
    with pytest.raises(ValueError, match=r"crane is the name of 3, 4\."):
        Settings(target="crane").for_classes(classes)


def test_which_methods_add_noise():
    assert Settings(method="vargrad").add_noise
    assert not Settings(method="gradients").add_noise
    assert Settings(method="gradients,smoothgrad").add_noise


def test_several_methods_are_separated_by_commas():
    assert Settings(method="rise").methods == ("rise",)
    assert Settings(method="gradients,rise").methods == ("gradients", "rise")


def test_estimators_are_those_of_the_package():
    assert (*ESTIMATORS,) == get_args(EstimatorChoice) == ("auto", *KNOWN)
    fewest = {name: count for name, count in ESTIMATORS.items() if count > 1}
    assert fewest == FEWEST
    Settings(estimator="hybrid", repetitions=4, tolerance=0.1)


def test_every_method_is_a_shortcut_with_a_name_to_show():
    assert {*METHODS} == {*explanation_records.METHODS}
    for name in METHODS:
        assert callable(getattr(ke, name))


@pytest.mark.parametrize(
    ("repetitions", "counts"),
    [
        (1, (1,)),
        (2, (2,)),
        (3, (2, 3)),
        (20, (2, 4, 8, 16, 20)),
        (64, (4, 8, 16, 32, 64)),
    ],
)
def test_the_grid_of_a_sweep_has_the_settings_of_the_run(repetitions, counts):
    settings = Settings(sweep=True, repetitions=repetitions, noise_level=0.12)
    assert settings.grid.repetitions == counts
    assert settings.grid.noise_levels == (0.05, 0.1, 0.12, 0.15, 0.2, 0.3)
    assert Settings(sweep=True).grid.noise_levels == (0.05, 0.1, 0.15, 0.2, 0.3)
    assert Settings().grid is None
