"""Scores of methods: those of the metrics called by hand, whatever the order."""

from functools import partial

import keras
import numpy as np
import pytest
from keras import ops
from support.attributions import UNITS, X, contributions, linear, random_maps

import keras_explainable as ke
from keras_explainable import metrics
from keras_explainable.evaluation import scored_images
from keras_explainable.evaluation.controls import CONTROLS
from keras_explainable.methods.gradient import gradients, input_x_gradient
from keras_explainable.metrics.orientation import higher_is_better

MASKS = np.zeros(X.shape[:3], bool)
MASKS[:, 1:3, 1:] = True

DELETION = partial(metrics.deletion, steps=4)
LOCAL = ["pointing_game", "auc", "relevance_mass_accuracy", "best_iou"]

evaluate = partial(ke.evaluate, verbose=0, controls=False, repetitions=1)


def unit_maps():
    """Maps of two units without equal values."""
    return random_maps().astype("float32")


@pytest.mark.parametrize("chunk", [16, 4])
def test_scores_are_those_of_the_metrics(monkeypatch, chunk):
    monkeypatch.setattr(scored_images, "CHUNK", chunk)
    model, method = linear(), input_x_gradient
    _, maps = ke.explain(method, model, X, UNITS, verbose=0)
    correlation = partial(metrics.faithfulness_correlation, draws=5)
    robust = partial(metrics.max_sensitivity, draws=2)
    found = evaluate(
        {"a": method, "maps": unit_maps()},
        model,
        X,
        UNITS,
        {"d": DELETION, "c": correlation, "m": metrics.auc, "r": robust},
        MASKS,
    )
    expected = [
        DELETION(model, X, maps, UNITS, verbose=0),
        correlation(model, X, maps, UNITS, verbose=0),
        metrics.auc(maps, MASKS),
        robust(method, model, X, UNITS, verbose=0),
    ]
    wanted = np.mean(expected, axis=-1)
    np.testing.assert_allclose(found.scores[0], wanted, 1e-5, 1e-6)
    np.testing.assert_allclose(found.mean[0], wanted.mean(axis=-1), 1e-5, 1e-6)
    deviation = wanted.std(axis=-1, ddof=1) / np.sqrt(6)
    np.testing.assert_allclose(found.std_error[0], deviation, 1e-4, 1e-7)
    by_hand = metrics.auc(unit_maps(), MASKS).mean(axis=-1)
    np.testing.assert_allclose(found.scores[1, 2], by_hand)
    assert found.images.tolist() == [[6, 6, 6, 6], [6, 6, 6, 0]]
    assert found.notes == ("r needs a method; maps are maps.",)


def test_a_perfect_mask_scores_1():
    model = linear()
    found = evaluate({"m": MASKS[..., None]}, model, X, UNITS[:, 0], LOCAL, MASKS)
    np.testing.assert_array_equal(found.scores, 1)
    best = contributions(model)
    worse = {"best": best, "random": unit_maps(), "worst": -best}
    drop = partial(metrics.deletion, steps=16, logits=True)
    found = evaluate(worse, model, X, UNITS, {"drop": drop})
    assert found.best("drop") == "best"
    assert (np.diff(found.scores[:, 0], axis=0) > 0).all()


def test_masks_may_be_boxes_or_belong_to_units():
    call = partial(evaluate, {"m": unit_maps()}, linear(), X, UNITS, LOCAL)
    whole = call(MASKS).scores
    np.testing.assert_array_equal(call([[1, 1, 3, 4]] * 6).scores, whole)
    of_units = np.stack([MASKS, MASKS[:, :, ::-1]], axis=-1)
    expected = metrics.auc(unit_maps(), of_units).mean(axis=-1)
    np.testing.assert_allclose(call(of_units).scores[0, 1], expected)


def test_controls_are_in_the_table():
    model, images = linear(), np.abs(X)
    found = ke.evaluate(["gradients"], model, images, UNITS, {"d": DELETION}, verbose=0)
    assert found.methods == ("gradients", *CONTROLS)
    assert found.controls == tuple(CONTROLS)
    assert np.isfinite(found.scores).all()
    for name in CONTROLS:
        assert f"{name} (control)" in str(found)


