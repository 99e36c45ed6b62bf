"""Running sums go on, are kept, and end in the maps of the library."""

from threading import Event

import numpy as np
import pytest

import keras_explainable as ke
from keras_explainable.explorer import reproduction
from keras_explainable.explorer.estimates import SampledMap
from keras_explainable.explorer.session import Session
from keras_explainable.explorer.settings import Setting, View

MEAN, SIGNED = View(), View(signed=True)
SETTING = Setting(0, 2, noise_level=0.2, seed=5)


def direct(network, image, repetitions, **params):
    """Return what the library computes at once."""
    given = {"estimator": "sampled", "noise_level": 0.2, "seed": 5, "ids": [image.id]}
    return ke.smoothgrad(
        network,
        image.inputs,
        [[2]],
        repetitions=repetitions,
        return_stats=True,
        postprocessing=None,
        verbose=0,
        **given | params,
    )


@pytest.mark.parametrize("repetitions", [8, 32, 44])
@pytest.mark.parametrize("statistic", ["mean", "square", "variance"])
def test_maps_and_errors_are_those_of_smoothgrad(
    run, network, image, repetitions, statistic
):
    *_, last = run(SETTING, repetitions)
    _, maps, stats = direct(network, image, repetitions, statistic=statistic)
    view = View(statistic)
    assert last.repetitions == repetitions
    np.testing.assert_allclose(last.map(view), maps[0, ..., 0], rtol=1e-3, atol=1e-8)
    expected = stats.relative_error[0, 0]
    np.testing.assert_allclose(last.relative_error(view), expected, rtol=5e-3)


def test_signed_maps_are_the_mean_over_the_channels(run, network, image):
    *_, last = run(SETTING, 16)
    stats = direct(network, image, 16).stats
    expected = stats.maps[0, ..., 0].mean(axis=-1)
    np.testing.assert_allclose(last.map(SIGNED), expected, rtol=1e-3, atol=1e-8)
    assert last.map(SIGNED).min() < 0


def test_every_step_yields_and_more_samples_go_on_from_fewer(run, passes):
    counts = [estimate.repetitions for estimate in run(SETTING, 32)]
    assert counts[0] == 8
    assert counts == sorted(counts)
    assert {8, 16, 32} <= {*counts}
    begun = len(passes)
    more = run(SETTING, 64)
    assert more[0].repetitions == passes[begun][1] == 32  # What was known comes first.
    assert more[-1].repetitions == 64


def test_going_back_costs_no_pass(run, passes):
    other = Setting(0, 2, noise_level=0.1)
    run(SETTING, 64), run(other, 32)
    begun = len(passes)
    for setting, repetitions in ((SETTING, 64), (SETTING, 16), (other, 32), (other, 8)):
        (known,) = run(setting, repetitions)
        assert known.repetitions == repetitions
    assert len(passes) == begun


def test_maps_of_other_weights_are_forgotten(run, network, passes):
    setting = Setting(0, 1, noise_level=0.3)
    run(setting)
    begun = len(passes)
    weights = network.get_weights()
    try:
        network.set_weights([2 * each for each in weights])
        run(setting)
    finally:
        network.set_weights(weights)
    assert passes[begun][1] is None  # Nothing was known.


@pytest.mark.parametrize("method", ["gradients", "gradcam", "occlusion", "rise"])
def test_methods_without_noise_give_one_map(run, network, image, passes, method):
    (only,) = run(Setting(0, 2, method))
    seed = {"seed": 0} if method == "rise" else {}
    _, maps = getattr(ke, method)(network, image.inputs, [[2]], verbose=0, **seed)
    np.testing.assert_allclose(only.map(MEAN), maps[0, ..., 0], rtol=1e-4, atol=1e-6)
    assert only.relative_error(MEAN) is None
    assert len(run(Setting(0, 2, method))) == len(passes) == 1


