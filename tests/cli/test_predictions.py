import keras
import numpy as np
from keras import layers

from keras_explainable.cli import predictions
from keras_explainable.cli.load_model import LoadedModel
from keras_explainable.engine import class_scores

X = np.random.default_rng(0).uniform(0, 255, (3, 6, 6, 3)).astype("float32")


def classifier(classes, *end):
    pooled = [keras.Input((6, 6, 3)), layers.GlobalAveragePooling2D()]
    dense = layers.Dense(classes, kernel_initializer="normal", name="logits")
    return keras.Sequential([*pooled, layers.Rescaling(1 / 50), dense, *end])


def logits_of(model):
    return keras.Model(model.inputs, model.get_layer("logits").output).predict(
        X, verbose=0
    )


def predicted(model):
    """Return logits, scores and whether these are probabilities; batches of two."""
    labels = tuple("abcd")
    loaded = LoadedModel("net", model, "none", lambda x: x, labels)
    found = predictions.predict(loaded, X, 2)
    return found.logits, found.scores, found.are_probabilities


def softmax(x):
    return np.exp(x) / np.exp(x).sum(axis=1, keepdims=True)


def test_scores_are_probabilities_and_logits_are_kept():
    model = classifier(4, layers.Softmax())
    logits, scores, probable = predicted(model)
    np.testing.assert_allclose(logits, logits_of(model), rtol=1e-5)
    np.testing.assert_allclose(scores, softmax(logits), rtol=1e-5)
    assert probable


def test_logits_are_shown_as_probabilities():
    model = classifier(4)
    logits, scores, probable = predicted(model)
    np.testing.assert_allclose(logits, logits_of(model), rtol=1e-5)
    np.testing.assert_allclose(scores, softmax(logits), rtol=1e-5)
    assert probable


def test_a_sigmoid_is_a_probability():
    model = classifier(1, layers.Activation("sigmoid"))
    logits, scores, probable = predicted(model)
    np.testing.assert_allclose(scores, 1 / (1 + np.exp(-logits)), rtol=1e-5)
    assert probable


def test_a_single_number_is_shown_as_it_is():
    logits, scores, probable = predicted(classifier(1))
    np.testing.assert_array_equal(scores, logits)
    assert not probable


def test_probabilities_of_a_subclassed_model():
    class Whole(keras.Model):
        def __init__(self):
            super().__init__()
            self.inner = classifier(4, layers.Softmax())

        def call(self, x, training=False):
            return self.inner(x, training=training)

    model = Whole()
    _, scores, probable = predicted(model)
    np.testing.assert_allclose(scores, model.inner.predict(X, verbose=0), rtol=1e-5)
    assert probable


def test_large_logits_do_not_overflow():
    scores = class_scores._softmax(np.array([[1e4, 0], [-1e4, -1e4]], "float32"))
    np.testing.assert_array_equal(scores, [[1, 0], [0.5, 0.5]])


def test_top_predictions_are_sorted_with_stable_ties():
    logits = np.array([[1, 5, 5, 3]], "float32")
    found = predictions.Predictions(logits, logits / 10, True, tuple("abcd"))
    best = found.top(0, 3)
    assert [one.label for one in best] == ["b", "c", "d"]
    assert [one.unit for one in best] == [1, 2, 3]
    assert [one.score for one in found.of_units(0, np.array([3, 0]))] == [
        float(np.float32(0.3)),
        float(np.float32(0.1)),
    ]