@pytest.mark.parametrize("shape", [(5, 7), (6,), (3, 4, 5)])
def test_controls_know_only_the_input(shape):
    x = np.random.default_rng(0).normal(size=(3, *shape, 2)).astype("float32")

    def model(inputs, training=False):
        return ops.reshape(inputs, (3, -1))[:, :4]

    y, ids = np.array([[0, 1]] * 3), np.array([4, 5, 6])
    maps = {name: np.asarray(c(model, x, y)[1]) for name, c in CONTROLS.items()}
    assert {each.shape for each in maps.values()} == {(3, *shape, 2)}
    for each in maps.values():
        np.testing.assert_array_equal(each[..., 0], each[..., 1])
    np.testing.assert_allclose(maps["brightness"][..., 0], x.mean(axis=-1), atol=1e-6)
    middle = maps["centred Gaussian"][0, ..., 0]
    np.testing.assert_allclose(middle, np.flip(middle), rtol=1e-6)
    draw = CONTROLS["random map"]
    one, two, three = (
        np.asarray(draw(model, x, y, ids=i, seed=s)[1])
        for i, s in ((ids, 0), (ids[::-1], 0), (ids, 1))
    )
    np.testing.assert_array_equal(one, two[::-1])
    assert (one != three).any()


def test_edges_are_where_brightness_changes():
    x = np.zeros((1, 6, 8, 3), "float32")
    x[:, :, 4:] = 1
    maps = np.asarray(CONTROLS["edges"](lambda x, training=False: x[:, 0, 0], x)[1])
    assert (maps[0, :, 3:5] == 4).all()
    assert not maps[0, :, [0, 1, 2, 5, 6, 7]].any()


def test_the_same_seed_gives_the_same_scores():
    model, draws = linear(), partial(metrics.faithfulness_correlation, draws=4)
    call = partial(evaluate, {"m": unit_maps()}, model, X, UNITS, {"c": draws})
    one, two, other = call(), call(), call(seed=1)
    np.testing.assert_array_equal(one.scores, two.scores)
    assert (one.scores != other.scores).any()
    alone = partial(evaluate, {"m": unit_maps()[2:]}, model, X[2:], UNITS[2:])
    some = alone({"c": draws}, ids=range(2, 6))
    np.testing.assert_allclose(some.scores, one.scores[..., 2:], 1e-4, 1e-5)


def test_what_draws_is_repeated_and_all_else_is_not():
    """With the seeds from ``seed`` on; draws bound by a partial stay as they are."""
    seeds, calls = [], []

    @higher_is_better
    def counted(maps, seed, draws=1):
        seeds.append(seed)
        return maps.mean(axis=(1, 2)) + seed

    @higher_is_better
    def plain(maps):
        calls.append(len(maps))
        return maps.mean(axis=(1, 2))

    ordered = partial(metrics.deletion, steps=2)
    maps, ties = unit_maps(), np.zeros_like(unit_maps())
    ties[:, 0, 0] = 1
    found = evaluate(
        {
            "maps": maps, "ties": ties, "drawn": CONTROLS["random map"],
            "edges": CONTROLS["edges"],
        },
        linear(), X, UNITS,
        {"counted": counted, "plain": plain, "deletion": ordered},
        repetitions=3, seed=5,
    )  # fmt: skip
    assert sorted({*seeds}) == [5, 6, 7]
    assert len(calls) == 1 + 1 + 3 + 1
    draws = found.monte_carlo_error > 0
    assert draws[:3].tolist() == [[True, False, False], [True, False, True], [True] * 3]
    np.testing.assert_allclose(found.scores[0, 0], found.scores[0, 1] + 6, 1e-5)
    seeds.clear()
    evaluate({"m": maps}, linear(), X, UNITS, {"c": partial(counted, seed=2)})
    assert seeds == [2]


def test_monte_carlo_errors_are_those_of_other_seeds():
    """The spread of the mean over seeds, which the draws of one evaluation tell."""
    model, maps = linear(), {"m": unit_maps()}
    draws = {"c": partial(metrics.faithfulness_correlation, draws=4, size=4)}
    runs = [
        evaluate(maps, model, X, UNITS, draws, repetitions=4, seed=10 * number)
        for number in range(12)
    ]
    spread = np.std([run.mean.item() for run in runs], ddof=1)
    told = np.sqrt(np.mean([run.monte_carlo_error.item() ** 2 for run in runs]))
    assert 0.5 < told / spread < 2


def test_draws_go_on_until_scores_are_known():
    """To a tolerance, or to none where draws do not matter or are too many."""
    draws = partial(metrics.faithfulness_correlation, draws=4, size=4)
    call = partial(
        evaluate,
        {"m": unit_maps(), "drawn": CONTROLS["random map"]},
        linear(), X, UNITS, {"c": draws, "plain": metrics.sparseness},
        repetitions=2,
    )  # fmt: skip
    few, many = call(), call(tolerance={"c": 0.03})
    assert few.monte_carlo_error[0, 0] > 0.03
    assert (many.monte_carlo_error[:, 0] <= 0.03).all()
    drawn = np.isfinite(many.samples[..., 0]).sum(axis=-1)
    assert (drawn[:, 0] > 2).all()
    assert drawn[:, 1].tolist() == [2, 2]
    assert many.samples.shape[2] == drawn.max()
    np.testing.assert_array_equal(many.samples[:, :, :2], few.samples)
    assert many.facts["tolerance"] == {"c": 0.03}
    short = call(tolerance=1e-9, max_repetitions=3)
    assert "c of m is not known to the tolerance after 3 repetitions." in short.notes
    assert not any("plain of m" in note for note in short.notes)
    assert short.samples.shape[2] == 3


