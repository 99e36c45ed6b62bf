"""The file for programs is JSON as every reader takes it."""

import json

import pytest

from keras_explainable.report.manifest import json_text


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_numbers_that_json_does_not_have_are_null(value):
    text = json_text({"scores": [1.0, value], "of": {"loss": (value, 2)}})

    def refuse(constant):
        raise AssertionError(constant)

    found = json.loads(text, parse_constant=refuse)
    assert found == {"scores": [1.0, None], "of": {"loss": [None, 2]}}
