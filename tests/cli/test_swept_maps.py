"""A sweep: the maps of several settings, and the page of the command with them."""

import json
import re
from html import unescape

import keras
import numpy as np
import pytest

import keras_explainable as ke
from keras_explainable.cli import swept_maps
from keras_explainable.report.explanation_records import SweepGrid

GRID = SweepGrid((0.1, 0.3), (2, 5, 8))


@pytest.mark.parametrize("method", ["smoothgrad", "smoothgrad_squared", "vargrad"])
def test_each_map_is_that_of_its_settings(model_file, method):
    model = keras.models.load_model(model_file)
    x = np.random.default_rng(0).uniform(0, 255, (2, 12, 12, 3)).astype("float32")
    params = {"noise_level": 0.3, "ids": [5, 9], "return_stats": True, "verbose": 0}
    params |= {"estimator": "sampled"} if method == "smoothgrad" else {}
    found = swept_maps.compute(method, model, x, [[1], [2]], GRID, params)
    for one in found:
        np.testing.assert_array_equal(one.values, one.sweep[1][2].values)
        assert one.noise == one.sweep[1][2].noise
    for row, level in zip((0, 1), GRID.noise_levels, strict=True):
        for column, count in enumerate(GRID.repetitions):
            given = params | {"noise_level": level, "repetitions": count}
            _, maps, stats = getattr(ke, method)(model, x, [[1], [2]], **given)
            for number, one in enumerate(found):
                each = one.sweep[row][column]
                np.testing.assert_allclose(each.values, maps[number], atol=2e-3)
                assert each.noise.repetitions == count
                assert each.noise.sigma == pytest.approx(stats.sigma[number, 0], 1e-5)


def test_the_page_has_the_sweep_and_the_files_those_of_the_run(
    explain, picture, here, manifest
):
    name = picture("a.png")
    options = ["--method", "smoothgrad,gradcam", "--estimator", "sampled"]
    assert explain(name, *options, repetitions=4)[0] == 0
    before = dict(np.load(here / "out/maps.npz"))
    assert explain(name, *options[:2], "--sweep", repetitions=4)[0] == 0
    after = dict(np.load(here / "out/maps.npz"))
    assert {*before} == {*after} == {"a.smoothgrad", "a.gradcam"}
    for key in before:
        np.testing.assert_allclose(after[key], before[key], atol=2e-3)
    assert manifest()["sweep"]["repetitions"] == [2, 4]
    assert manifest()["estimator"] == "sampled"
    page = (here / "out/index.html").read_text("utf-8")
    texts = json.loads(unescape(re.search(r'data-sweep="([^"]*)"', page)[1]))
    assert [[cell[2] for cell in row] for row in texts] == [["2", "4"]] * 5
    assert "--row:2;--column:1;--rows:5;--columns:2" in page


def test_what_does_not_fit_is_one_error(explain, picture):
    code, _, errors = explain(picture("a.png"), "--sweep", "--engine", "ray")
    assert code == 2
    assert "--sweep must be omitted with --engine ray" in errors


def test_a_run_with_a_sweep_is_not_continued_without(explain, picture, here):
    (here / "b.png").write_bytes(b"no image")
    explain(picture("a.png"), "b.png", "--sweep")
    code, _, errors = explain("a.png", "b.png", "--resume")
    assert code == 2
    assert "changed: estimator, sweep" in errors
