"""Signatures, docstrings and behaviour of the shortcuts agree."""

import inspect

import keras
import numpy as np
import pytest
from support.small_models import images, linear, network
from support.transformers import transformer

import keras_explainable as ke
from keras_explainable.common.docstring_sections import entries, section
from keras_explainable.execution.method_checks import is_shortcut
from keras_explainable.methods.gradient import gradients

pytestmark = (
    pytest.mark.backend_independent
)  # The same functions are called in all cases.

NAMES = [name for name in ke.__all__ if is_shortcut(getattr(ke, name))]
QUICK = {"rise": {"repetitions": 4}}


def parameters(name):
    return inspect.signature(getattr(ke, name)).parameters


@pytest.fixture(scope="module", params=["images", "tokens"])
def case(request):
    """Return a model, inputs, units and the shortcuts that explain them."""
    keras.utils.set_random_seed(0)
    of_tokens = [name for name in NAMES if "layers" in parameters(name)]
    draw = np.random.default_rng(0).normal
    if request.param == "tokens":
        return transformer(), draw(size=(1, 16, 24, 3)), [0], of_tokens
    names = [name for name in NAMES if name not in of_tokens]
    return network(side=8), draw(size=(2, 8, 8, 3)), [0, 3], names


def test_the_example_is_the_call_with_all_defaults(case):
    model, x, y, names = case
    values = {"ke": ke, "model": model, "x": x, "y": y, "data": x}
    for name in names:
        own = {each: param.default for each, param in parameters(name).items()}
        given = {each: values.get(each, default) for each, default in own.items()}
        given |= QUICK.get(name, {}) | {"verbose": 0}
        call = inspect.signature(getattr(ke, name)).bind(**given)
        logits, maps = getattr(ke, name)(*call.args, **call.kwargs)
        if name in QUICK:
            continue
        _, example = getattr(ke, name).__doc__.split("Example::\n\n")
        found = dict(values)
        exec(example.splitlines()[0].strip(), found)
        np.testing.assert_array_equal(found["logits"], logits)
        assert found["maps"].shape == maps.shape
        if given.get("seed", 0) is not None:
            np.testing.assert_array_equal(found["maps"], maps)


@pytest.mark.parametrize("name", NAMES)
def test_a_name_beside_a_parameter_is_refused_with_it(name):
    model, x = linear(), images(1)
    for each in [*parameters(name)][3:]:
        expected = rf"`{each}x` is not a parameter of .* did you mean `{each}`\?"
        with pytest.raises(TypeError, match=expected):
            getattr(ke, name)(model, x, **{f"{each}x": None})


@pytest.mark.parametrize("name", NAMES)
def test_docstrings_describe_each_parameter(name):
    doc = inspect.getdoc(getattr(ke, name))
    described = entries(doc)
    assert [*described] == [*parameters(name)]
    assert all(len(text) > 15 for text in described.values()), described
    assert "``.\n" in section(doc, "Args")  # Defaults are said.
    assert section(doc, "Reference").startswith(" ") is False
    assert max(map(len, doc.splitlines())) <= 88


def test_return_stats_is_shown_where_it_works():
    with_stats = [name for name in NAMES if "return_stats" in parameters(name)]
    own = ["expected_gradients", "rise", "smoothgrad", "smoothgrad_squared", "vargrad"]
    assert with_stats == own


def test_a_partial_has_the_signature_with_its_defaults():
    own = ke.partial_explain(gradients, batch_size=7, channel_reduction=None)
    found = inspect.signature(own).parameters
    assert found["batch_size"].default == 7
    assert found["channel_reduction"].default is None
    assert found["lower"].default is True
    untold = ke.partial_explain(lambda model, x, y=None, **params: None)
    assert [*inspect.signature(untold).parameters][-1] == "params"
