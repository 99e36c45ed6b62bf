"""`explain` and the shortcuts take the original package's parameters in its order."""

import inspect
import warnings

import keras
import numpy as np
import pytest
from support.small_models import images, linear, weights_of

import keras_explainable as ke
from keras_explainable.common.warnings import Once
from keras_explainable.engine import ignored_parameters
from keras_explainable.methods.gradient import gradients

ORDER = ["method", "model", "x", "y", "batch_size", "verbose", "steps", "callbacks"]
ORDER += ["max_queue_size", "workers", "use_multiprocessing", "force"]
IGNORED = {"max_queue_size": 7, "workers": 2, "use_multiprocessing": True}
IGNORED["force"] = False

X, Y = images(5), np.array([[0, 3]] * 5)


class Batches(keras.callbacks.Callback):
    """Records the batches that it is told of."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def on_predict_batch_end(self, batch, logs=None):
        self.seen.append(len(logs["outputs"][1]))


@pytest.fixture
def model():
    return linear()


@pytest.fixture(autouse=True)
def _nothing_said_yet(monkeypatch):
    monkeypatch.setattr(ignored_parameters, "_once", Once())


def test_the_order():
    assert [*inspect.signature(ke.explain).parameters][: len(ORDER)] == ORDER


@pytest.mark.parametrize("call", ["explain", "shortcut"])
def test_parameters_by_position(model, call, capsys):
    """Two rows at once, without a progress bar, for two of the three batches."""
    batches = Batches()
    given = (model, X, Y, 2, 0, 2, [batches], 10, 1, False, True)
    if call == "explain":
        _, maps = ke.explain(gradients, *given)
    else:
        _, maps = ke.gradients(*given, postprocessing=None)
    expected = np.abs(weights_of(model, Y[:4])).mean(axis=-2)
    np.testing.assert_allclose(maps, expected, rtol=1e-5)
    assert batches.seen == [2, 2]
    assert capsys.readouterr().out == ""


def test_a_position_replaces_the_default_of_a_partial(model):
    batches = Batches()
    two = ke.partial_explain(gradients, batch_size=2, callbacks=[batches])
    two(model, X, Y, 4, 0)
    assert batches.seen == [4, 1]
    with pytest.raises(TypeError, match="multiple values for argument 'batch_size'"):
        two(model, X, Y, 4, batch_size=3)


@pytest.mark.parametrize("name", IGNORED)
def test_parameters_without_a_meaning_are_said_once(model, name):
    expected = ke.gradients(model, X, Y, verbose=0)[1]
    with pytest.warns(UserWarning, match=f"`{name}` has no effect") as said:
        maps = ke.gradients(model, X, Y, verbose=0, **{name: IGNORED[name]})[1]
    [own] = [each for each in said if "has no effect" in str(each.message)]
    assert own.filename == __file__
    np.testing.assert_array_equal(maps, expected)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*has no effect")
        ke.gradients(model, X, Y, verbose=0, **{name: IGNORED[name]})


def test_all_by_position(model):
    with pytest.warns(UserWarning, match="has no effect") as said:
        _, maps = ke.explain(
            gradients, model, X, Y, 2, 0, None, None, 7, 2, True, False
        )
    assert sum("has no effect" in str(each.message) for each in said) == 4
    assert maps.shape == (5, 4, 4, 2)
