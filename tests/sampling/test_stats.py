"""Stats: saving, loading, merging, and refusing those that do not match."""

import dataclasses
import json
import os
import subprocess
import sys
from functools import cache, partial
from pathlib import Path

import keras
import numpy as np
import pytest
from support.small_models import images, numpy, quadratic, some_units

import keras_explainable as ke
from keras_explainable.methods.gradient import gradients
from keras_explainable.methods.meta import smooth
from keras_explainable.sampling import wiener_shrinkage
from keras_explainable.sampling.stats import Stats, concatenated

SIGNED = partial(gradients, gradient_filter=None, channel_reduction=None)
TESTS = Path(__file__).parents[1]
SIGMA = 0.3


@cache
def a_model(seed=0):
    keras.utils.set_random_seed(seed)
    return quadratic()


def run(repetitions=10, start=0, *, model=None, x=None, seed=0, units=None, **options):
    """Return the maps and stats of a run of ``ke.explain``."""
    method = smooth(SIGNED, repetitions, SIGMA, seed=seed, start=start, **options)
    units = some_units() if units is None else units
    model = model or a_model()
    _, maps, stats = ke.explain(
        method,
        model,
        images() if x is None else x,
        units,
        return_stats=True,
        batch_size=4,
        verbose=0,
    )
    return maps, stats


def assert_same(one, other, tolerance=1e-4):
    for field in dataclasses.fields(Stats):
        values = getattr(one, field.name), getattr(other, field.name)
        if field.name == "facts":
            assert values[0] == values[1]
        elif field.name == "state":
            for found, expected in zip(*values, strict=True):
                np.testing.assert_allclose(found, expected, tolerance, tolerance)
        elif field.name != "draws":
            np.testing.assert_allclose(*values, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("statistic", ["mean", "square", "variance"])
def test_a_run_and_its_continuation_are_one_long_run(statistic):
    options = {"statistic": statistic}
    (maps, whole), (_, first), (_, rest) = (
        run(*numbers, **options) for numbers in [(20,), (12,), (8, 12)]
    )
    merged = first.merged(rest)
    assert_same(merged, whole)
    np.testing.assert_allclose(merged.maps, maps, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(merged.std_error, whole.std_error, rtol=1e-3, atol=1e-5)


def test_three_parts_merge_in_any_order():
    parts = [run(4, start)[1] for start in (0, 4, 8)]
    whole = run(12)[1]
    assert_same(parts[2].merged(parts[0]).merged(parts[1]), whole)


@pytest.mark.parametrize("sigma", [0.3, [0.1, 0.2, 0.3]])
def test_the_table_as_a_dictionary(sigma):
    method = smooth(SIGNED, 3, sigma, seed=0)
    *_, stats = ke.explain(
        method, a_model(), images(2), [[0, 1]] * 2, return_stats=True, verbose=0
    )
    columns = json.loads(json.dumps(stats.to_dict()))
    assert columns["image"] == [0, 0, 1, 1]
    assert columns["unit"] == [0, 1, 0, 1]
    assert columns["relative_error"] == pytest.approx(stats.relative_error.ravel())
    assert columns["sigma"] == [pytest.approx(sigma)] * 4
    assert {len(column) for column in columns.values()} == {4}


def test_saved_stats_can_be_loaded(tmp_path):
    _, stats = run()
    stats.save(tmp_path / "run.npz")
    loaded = Stats.load(tmp_path / "run.npz")
    assert_same(loaded, stats, tolerance=0)
    np.testing.assert_array_equal(loaded.draws, stats.draws)
    _, rest = run(6, 10)
    assert loaded.merged(rest).repetitions.tolist() == [16] * len(images())


def test_other_archives_are_refused(tmp_path):
    np.savez(tmp_path / "other.npz", maps=np.ones(3))
    with pytest.raises(ValueError, match=r"`Stats.save` wrote; received .*lacks"):
        Stats.load(tmp_path / "other.npz")


OTHERS = {
    "model": lambda: run(4, 10, model=a_model(1)),
    "seed": lambda: run(4, 10, seed=1),
    "statistic": lambda: run(4, 10, statistic="square"),
    "units": lambda: run(4, 10, units=some_units()[:, ::-1]),
    "antithetic": lambda: run(4, 10, antithetic=True),
    "clip": lambda: run(4, 10, clip=(-1, 1)),
    "image": lambda: run(4, 10, x=images()[::-1].copy()),
}


@pytest.mark.parametrize("name", OTHERS)
def test_runs_that_differ_are_not_merged(name):
    _, stats = run()
    with pytest.raises(ValueError, match=rf"another.*{name}"):
        stats.merged(OTHERS[name]()[1])


def test_runs_with_fresh_seeds_are_not_merged():
    (_, first), (_, rest) = (run(4, start, seed=None) for start in (0, 4))
    with pytest.raises(ValueError, match="another seed"):
        first.merged(rest)


WORKER = """
import sys
import keras
from test_stats import run
model = keras.models.load_model(sys.argv[1], compile=False)
run(8, 12, model=model)[1].save(sys.argv[2])
"""


def test_runs_of_two_processes_are_merged(tmp_path):
    model = a_model()
    model.save(tmp_path / "model.keras")
    files = [str(tmp_path / name) for name in ("model.keras", "rest.npz")]
    subprocess.run(
        [sys.executable, "-c", WORKER, *files],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), *sys.path])},
        cwd=Path(__file__).parent,
        check=True,
    )
    merged = run(12, model=model)[1].merged(Stats.load(files[1]))
    assert_same(merged, run(20, model=model)[1])


