"""A copy with other outputs is detected and not used, and its layer is named."""

import keras
import numpy as np
import pytest
from keras import layers, ops
from support.model_equality import SIGNED, batch
from support.small_models import network, randomize

import keras_explainable as ke
from keras_explainable.lowering import checked_copy, lower
from keras_explainable.lowering.compare_outputs import agree, difference
from keras_explainable.lowering.fold_batchnorm import Norm


def explain(model, x, **params):
    return ke.explain(SIGNED, model, x, [0, 1, 2], verbose=0, **params)


def tensor(values):
    return ops.convert_to_tensor(np.array(values, "float32"))


@pytest.mark.parametrize(
    ("found", "expected", "answer"),
    [
        ([3.0, 4.0], [3.0, 4.0], 0.0),
        ([3.0, 4.5], [3.0, 4.0], 0.1),
        ([0.0, 0.0], [3.0, 4.0], 1.0),
        ([0.0, 0.0], [0.0, 0.0], 0.0),
        ([0.0, -0.5], [0.0, 0.0], 0.5),
        ([3.0, np.nan], [3.0, np.nan], 0.0),
        ([3.5, np.inf], [5.0, np.inf], 0.3),
        ([3.0, -np.inf], [3.0, np.inf], np.inf),
        ([3.0, 1.0], [3.0, np.nan], np.inf),
        ([np.nan], [np.nan], 0.0),
    ],
)
def test_difference(found, expected, answer):
    assert difference(tensor(found), tensor(expected)) == pytest.approx(answer)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite_only_in_the_copy_do_not_agree(value):
    assert not agree(tensor([1.0, value]), tensor([1.0, 2.0]), 0.5)
    assert not agree(tensor([value]), tensor([0.0]), 0.5)


def test_agree():
    assert agree(tensor([1.0, 1.0]), tensor([1.0, 1.0]), 0.0)
    assert agree(tensor([1.0, 1.001]), tensor([1.0, 1.0]), 0.001)
    assert not agree(tensor([1.0, 1.01]), tensor([1.0, 1.0]), 0.001)


@pytest.fixture
def model():
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, activation="relu", name="first")(inputs)
    x = layers.Conv2D(4, 3, use_bias=False, name="second")(x)
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.GlobalAveragePooling2D()(layers.ReLU(name="relu")(x))
    model = keras.Model(inputs, layers.Dense(5, activation="softmax")(x))
    randomize(model)
    return model


@pytest.fixture
def x(model):
    return batch(model)


@pytest.fixture
def wrong(monkeypatch):
    """Make folding wrong: the scale is too large."""
    right = Norm.arrays

    def arrays(self):
        scale, shift = right(self)
        return [scale * 1.1, shift]

    monkeypatch.setattr(Norm, "arrays", arrays)


@pytest.mark.usefixtures("wrong")
def test_a_wrong_copy_is_not_used_and_its_layer_is_named(model, x):
    expected = explain(model, x, lower=False)
    with pytest.warns(
        UserWarning, match="output of layer '(second|relu)' has a relative error of"
    ):
        found = explain(model, x)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.usefixtures("wrong")
def test_each_call_warns_once_at_the_users_line(model, x):
    for _ in range(2):
        with pytest.warns(UserWarning, match="does not compute what") as caught:
            explain(model, x)
        ours = [warning for warning in caught if warning.category is UserWarning]
        assert len(ours) == 1
        assert "test_compare_outputs" in ours[0].filename


def test_changed_weights_are_compared_again(model, x, monkeypatch):
    explain(model, x)
    right = Norm.arrays
    monkeypatch.setattr(Norm, "arrays", lambda self: [2 * a for a in right(self)])
    explain(model, x)  # The weights are not copied again.
    randomize(model, seed=1)
    with pytest.warns(UserWarning, match="does not compute what"):
        explain(model, x)
    monkeypatch.undo()
    randomize(model, seed=2)
    found, expected = explain(model, x), explain(model, x, lower=False)
    assert difference(found[1], expected[1]) < 1e-4


def test_a_correct_copy_is_used_and_compared_once(model, x, monkeypatch):
    logits = ke.inspection.logits_model(model)
    lowered, inputs = lower(logits), ops.convert_to_tensor(x)
    assert lowered.agrees is None
    assert checked_copy(lowered, logits, inputs, 2) is lowered
    assert lowered.agrees is True
    with monkeypatch.context() as patch:
        patch.setattr(lowered, "graph", None)  # So that it cannot run.
        assert checked_copy(lowered, logits, inputs, 2) is lowered
    assert lower(logits).agrees is True


def test_a_model_that_is_not_lowered_is_not_compared(model, x):
    assert checked_copy(model, network(), ops.convert_to_tensor(x), 2) is not model


def test_half_precision_passes_the_check(model, x):
    found, expected = explain(model, x, precision="bfloat16"), explain(model, x)
    assert 1e-6 < difference(found[1], expected[1]) < 0.3


def test_outputs_that_are_not_finite(model, x):
    model.get_layer("norm").beta.assign(np.full(4, np.inf))
    with pytest.warns(UserWarning, match="NaN or infinite") as caught:
        ke.explain(SIGNED, model, x, [0, 1, 2], verbose=0)
    assert not any("lowered copy" in str(each.message) for each in caught)


def test_a_network_that_is_no_function_is_recognised(x):
    """Two runs differ by themselves, for which the copy is not blamed."""
    draws = np.random.default_rng(0)
    inputs = keras.Input((8, 8, 3))
    noisy = layers.Lambda(
        lambda h: h + draws.normal(), output_shape=(8, 8, 3), name="drawing"
    )
    h = layers.Conv2D(4, 3)(noisy(inputs))
    model = keras.Model(inputs, layers.Dense(5)(layers.GlobalAveragePooling2D()(h)))
    with pytest.warns(UserWarning, match="Two runs of .* differ: .*layer 'drawing'"):
        explain(model, x)
