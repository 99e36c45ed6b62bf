"""The page on metrics lists each of them with its orientation."""

import re
from pathlib import Path

from keras_explainable import metrics

PAGE = Path(__file__).parents[2] / "docs/metrics.md"


def test_each_metric_is_in_a_table_with_its_orientation():
    text = PAGE.read_text("utf-8")
    listed = dict(re.findall(r"^\| `(\w+)` \|.*\| (\w+) \|$", text, re.MULTILINE))
    functions = {name: getattr(metrics, name) for name in metrics.__all__}
    wanted = {
        name: "higher" if metric.higher_is_better else "lower"
        for name, metric in functions.items()
        if hasattr(metric, "higher_is_better")
    }
    assert listed == wanted
    assert {*functions} - {*wanted} == {"Curves", "mosaics", "perturbation_curves"}


def test_docstrings_say_the_orientation():
    for name in metrics.__all__:
        metric = getattr(metrics, name)
        if hasattr(metric, "higher_is_better"):
            word = "Higher" if metric.higher_is_better else "Lower"
            assert f"{word} is better" in " ".join(metric.__doc__.split()), name


def test_each_name_is_in_the_reference():
    text = (PAGE.parent / "api.md").read_text("utf-8")
    named = re.findall(r":: keras_explainable\.metrics\.(\w+)$", text, re.MULTILINE)
    assert sorted(named) == sorted(metrics.__all__)