@pytest.mark.parametrize("estimator", ["hybrid", "slopes"])
def test_other_estimators_double_their_samples(run, network, image, estimator):
    setting = Setting(0, 2, estimator=estimator, noise_level=0.2, seed=5)
    found = run(setting, 32)
    assert [estimate.repetitions for estimate in found] == [8, 16, 32]
    _, maps, stats = direct(network, image, 32, estimator=estimator)
    np.testing.assert_allclose(found[-1].map(MEAN), maps[0, ..., 0], rtol=1e-4)
    error = found[-1].relative_error(MEAN)
    expected = stats.relative_error[0, 0]
    assert error == (pytest.approx(expected, 0.02) if np.isfinite(expected) else None)


@pytest.mark.parametrize("method", ["smoothgrad", "rise"])
def test_a_run_stops_after_the_batch_that_runs(session, image, passes, method):
    stop = Event()
    estimates = session.estimates(image, Setting(0, 1, method, seed=7), 4096, stop)
    if method == "smoothgrad":
        assert next(estimates).repetitions == 8
    stop.set()
    assert [*estimates] == []
    assert len(passes) == (method == "smoothgrad")  # What was begun is not kept.


def test_memory_is_bounded_and_the_last_settings_are_kept(network, image):
    session = Session(network, memory=60_000)
    for seed in range(30):
        setting = Setting(0, 0, seed=seed)
        for _ in session.estimates(image, setting, 16, Event()):
            assert session.kept.nbytes <= 60_000
    last = session.kept.best(Setting(0, 0, seed=29), 16)
    assert isinstance(last, SampledMap)
    assert session.kept.best(Setting(0, 0, seed=0), 16) is None


def test_only_powers_of_two_are_kept_on_the_way(session, run):
    run(SETTING, 256)
    kept = [repetitions for _, repetitions in session.kept._kept]
    assert kept == [8, 16, 32, 64, 128, 256]


def test_the_standard_error_of_a_number_is_that_of_other_noise(network, image):
    """The jackknife knows how channels and pixels correlate; seeds tell the truth."""

    def share(values):
        return float(values[:6].sum() / values.sum())

    found, errors = [], []
    session = Session(network, memory=1 << 24)
    for seed in range(25):
        setting = Setting(0, 2, noise_level=0.2, seed=seed)
        *_, last = session.estimates(image, setting, 64, Event())
        found.append(share(last.map(MEAN)))
        errors.append(last.standard_error(MEAN, share))
    true = np.std(found, ddof=1)
    assert 0.7 * true < np.sqrt(np.mean(np.square(errors))) < 1.4 * true


def test_slow_networks_take_fewer_rows_at_once(session, run, passes):
    pace = session._pace
    for seconds in (9, 0.02, 0.02, 9):  # What is compiled takes long once.
        pace.took(8, seconds)
    assert (pace.rows, pace.repetitions) == (8, 8)
    pace.took(8, 0.4)
    assert (pace.rows, pace.repetitions) == (4, 4)
    run(SETTING, 16)
    assert passes[0][2] == 8  # The first map has eight samples all the same.
    assert {count % 4 for _, _, count in passes} == {0}
    pace.took(4, 0.01)
    assert pace.repetitions == 8


def test_errors_of_numbers_need_several_groups(run):
    first, *_ = run(SETTING, 64)
    assert first.standard_error(MEAN, np.sum) is None


@pytest.mark.parametrize(
    ("setting", "view"),
    [
        (SETTING, MEAN),
        (SETTING, SIGNED),
        (SETTING, View("square")),
        (SETTING, View("variance")),
        (Setting(0, 2, estimator="hybrid"), MEAN),
        (Setting(0, 1, "integrated_gradients"), MEAN),
    ],
)
def test_the_lines_compute_the_map_of_the_archive(
    run, network, image, setting, view, tmp_path, monkeypatch
):
    *_, last = run(setting, 16)
    content = reproduction.archive("network", image, setting, view, last)
    (tmp_path / "map.npz").write_bytes(content)
    monkeypatch.chdir(tmp_path)
    with np.load("map.npz") as saved:
        names = {"network": network}
        exec(str(saved["code"]), names)
        expected = np.squeeze(names["map_"])
        np.testing.assert_allclose(saved["map"], expected, rtol=1e-3, atol=1e-8)
        assert saved["repetitions"] == (16 if setting.draws_noise else 0)
