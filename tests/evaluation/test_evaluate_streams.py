"""Data sets are scored as arrays are; what cannot be scored is one clear error."""

from functools import partial

import keras
import numpy as np
import pytest
from support.attributions import UNITS, X, linear, random_maps

import keras_explainable as ke
from keras_explainable import metrics
from keras_explainable.metrics.orientation import higher_is_better

MASKS = np.zeros(X.shape[:3], bool)
MASKS[:, 1:3, 1:] = True
METRICS = {"d": partial(metrics.deletion, steps=4), "auc": metrics.auc}
METHODS = ["gradients", ke.methods.gradient.input_x_gradient]

evaluate = partial(ke.evaluate, METHODS, verbose=0, controls=False)


class Batches(keras.utils.PyDataset):
    def __len__(self):
        return 2

    def __getitem__(self, number):
        rows = slice(4 * number, 4 * number + 4)
        return X[rows], UNITS[rows]


def streams():
    yield "generator", ((X[i : i + 4], UNITS[i : i + 4]) for i in (0, 4))
    yield "samples", zip(X, UNITS, strict=True)
    yield "PyDataset", Batches()
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        yield "tf.data", tf.data.Dataset.from_tensor_slices((X, UNITS)).batch(4)
    if keras.backend.backend() == "torch":
        import torch
        from torch.utils.data import DataLoader, TensorDataset

        pairs = TensorDataset(torch.tensor(X), torch.tensor(UNITS))
        yield "DataLoader", DataLoader(pairs, 4)


def test_scores_of_data_sets_are_those_of_arrays():
    model = linear()
    expected = evaluate(model, X, UNITS, METRICS, MASKS)
    for kind, stream in streams():
        found = evaluate(model, stream, None, METRICS, MASKS)
        np.testing.assert_allclose(
            found.samples, expected.samples, 1e-4, 1e-6, err_msg=kind
        )
        curves = expected.curves["d"].scores
        np.testing.assert_allclose(found.curves["d"].scores, curves, 1e-4, 1e-6)
        assert found.ids.tolist() == expected.ids.tolist()
        assert found.facts == expected.facts


def test_targets_replace_the_labels_of_data_sets():
    model = linear()
    expected = evaluate(model, X, "predicted", METRICS, MASKS, ids=range(3, 9))
    stream = ((X[i : i + 4], UNITS[i : i + 4]) for i in (0, 4))
    found = evaluate(model, stream, "predicted", METRICS, MASKS, ids=range(3, 9))
    np.testing.assert_allclose(found.samples, expected.samples, 1e-4, 1e-6)
    assert found.ids.tolist() == [*range(3, 9)]


def test_units_of_all_images_replace_the_labels_of_data_sets():
    model, units = linear(), (UNITS + 1) % 3
    expected = evaluate(model, X, units, METRICS, MASKS)
    for given in (units, units.tolist()):
        stream = ((X[i : i + 4], UNITS[i : i + 4]) for i in (0, 4))
        found = evaluate(model, stream, given, METRICS, MASKS)
        np.testing.assert_allclose(found.samples, expected.samples, 1e-4, 1e-6)
    stream = ((X[i : i + 4], UNITS[i : i + 4]) for i in (0, 4))
    with pytest.raises(ValueError, match=r"`y` must be as many .* received 5"):
        evaluate(model, stream, units[:5], METRICS, MASKS)
    stream = ((X[i : i + 4], UNITS[i : i + 4]) for i in (0, 4))
    with pytest.raises(ValueError, match="`y` must have one row for each image"):
        evaluate(model, stream, 1, METRICS, MASKS)


def test_ctrl_c_keeps_the_batches_before():
    done = []

    @higher_is_better
    def stopping(maps):
        done.append(len(maps))
        if len(done) == 4:
            raise KeyboardInterrupt
        return np.arange(len(maps))

    stream = ((X[i : i + 2], UNITS[i : i + 2]) for i in (0, 2, 4))
    with pytest.warns(UserWarning, match="Stopped at 2 of 2 images"):
        found = evaluate(linear(), stream, None, {"s": stopping})
    assert found.images.tolist() == [[4], [2]]
    assert found.unfinished_ids == (2, 3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"masks": MASKS[:5]}, "`masks` must be as many as the images of `x`, 6 or"),
        ({"masks": np.repeat(MASKS, 2, axis=0)}, "images of `x`, 6; received 12"),
        ({"ids": range(7)}, "`ids` must be as many as the images of `x`, 6; rec.* 7"),
        ({"x": iter(())}, "`x` must hold at least one input; received none"),
        (
            {"methods": {"m": random_maps()}},
            r"\['m'\]` must be a method if `x` is",
        ),
        ({"x": np.ones((6, 5))}, r"spatial axes.* shape \(6, 5\)\. For tables, use"),
        ({"ids": [1, 2, 3, 1, 2, 3]}, "received the id 1 twice"),
    ],
)
def test_what_does_not_fit_is_refused(change, message):
    given = {"x": ((X[i : i + 3], UNITS[i : i + 3]) for i in (0, 3)), "masks": MASKS}
    given = {"methods": METHODS, "metrics": METRICS} | given | change
    with pytest.raises(ValueError, match=message):
        ke.evaluate(model=linear(), verbose=0, controls=False, **given)
