"""Containers of outputs that know what was asked for."""

import pytest

from keras_explainable.inspection.asked_outputs import asked_outputs


@pytest.mark.parametrize(
    ("ask", "expected"),
    [
        (lambda outputs: outputs[-1], {2}),
        (lambda outputs: outputs[:2], {0, 1}),
        (lambda outputs: [*outputs], {0, 1, 2}),
        (lambda outputs: len(outputs), set()),
        (lambda outputs: [*zip(outputs, range(2), strict=False)], {0, 1, 2}),
    ],
)
def test_positions_that_were_asked_for(ask, expected):
    given = asked_outputs(["a", "b", "c"], dict(enumerate("xyz")))
    assert ask(given) == ask(["x", "y", "z"])
    assert given.asked == expected


@pytest.mark.parametrize(
    ("ask", "expected"),
    [
        (lambda outputs: outputs["b"], {"b"}),
        (lambda outputs: outputs.get("d", 3), set()),
        (lambda outputs: [*outputs], set()),
        (lambda outputs: [*outputs.values()], {"b", "a"}),
        (lambda outputs: {**outputs}, {"b", "a"}),
        (lambda outputs: "a" in outputs, {"a"}),
    ],
)
def test_keys_that_were_asked_for(ask, expected):
    given = asked_outputs({"b": 0, "a": 0}, {"b": 1, "a": 2})
    assert ask(given) == ask({"b": 1, "a": 2})
    assert given.asked == expected


def test_other_outputs_than_before_are_no_zeros():
    for outputs, key in ((["a", "b"], 1), ({0: "a", 1: "b"}, 1)):
        given = asked_outputs(outputs, {0: "x"})
        assert given[0] == "x"
        with pytest.raises(ValueError, match="the same outputs each time"):
            given[key]
