"""The only unit of a binary classifier has the name of label 1."""

import pytest

from keras_explainable.common.unit_names import hint_of_units, names_of_units

BOTH = ["even", "odd"]


@pytest.mark.parametrize("names", [BOTH, ("even", "odd"), {0: "even", 1: "odd"}])
def test_of_two_names_the_only_unit_has_the_second(names):
    assert names_of_units(names, 1) == ["odd"]
    assert names_of_units(names, 2) is names_of_units(names, None) is names


@pytest.mark.parametrize("names", [["odd"], {0: "odd"}, {1: "odd"}, "ab", [*BOTH, "x"]])
def test_other_names_stay_as_they_are(names):
    assert names_of_units(names, 1) is names


def test_errors_say_so_of_models_with_one_unit():
    assert "label 1" in hint_of_units(1)
    assert hint_of_units(2) == hint_of_units(None) == ""