def test_the_same_repetitions_are_not_counted_twice():
    _, stats = run()
    with pytest.raises(ValueError, match="8 to 9 of image 0 twice"):
        stats.merged(run(4, 8)[1])


def test_stats_of_batches_are_concatenated():
    _, stats = run()
    parts = [stats.taken(1), stats]
    both = concatenated(parts)
    assert len(both.maps) == 1 + len(stats.maps)
    np.testing.assert_array_equal(both.maps[1:], stats.maps)
    assert both.draws.shape == (1, len(both.maps), 2)


def test_stats_of_methods_that_do_not_sample_are_refused():
    with pytest.raises(ValueError, match=r"must be one that samples.*'gradients'"):
        ke.explain(gradients, quadratic(), images(), some_units(), return_stats=True)


def test_stats_of_an_image_do_not_depend_on_the_others():
    _, stats = run()
    method = smooth(SIGNED, 10, SIGMA, seed=0)
    _, _, alone = method(a_model(), images()[:1], some_units()[:1], return_stats=True)
    np.testing.assert_allclose(
        alone.std_error, stats.std_error[:1], rtol=1e-3, atol=1e-6
    )
    np.testing.assert_allclose(
        numpy(alone.relative_error), stats.relative_error[:1], rtol=1e-3
    )


def smooth_signal():
    """Return a map without fine detail, (1, 32, 32, 1, 1)."""
    rows, columns = np.mgrid[:32, :32] * 2 * np.pi / 32
    return (np.sin(rows) + np.cos(columns))[None, ..., None, None]


@pytest.mark.parametrize("counts", [(20, 20), (10, 30)])
def test_shrinkage_removes_fine_noise_and_estimates_its_error(counts):
    rng, signal = np.random.default_rng(0), smooth_signal()
    true, estimated, plain = [], [], []
    for _ in range(300):
        halves = [
            signal + rng.normal(size=signal.shape) * 5 / np.sqrt(n) for n in counts
        ]
        parts = [np.array([n]) for n in counts]
        maps, squared = wiener_shrinkage.shrink(halves, parts)
        mean = (counts[0] * halves[0] + counts[1] * halves[1]) / 40
        plain.append(((mean - signal) ** 2).sum())
        true.append(((maps - signal) ** 2).sum())
        estimated.append(squared.sum())
    assert np.mean(true) < 0.15 * np.mean(plain)
    assert 0.6 < np.mean(estimated) / np.mean(true) < 1.5


def test_without_noise_shrinkage_changes_nothing():
    signal = smooth_signal().astype("float32")
    maps, squared = wiener_shrinkage.shrink((signal, signal), (np.ones(1), np.ones(1)))
    np.testing.assert_allclose(maps, signal, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(squared, 0, atol=1e-6)


def test_shrunk_maps_of_stats():
    (_, first), (_, rest) = run(40), run(40, 40)
    maps, error = first.shrunk(rest)
    merged = first.merged(rest)
    assert maps.shape == merged.maps.shape
    assert error.shape == merged.relative_error.shape
    norms = [np.linalg.norm(m.reshape(len(m), -1)) for m in (maps, merged.maps)]
    assert norms[0] < norms[1]
    assert (error < 2 * merged.relative_error).all()


def test_stats_that_cannot_be_shrunk_are_refused():
    (_, first), (_, same) = run(), run()
    with pytest.raises(ValueError, match="twice"):
        first.shrunk(same)
    parts = [run(4, start, statistic="variance")[1] for start in (0, 4)]
    with pytest.raises(ValueError, match=r"`statistic` must be 'mean' or 'square'"):
        parts[0].shrunk(parts[1])
