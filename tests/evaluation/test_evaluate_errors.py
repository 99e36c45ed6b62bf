"""Bad input is one clear error, or a mark in the table: never a silent number."""

from functools import partial

import keras
import numpy as np
import pytest
from keras import layers
from support.attributions import UNITS, X, linear, random_maps

import keras_explainable as ke
from keras_explainable import metrics
from keras_explainable.metrics.orientation import higher_is_better

MAPS = random_maps()
MASKS = np.ones(X.shape[:3])

evaluate = partial(ke.evaluate, verbose=0, controls=False)


@higher_is_better
def scalar(maps):
    return 1.0


@higher_is_better
def demanding(maps, strength):
    return maps


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"methods": {}}, ValueError, "`methods` must be at least one"),
        ({"methods": "gradcam"}, TypeError, "`methods` must be a dictionary"),
        ({"methods": ["gradcamm"]}, ValueError, "must name shortcuts.*'gradcamm'"),
        ({"methods": ["gradients"] * 2}, ValueError, "a name of its own"),
        ({"methods": {"edges": MAPS}, "controls": True}, ValueError, "of its own"),
        ({"methods": {"m": MAPS[:5]}}, ValueError, r"\(6, 4, 4, K\); received \(5"),
        ({"methods": {"m": MAPS[..., :1]}}, ValueError, r"\(6, 4, 4, 2\); rec.* 1\)"),
        ({"methods": [ke.methods.meta.smooth]}, TypeError, "takes a method"),
        ({"metrics": "auc"}, TypeError, "`metrics` must be a list"),
        ({"metrics": []}, ValueError, "`metrics` must be at least one"),
        ({"metrics": ["acu"]}, ValueError, "among .*auc.*'acu'"),
        ({"metrics": ["mosaics"]}, ValueError, "received 'mosaics'"),
        ({"metrics": [np.mean]}, ValueError, "`higher_is_better`.*'mean'"),
        ({"metrics": [3]}, TypeError, "`metrics` must be functions"),
        ({"metrics": [demanding]}, TypeError, "also needs strength"),
        ({"tolerance": -1}, ValueError, "`tolerance` must be"),
        ({"tolerance": {"auc": 1}}, ValueError, "`tolerance` must be one of"),
        ({"tolerance": 1, "max_repetitions": 1}, ValueError, "at least `repetitions`"),
        ({"metrics": [scalar]}, ValueError, r"'scalar' returned shape \(\)"),
        ({"metrics": ["auc"]}, ValueError, "`masks` must be given for auc"),
        ({"metrics": ["deletion"], "masks": MASKS}, ValueError, "must be None unless"),
        (
            {"masks": MASKS[:, :2], "metrics": ["auc"]},
            ValueError,
            "`masks` must have the size",
        ),
        (
            {"masks": 0 * MASKS, "metrics": ["auc"]},
            ValueError,
            "at least one pixel.*and 1 more",
        ),
        (
            {"masks": MASKS[:4], "metrics": ["auc"]},
            ValueError,
            "`masks` must have the size",
        ),
        ({"y": UNITS[:4]}, ValueError, "of each of the 6 inputs"),
        ({"x": {"a": X}}, ValueError, "`x` must be an array"),
        ({"repetitions": 0}, ValueError, "`repetitions` must be at least 1"),
        ({"seed": -1}, ValueError, "`seed` must be at least 0"),
        ({"ids": [1]}, ValueError, "`ids` must be"),
        ({"controls": 1}, TypeError, "`controls` must be True or False"),
        ({"verbose": 3}, ValueError, "`verbose` must be"),
    ],
)
def test_errors(change, error, message):
    good = {"methods": {"m": MAPS}, "model": linear(), "x": X, "y": UNITS}
    with pytest.raises(error, match=message):
        evaluate(**{**good, "metrics": ["sparseness"], **change})


def test_models_of_several_inputs_are_refused():
    one, two = keras.Input((4, 4, 3)), keras.Input((2,))
    features = layers.Concatenate()([layers.Flatten()(one), two])
    model = keras.Model([one, two], layers.Dense(5)(features))
    with pytest.raises(ValueError, match="`model` must have one input to be"):
        evaluate({"m": MAPS}, model, X, UNITS, ["sparseness"])


def test_errors_say_which_metric_they_are_of():
    wrong = partial(metrics.deletion, baseline=[1, 2, 3, 4, 5])
    with pytest.raises(ValueError, match="`baseline` must be") as caught:
        evaluate({"m": MAPS}, linear(), X, UNITS, {"deletion": wrong})
    assert "The metric was 'deletion', of 'm'." in caught.value.__notes__


def test_maps_that_are_not_finite_have_no_score():
    maps = MAPS.copy()
    maps[2, 0, 0, 1] = np.nan
    steps = {"d": partial(metrics.deletion, steps=2), "s": metrics.sparseness}
    found = evaluate({"broken": maps, "whole": MAPS}, linear(), X, UNITS, steps)
    assert np.isnan(found.scores[0, :, 2]).all()
    np.testing.assert_allclose(
        np.delete(found.scores[0], 2, -1), np.delete(found.scores[1], 2, -1), 1e-5
    )
    assert found.images.tolist() == [[5, 5], [6, 6]]
    assert found.difference("broken", "whole", "s").images == 5
    assert "[5]" in str(found)
    assert "Maps of broken hold NaN or infinite values." in str(found)
    nothing = np.full_like(maps, np.nan)
    found = evaluate({"none": nothing, "m": MAPS}, linear(), X, UNITS, ["sparseness"])
    assert found.best("sparseness") == "m"
    assert "–" in str(found)
    assert "no image has both" in str(found.difference("none", "m", "sparseness"))


def test_scores_that_are_not_defined_are_marked():
    maps = MAPS.copy()
    maps[1] = 0
    found = evaluate({"m": maps}, linear(), X, UNITS, ["sparseness"])
    assert found.images.item() == 5
    assert found.notes == ("sparseness of some maps of m is not defined.",)


def test_one_image_has_no_standard_error():
    one = {"a": MAPS[:1], "b": MAPS[1:2]}
    found = evaluate(one, linear(), X[:1], UNITS[:1], ["sparseness"])
    assert np.isnan(found.std_error).all()
    assert "A single image has no standard error." in str(found)
    assert "±" not in str(found)
    assert "not tested on fewer than 6 images" in str(found)
    assert "needs 6 images" in str(found.difference("a", "b", "sparseness"))


def test_the_model_is_not_changed():
    model = linear()
    before = [np.array(weight) for weight in model.get_weights()]
    evaluate(["gradients"], model, X, UNITS, ["sparseness"])
    for one, two in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)