def test_units_are_chosen_by_the_images():
    model = linear()
    best = np.argmax(np.asarray(ke.explain(gradients, model, X, verbose=0)[0]), axis=1)
    one = evaluate([gradients], model, X, "predicted", {"d": DELETION})
    two = evaluate([gradients], model, X, best, {"d": DELETION})
    np.testing.assert_allclose(one.scores, two.scores, 1e-5)


def test_ctrl_c_keeps_what_is_done(monkeypatch):
    monkeypatch.setattr(scored_images, "CHUNK", 2)
    done = []

    @higher_is_better
    def stopping(maps):
        done.append(len(maps))
        if len(done) == 4:
            raise KeyboardInterrupt
        return np.arange(len(maps))

    maps = {"a": unit_maps(), "b": unit_maps()}
    with pytest.warns(UserWarning, match="Stopped at 4 of 6 images"):
        found = evaluate(maps, linear(), X, UNITS, {"s": stopping})
    np.testing.assert_array_equal(found.ids, [0, 1, 2, 3])
    assert found.images.tolist() == [[4], [2]]
    assert "[2]" in str(found)
    assert "Stopped at 4 of 6 images." in str(found)
    done[:] = [1, 2, 3]
    with pytest.raises(KeyboardInterrupt):
        evaluate(maps, linear(), X, UNITS, {"s": stopping})


def test_progress_has_the_time_left(capsys):
    evaluate({"m": unit_maps()}, linear(), X, UNITS, LOCAL, MASKS, verbose=1)
    shown = capsys.readouterr().out.replace("\x1b[1m", "")
    assert "6/6" in shown
    assert "/image - 24 scores" in shown


def test_shortcuts_are_called_by_name_or_as_partials():
    model = linear()
    few = partial(ke.smoothgrad, repetitions=2)
    found = evaluate(
        {"a": "smoothgrad", "few": few, "signed": few, "square": ke.smoothgrad_squared},
        model, X, UNITS, ["sparseness"], repetitions=2,
    )  # fmt: skip
    _, maps = few(model, X, UNITS, seed=1, verbose=0)
    expected = metrics.sparseness(maps).mean(axis=-1)
    np.testing.assert_allclose(found.samples[1, 0, 1], expected, 1e-4, 1e-5)
    assert found.facts["parameters of methods"][1] == "smoothgrad(repetitions=2)"


def test_own_metrics_are_given_every_seed():
    @higher_is_better
    def drawn(maps, seed, method=None, masks=None):
        return np.random.default_rng(seed).normal(size=len(maps))

    maps = {"maps": unit_maps()}
    found = evaluate(maps, linear(), X, UNITS, {"drawn": drawn}, repetitions=3)
    assert len({*found.samples[0, 0, :, 0].tolist()}) == 3
    means = found.samples.mean(axis=-1)
    expected = means.std(axis=2, ddof=1) / np.sqrt(3)
    np.testing.assert_allclose(found.monte_carlo_error, expected)
    assert found.notes == ()


def test_postprocessed_maps_are_told_where_values_are_compared():
    model = linear()
    methods = {"values": input_x_gradient, "magnitudes": "input_x_gradient"}
    found = evaluate(methods, model, X, UNITS, ["completeness_gap", "deletion"])
    np.testing.assert_allclose(found.scores[0, 0], 0, atol=1e-4)
    assert found.scores[1, 0].mean() > 0.1
    [note] = found.notes
    assert "maps of magnitudes are postprocessed" in note


def test_channels_may_come_first():
    """Scores are those of the same network and images with channels last."""
    inputs, images = (
        keras.Input((X.shape[-1], *X.shape[1:-1])),
        keras.Input(X.shape[1:]),
    )
    convolved = keras.layers.Conv2D(5, 2, activation="tanh")
    rest = keras.layers.GlobalAveragePooling2D()
    plain = keras.Model(images, rest(convolved(images)))
    model = keras.Model(inputs, plain(keras.layers.Permute((2, 3, 1))(inputs)))
    found, expected = (
        ke.evaluate(["gradients"], each, x, UNITS, [DELETION, "auc"], MASKS, verbose=0)
        for each, x in ((model, np.moveaxis(X, -1, 1)), (plain, X))
    )
    np.testing.assert_allclose(found.scores, expected.scores, rtol=1e-4, atol=1e-6)
