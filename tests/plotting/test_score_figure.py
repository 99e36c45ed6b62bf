"""The figure of many methods and metrics stays readable."""

import re

import numpy as np
import pytest

from keras_explainable.plotting.score_curves import Curves
from keras_explainable.plotting.score_figure import ScoreFigure


def figure(methods, metrics):
    rows = [f"method{number}" for number in range(methods)]
    columns = [f"metric{number}" for number in range(metrics)]
    means = np.random.default_rng(0).normal(size=(methods, metrics))
    ends = np.stack([means - 0.1, means + 0.1], axis=-1)
    line = np.zeros((methods, 3))
    curves = [Curves("curve", "fraction", np.linspace(0, 1, 3), line, line)]
    return ScoreFigure(means, ends, rows, columns, [False] * methods, curves)


@pytest.mark.parametrize(("metrics", "across"), [(3, 3), (7, 4), (23, 6)])
def test_metrics_are_in_bands(metrics, across):
    text = figure(4, metrics).svg()
    width = float(re.search(r'viewBox="0 0 (\S+)', text)[1])
    assert width == pytest.approx(72 * figure(4, across)._size[0], abs=1)
    assert all(
        f"metric{number} " in text or f"metric{number}<" in text
        for number in range(metrics)
    )


def test_the_legend_of_many_methods_is_within_the_picture():
    text = figure(20, 2).svg()
    height = float(re.search(r'viewBox="0 0 \S+ ([^"]+)"', text)[1])
    places = re.findall(r"translate\((\S+) (\S+?)\)[^>]*>\s*method", text)
    places += re.findall(r'x="(\S+?)" y="(\S+?)"[^>]*>method', text)
    assert len(places) >= 20
    assert max(float(y) for _, y in places) < height
