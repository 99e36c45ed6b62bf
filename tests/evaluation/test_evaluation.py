"""What an evaluation says: intervals, differences, tables, files."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from support.attributions import UNITS, X, linear, random_maps
from support.small_models import images, some_units

import keras_explainable as ke
from keras_explainable import metrics
from keras_explainable.evaluation import controls, scored_images
from keras_explainable.evaluation import evaluation as evaluation_module
from keras_explainable.evaluation.paired_differences import fewest_images, interval
from keras_explainable.metrics.orientation import higher_is_better

evaluate = partial(ke.evaluate, verbose=0, controls=False)


@pytest.fixture(scope="module")
def evaluation():
    maps = random_maps()
    near = maps + 1e-3 * random_maps(seed=1)
    return ke.Evaluation(
        np.stack([_samples(0, 1), _samples(0.01, 1), _samples(5, 2)]),
        np.arange(8),
        ("one", "two", "three"),
        ("up", "down"),
        ("three",),
        (True, False),
        (),
        {"model": f"{maps.sum() + near.sum()}", "seed": 0},
    )


def _samples(mean, seed):
    """Scores (Q, R, N), of which the second metric draws at random."""
    rng = np.random.default_rng(seed)
    one, two = rng.normal(mean, size=8), rng.normal(mean, size=(2, 8))
    return np.stack([np.stack([one, one]), two])


def test_a_method_cannot_be_told_apart_from_itself(evaluation):
    for name in evaluation.methods:
        found = evaluation.difference(name, name, "up")
        assert (found.mean, found.low, found.high) == (0, 0, 0)
        assert not found.told_apart
        assert "cannot be told apart" in str(found)


def test_pairs_are_told_apart_where_scores_are_not(evaluation):
    """A constant difference is certain, however much the images differ."""
    found = evaluation.difference("two", "one", "up")
    assert found.mean == pytest.approx(0.01)
    assert found.told_apart
    assert evaluation.std_error[0, 0] > 0.1
    back = evaluation.difference("one", "two", "up")
    assert (back.mean, back.low) == (-found.mean, pytest.approx(-found.high))
    names = [(d.method, d.other) for d in evaluation.differences("up")]
    assert names == [("one", "two"), ("one", "three"), ("two", "three")]


def test_intervals_contain_the_mean_of_all_images(monkeypatch):
    """The scores of 2,000 images by a linear model, and their differences."""
    monkeypatch.setattr(scored_images, "CHUNK", 1000)
    x, y, model = images(2000), some_units(2000, 1), linear()
    rng = np.random.default_rng(1)
    methods = {
        "a": ke.methods.gradient.input_x_gradient,
        "random": rng.normal(size=(*x.shape[:3], 1)),
    }
    metric = {"p": partial(metrics.pixel_flipping, steps=2)}
    scores = evaluate(methods, model, x, y, metric, repetitions=1).scores[:, 0]
    for values in (*scores, scores[0] - scores[1]):
        for count in (12, 50):
            assert 0.93 <= coverage(values, count, rng) <= 0.97


def coverage(values, count, rng):
    """Return how often the interval of some values contains the mean of all."""
    chosen = [rng.choice(len(values), count, replace=False) for _ in range(2000)]
    low, high = interval(values[np.array(chosen)]).T
    return ((low <= values.mean()) & (values.mean() <= high)).mean()


@pytest.mark.backend_independent
def test_intervals_of_the_bundled_network_contain_the_mean_of_all_images():
    """How much of the map is on the digit, for 2,000 digits that it never saw."""
    samples = ke.demo.make_samples(2000, seed=5, held_out=True)
    given = samples.images, samples.labels
    _, maps = ke.gradcam(ke.demo.load_model(), *given, verbose=0)
    edges = controls.edges(ke.demo.load_model(), *given)[1]
    scores = [
        metrics.relevance_mass_accuracy(each, samples.masks)[:, 0]
        for each in (maps, edges)
    ]
    rng = np.random.default_rng(0)
    for values in (*scores, scores[0] - scores[1]):
        for count in (12, 50):
            assert 0.93 <= coverage(values, count, rng) <= 0.97


def test_few_images_have_no_interval(evaluation):
    assert [fewest_images(c) for c in (0.9, 0.95, 0.99)] == [5, 6, 8]
    assert np.isnan(interval(np.arange(5.0))).all()
    assert np.isfinite(interval(np.arange(6.0))).all()
    wide, narrow = (evaluation.intervals(c) for c in (0.95, 0.8))
    assert (wide[..., 0] < narrow[..., 0]).all()
    assert (wide[..., 0] < evaluation.mean).all()
    with pytest.raises(ValueError, match="`confidence` must be between 0 and 1"):
        evaluation.intervals(1)


def test_errors_of_draws_and_of_images_are_apart(evaluation):
    errors = evaluation.monte_carlo_error
    assert (errors[:, 0] == 0).all()
    expected = evaluation.samples[:, 1].var(axis=1, ddof=1).mean(axis=-1) / 2 / 8
    np.testing.assert_allclose(errors[:, 1], np.sqrt(expected))
    single = replace(evaluation, samples=evaluation.samples[:, :, :1])
    assert np.isnan(single.monte_carlo_error).all()


def test_the_best_is_chosen_by_orientation(evaluation):
    assert evaluation.best("up") == "three"
    assert evaluation.best("down") in ("one", "two")
    unlike = np.stack([_samples(0, 1), _samples(0, 3), _samples(5, 2)])
    text = str(replace(evaluation, samples=unlike))
    assert "up ↑" in text
    assert "down ↓" in text
    assert "three (control)" in text
    lines = {line.split()[0]: line for line in text.splitlines()[2:5]}
    assert "*" in lines["three"]
    assert ["~" in lines[name] for name in ("one", "two")].count(True) == 1
    assert lines["one"].count("(") == 1  # The error of draws, of one metric only.
    html = evaluation._repr_html_()
    assert html.startswith("<table>")
    assert "cannot be told apart" in html
    bad = replace(evaluation, methods=("<b>", "two", "three"), notes=("<i>",))
    assert "<b>" not in bad._repr_html_()
    assert "<i>" not in bad._repr_html_()


def test_tables_show_all_methods(evaluation):
    names = tuple(f"method {number}" for number in range(30))
    many = replace(
        evaluation, samples=evaluation.samples[[0] * 30], methods=names, controls=()
    )
    for table in (str(many), many._repr_html_()):
        assert all(name in table for name in names)
        assert "more" not in table


def test_data_frames_have_a_row_for_each_score(evaluation):
    frame = evaluation.to_pandas()
    assert len(frame) == 6
    row = frame[(frame.method == "two") & (frame.metric == "down")].iloc[0]
    assert row["mean"] == evaluation.mean[1, 1]
    assert row["std_error"] == evaluation.std_error[1, 1]
    assert not row["higher_is_better"]
    each = evaluation.to_pandas(per_image=True)
    assert len(each) == 48
    np.testing.assert_allclose(
        each.groupby(["method", "metric"]).score.mean()["two", "up"],
        evaluation.mean[1, 0],
    )


def assert_equal(one, two):
    np.testing.assert_array_equal(one.samples, two.samples)
    np.testing.assert_array_equal(one.ids, two.ids)
    for name in ("methods", "metrics", "controls", "higher_is_better", "notes"):
        assert getattr(one, name) == getattr(two, name)
    assert one.facts == two.facts


def test_saved_is_loaded(evaluation, tmp_path):
    evaluation.save(tmp_path / "scores.npz")
    assert_equal(ke.Evaluation.load(tmp_path / "scores.npz"), evaluation)
    np.savez(tmp_path / "other.npz", samples=np.zeros(3))
    with pytest.raises(ValueError, match="lacks"):
        ke.Evaluation.load(tmp_path / "other.npz")


def test_merged_is_evaluated_at_once():
    model, draws = linear(), partial(metrics.infidelity, draws=3)
    whole, first, second = (
        ke.evaluate(["gradients"], model, X[i:j], UNITS[i:j], {"i": draws},
                    ids=range(i, j), verbose=0)
        for i, j in ((0, 6), (0, 4), (4, 6))
    )  # fmt: skip
    merged = first.merged(second)
    np.testing.assert_allclose(merged.samples, whole.samples, 1e-4)
    assert_equal(replace(merged, samples=whole.samples), whole)
    assert str(merged) == str(whole)
    with pytest.raises(ValueError, match="received the id 0 twice"):
        whole.merged(first)
    with pytest.raises(ValueError, match="received other seed"):
        first.merged(replace(second, facts=second.facts | {"seed": 3}))
    with pytest.raises(ValueError, match="received other metrics"):
        first.merged(replace(second, metrics=("j",)))


def test_merging_completes_what_ctrl_c_left_unfinished():
    done = []

    @higher_is_better
    def stopping(maps, ids):
        done.append(ids)
        if len(done) == 2:
            raise KeyboardInterrupt
        return ids

    metric = {"s": stopping, "d": partial(metrics.deletion, steps=2)}
    methods = {"a": random_maps(), "b": random_maps(seed=1)}
    call = partial(evaluate, methods, linear(), X, UNITS, metric)
    with pytest.warns(UserWarning, match="Stopped"):
        half = call()
    whole = call()
    assert half.unfinished_ids == tuple(range(6))
    assert whole.unfinished_ids == ()
    for one, other in ((half, whole), (whole, half)):
        found = one.merged(other)
        np.testing.assert_array_equal(found.samples, whole.samples)
        expected = whole.curves["d"].scores
        np.testing.assert_array_equal(found.curves["d"].scores, expected)
    shifted = replace(whole, samples=whole.samples + 1)
    with pytest.raises(ValueError, match="the id 0 twice, with other scores"):
        half.merged(shifted)


def test_different_metrics_of_one_name_are_not_merged():
    model = linear()

    def named(power):
        @higher_is_better
        def own(maps):
            return (maps**power).mean(axis=(1, 2))

        return own

    def found(metric, rows):
        data = X[rows], UNITS[rows]
        ids = np.arange(6)[rows]
        return evaluate(["gradients"], model, *data, [metric], ids=ids)

    first, second = slice(0, 3), slice(3, 6)
    one = found(named(1), first)
    assert len(one.merged(found(named(1), second)).ids) == 6
    with pytest.raises(ValueError, match="received other parameters of metrics"):
        one.merged(found(named(2), second))


def test_curves_are_those_whose_areas_are_the_scores(tmp_path):
    model, maps = linear(), random_maps()
    short = partial(metrics.deletion, steps=4)
    metric = {"d": short, "i": metrics.insertion, "auc": metrics.sparseness}
    methods = {"m": maps, "g": ke.methods.gradient.gradients}
    whole, first, second = (
        evaluate(methods | {"m": maps[i:j]}, model, X[i:j], UNITS[i:j], metric,
                 ids=range(i, j))
        for i, j in ((0, 6), (0, 4), (4, 6))
    )  # fmt: skip
    assert [*whole.curves] == ["d", "i"]
    found = whole.curves["d"]
    expected = metrics.perturbation_curves(model, X, maps, UNITS, steps=4, verbose=0)
    np.testing.assert_allclose(found.fractions, expected.fractions)
    np.testing.assert_allclose(found.scores[0], expected.scores.mean(axis=-1), 1e-6)
    areas = np.trapezoid(found.scores, found.fractions)
    np.testing.assert_allclose(areas, whole.scores[:, 0], 1e-6)
    np.testing.assert_allclose(found.mean, found.scores.mean(axis=1))
    deviation = found.scores.std(axis=1, ddof=1) / np.sqrt(6)
    np.testing.assert_allclose(found.std_error, deviation)
    merged = first.merged(second).curves["d"]
    np.testing.assert_allclose(merged.scores, found.scores, 1e-4)
    whole.save(tmp_path / "scores.npz")
    loaded = ke.Evaluation.load(tmp_path / "scores.npz").curves["i"]
    np.testing.assert_array_equal(loaded.scores, whole.curves["i"].scores)
    whole.plot(tmp_path / "curves.svg")
    text = (tmp_path / "curves.svg").read_text("utf-8")
    assert "fraction of pixels removed" in text
    assert "fraction of pixels inserted" in text


def test_unknown_names_are_refused(evaluation):
    with pytest.raises(ValueError, match="`metric` must be one of"):
        evaluation.difference("one", "two", "left")
    with pytest.raises(ValueError, match="`other` must be one of"):
        evaluation.difference("one", "four", "up")


def test_plots_show_means_and_intervals(evaluation, tmp_path):
    evaluation.plot(tmp_path / "dots.svg")
    text = (tmp_path / "dots.svg").read_text("utf-8")
    assert "up ↑" in text
    assert "three (control)" in text
    few = replace(evaluation, samples=evaluation.samples[..., :2], ids=np.arange(2))
    few.plot(tmp_path / "few.png")
    assert (tmp_path / "few.png").stat().st_size > 1000


def test_the_best_is_chosen_among_images_that_all_methods_have():
    """The other method is better on each of them, but has difficult ones besides."""
    scores = np.array([[1.0, 1.0, np.nan, np.nan], [1.1, 1.1, 0.1, 0.1]])
    known = ke.Evaluation(
        scores[:, None, None],
        np.arange(4),
        ("a", "b"),
        ("up",),
        (),
        (True,),
        (),
        {},
    )
    assert known.mean[0, 0] > known.mean[1, 0]
    assert known.best("up") == "b"
    apart = replace(
        known, samples=np.where([[[[1, 0, 1, 0]]], [[[0, 1, 0, 1]]]], 1.0, np.nan)
    )
    assert apart.best("up") is None
    assert "*" not in str(apart).split("\n", 1)[1].split("higher")[0]


def test_all_methods_with_equal_scores_are_best():
    """As for a model of constant outputs, whose scores differ by rounding alone."""
    scores = np.full((3, 8), 0.33427003) + 1e-8 * np.arange(8)
    scores[1] += 1e-9
    scores[2] += 0.1
    equal = ke.Evaluation(
        scores[:, None, None],
        np.arange(8),
        tuple("abc"),
        ("down",),
        (),
        (False,),
        (),
        {},
    )
    first, second, other = str(equal).splitlines()[2:5]
    assert first.split() == ["a", "0.334", "±", "0.000", "*"]
    assert second.split() == ["b", "0.334", "±", "0.000", "*"]
    assert "*" not in other
    assert equal.best("down") == "a"


def test_draws_that_all_images_share_are_no_errors_of_images():
    """The weights of mprt, for example, are those of a seed."""
    shifts = np.random.default_rng(0).normal(size=(1, 1, 30, 1))
    samples = shifts + np.zeros((1, 1, 30, 50))
    common = {evaluation_module.COMMON: ["up"]}
    known = ke.Evaluation(
        samples, np.arange(50), ("a",), ("up",), (), (True,), (), common
    )
    wanted = shifts.std(ddof=1) / np.sqrt(30)
    np.testing.assert_allclose(known.monte_carlo_error, [[wanted]])
    own = replace(known, facts={})
    np.testing.assert_allclose(own.monte_carlo_error, [[wanted / np.sqrt(50)]])


def test_files_may_have_any_name(evaluation, tmp_path):
    evaluation.save(tmp_path / "scores")
    assert ke.Evaluation.load(tmp_path / "scores").facts == evaluation.facts
    np.save(tmp_path / "other.npy", np.zeros(3))
    (tmp_path / "text").write_text("no archive")
    for name in ("other.npy", "text"):
        with pytest.raises(ValueError, match=r"`Evaluation\.save` wrote; received"):
            ke.Evaluation.load(tmp_path / name)


def test_only_evaluations_of_the_same_kind_are_merged():
    def found(y, metric, ids):
        return evaluate({"a": "gradients"}, linear(), X[:2], y, {"d": metric}, ids=ids)

    plain = partial(metrics.deletion, steps=2)
    one = found(UNITS[:2], plain, [0, 1])
    baseline = np.zeros(X.shape[1:], "float32")
    baseline[1, 1] = 1
    others = (None, plain), (UNITS[:2], partial(plain, baseline=baseline))
    for y, metric in others:
        with pytest.raises(ValueError, match="of the same model, methods"):
            one.merged(found(y, metric, [2, 3]))
    with pytest.raises(TypeError, match="must be an Evaluation"):
        one.merged(None)
    assert one != found(UNITS[:2], plain, [0, 1])  # Without an error of NumPy's.
