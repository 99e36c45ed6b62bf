"""The bank of derivatives covers new names by itself, and finds planted faults."""

import re
from pathlib import Path
from types import SimpleNamespace

import keras
import pytest
from keras import layers, ops

from benchmarks.derivatives.calls import Call, Uncovered, calls_of
from benchmarks.derivatives.compare import compared
from benchmarks.derivatives.corrected import corrected_function
from benchmarks.derivatives.namespaces import keras_namespaces, public_names
from benchmarks.derivatives.recipes import NOT_DIFFERENTIABLE, RECIPES
from benchmarks.derivatives.releases import section
from benchmarks.derivatives.table import page

#: Operations whose derivatives are corrected on some backend.
CORRECTED = [
    "ops.celu",
    "ops.hypot",
    "ops.logaddexp",
    "ops.logaddexp2",
    "ops.power",
    "ops.arctan2",
    "ops.sinc",
    "ops.cumprod",
    "ops.nancumprod",
    "ops.ldexp",
    "ops.std",
    "ops.nanstd",
    "ops.cdist",
    "ops.normalize",
    "ops.sqrt",
    "ops.cbrt",
    "ops.slice_update",
    "ops.floor_divide",
    "ops.heaviside",
    "ops.fmod",
    "ops.image.hsv_to_rgb",
    "ops.image.perspective_transform",
    "layers.Dot",
    "layers.ReLU",
    "layers.Maximum",
    "layers.UnitNormalization",
]


def verdicts(function, *shapes):
    records = compared(Call("planted", function, shapes or ((3, 4),)))
    return {record["point"]: record["verdict"] for record in records}


class Doubling(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units

    def call(self, x):
        return 2 * ops.concatenate([x] * self.units)


def test_new_names_are_covered():
    def square(x):
        return x * x

    new = SimpleNamespace(
        square=square,
        same_square=square,
        new_norm=lambda x, axis: ops.sum(x**2, axis),
        new_product=lambda x1, x2: ops.matmul(x1, x2),
        new_merge=lambda inputs: inputs[0] * inputs[1],
        NewLayer=Doubling,
        _private=square,
        number=3,
    )
    names, aliases = public_names({"new": new})
    assert aliases == 1
    assert len(names) == 5
    for name, value in names.items():
        (call,) = calls_of(name, value)
        assert isinstance(call, Call), call
        assert {record["verdict"] for record in compared(call)} == {"true"}


def test_what_is_not_covered_is_named_with_the_reason():
    class NewLayer(layers.Layer):
        def __init__(self, unheard_of):
            super().__init__()

    new = SimpleNamespace(
        NewLayer=NewLayer,
        new_bits=lambda x: ops.bitwise_not(x),
        new_count=lambda x: ops.argmax(x),
        new_error=lambda x: x[7, 7, 7, 7, 7, 7],
    )
    names, _ = public_names({"new": new})
    found = {name: next(calls_of(name, value)) for name, value in names.items()}
    assert all(isinstance(x, Uncovered) for x in found.values())
    assert "'unheard_of'" in found["new.NewLayer"].reason
    assert found["new.new_bits"].reason == "takes integers"
    assert not found["new.new_count"].is_differentiable
    assert found["new.new_error"].is_differentiable


def test_a_planted_derivative_is_wrong():
    found = verdicts(lambda x: x**2 + (x - ops.stop_gradient(x)))
    assert found["generic"] == found["small"] == found["ends"] == "wrong"


def test_a_kink_is_no_fault():
    found = verdicts(ops.relu)
    assert found["generic"] == found["small"] == found["ties"] == "true"
    assert found["zeros"] == found["ends"] == found["half zeros"] == "kink"


def test_lost_and_undefined_derivatives_are_named():
    assert verdicts(ops.stop_gradient)["generic"] == "none"
    lost = verdicts(lambda x: ops.where(x > 0, ops.log(x), 0.0))
    assert lost["zeros"] == "NaN"
    assert verdicts(ops.log)["generic"] == "true"  # Where it is defined.
    assert verdicts(ops.floor)["generic"] == "true"


def test_the_page_has_a_row_for_each_fault():
    records = compared(Call("ops.planted", ops.stop_gradient, ((3, 4),)))
    result = {
        "versions": {"keras": "3"},
        "names": ["ops.planted"],
        "aliases": 0,
        "records": records,
        "uncovered": [{"name": "x", "reason": "why|", "is_differentiable": True}],
    }
    text = page({"tensorflow": result, "torch": result})
    row = next(line for line in text.splitlines() if "`ops.planted`" in line)
    assert row.count("none") == 2
    assert "- `x`: `why/`" in text


def result_of(keras_version, **operations):
    calls = [Call(name, x, ((3, 4),)) for name, x in operations.items()]
    return {
        "versions": {"keras": keras_version},
        "names": [*operations],
        "aliases": 0,
        "records": [record for call in calls for record in compared(call)],
        "uncovered": [],
    }


def test_what_another_release_computes_differently_is_listed():
    before = result_of("3.1", mended=ops.stop_gradient, same=ops.abs)
    after = result_of("3.2", mended=ops.exp, same=ops.abs, new=ops.abs, fine=ops.exp)
    after["uncovered"] = [{"name": "x", "reason": "why", "is_differentiable": True}]
    text = section({"jax": before}, {"jax": after})
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    assert [row.split("`")[1] for row in rows] == ["mended", "new"]
    assert "| JAX | none | true | yes |" in rows[0]
    assert "| zeros, ends, half zeros | JAX | not there | 0.5 |" in rows[1]
    assert "| 3.1 | 3.2 |" in text
    assert "for them: `x`." in text


@pytest.mark.skipif(keras.__version__ < "3.15", reason="older ones lack some names")
def test_recipes_are_for_names_that_exist():
    names, _ = public_names(keras_namespaces())
    assert {*RECIPES} | {*NOT_DIFFERENTIABLE} <= {*names}


@pytest.mark.parametrize("name", CORRECTED)
def test_what_is_corrected_is_true(name):
    value = public_names(keras_namespaces())[0][name]
    for call in calls_of(name, value):
        if corrected := corrected_function(call):
            records = compared(call, corrected)
            found = {record["verdict"] for record in records}
            assert found <= {"true", "kink", "outside"}, call.name


def test_what_is_not_corrected_has_a_reason_in_the_docs():
    docs = Path(__file__).parents[2] / "docs"
    bank = (docs / "derivatives_bank.md").read_text(encoding="utf-8")
    rows = [line for line in bank.splitlines() if line.endswith("| no |")]
    names = {re.search(r"`(?:\w+\.)*(\w+)", row)[1] for row in rows}
    page = (docs / "derivatives.md").read_text(encoding="utf-8")
    reasons = page.split("## What is not corrected")[1]
    named = {x.split(".")[-1] for x in re.findall(r"`([\w.]+)`", reasons)}
    assert len(names) > 20
    assert names <= named, names - named
