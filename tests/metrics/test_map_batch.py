"""Scores of perturbed copies, whatever the batches, data and model."""

import keras
import numpy as np
import pytest
from keras import layers
from support.attributions import UNITS, X, random_maps
from support.small_models import linear, network, numpy

from keras_explainable import targets
from keras_explainable.metrics.pixel_order import pixel_ranks
from keras_explainable.metrics.pixel_removal import deletion, perturbation_curves

IMAGES = np.random.default_rng(0).normal(size=(5, 12, 12, 3)).astype("float32")
MAPS = np.random.default_rng(1).normal(size=(5, 12, 12, 2))
LABELS = np.array([[0, 1], [2, 3], [4, 0], [1, 2], [3, 4]])


@pytest.mark.parametrize("baseline", [0.0, "mean", "blur", "uniform", "noisy_linear"])
def test_batches_and_order_do_not_change_scores(baseline):
    model, options = (
        network("softmax"),
        {"steps": 4, "baseline": baseline, "verbose": 0},
    )
    scores = deletion(model, IMAGES, MAPS, LABELS, batch_size=64, **options)
    ids, order = np.arange(5), [3, 0, 4]
    for size in (3, 1):
        some = deletion(
            model, IMAGES[order], MAPS[order], LABELS[order],
            batch_size=size, ids=ids[order], **options,
        )  # fmt: skip
        np.testing.assert_allclose(some, scores[order], rtol=1e-4)


@pytest.mark.skipif(
    keras.backend.backend() != "torch", reason="the others call a model once"
)
def test_one_step_is_compiled_and_runs_full_chunks():
    shapes = []
    model = network()
    call = type(model).__call__

    def counted(self, inputs, *args, **kwargs):
        shapes.append(tuple(inputs.shape))
        return call(self, inputs, *args, **kwargs)

    def bare(inputs, training=False):
        return counted(model, inputs, training=training)

    deletion(bare, IMAGES, MAPS, LABELS, steps=9, batch_size=7, verbose=0)
    assert {shape[0] for shape in shapes} <= {5, 7}
    assert sum(shape[0] == 7 for shape in shapes) == -(-5 * 2 * 10 // 7)


def test_pixels_in_equal_order_are_shuffled_the_same_way():
    maps = np.zeros((2, 3, 4, 2))
    maps[:, 1, 2, 0] = 1
    ids = np.array([7, 9])
    ranks = pixel_ranks(maps, ids, 0)
    assert ranks.shape == (2, 2, 3, 4)
    assert all(sorted(one.ravel()) == [*range(12)] for one in ranks.reshape(4, 12))
    assert (ranks[:, 0, 1, 2] == 0).all()
    assert ranks[0, 1].ravel().tolist() != [*range(12)]
    np.testing.assert_array_equal(ranks, pixel_ranks(3 * maps, ids, 0))
    np.testing.assert_array_equal(ranks[1:], pixel_ranks(maps[1:], ids[1:], 0))
    assert (ranks[0] != ranks[1]).any()
    assert (ranks != pixel_ranks(maps, ids, 1)).any()


def test_units_targets_and_data_sets_are_those_of_explain():
    model, options = linear(), {"steps": 3, "verbose": 0}
    maps, units = random_maps(), np.tile([1, 3], (6, 1))
    scores = deletion(model, X, maps, units, **options)
    target = targets.units(1, 3)
    np.testing.assert_allclose(deletion(model, X, maps, target, **options), scores)
    pairs = ((X[i : i + 2], units[i : i + 2]) for i in range(0, 6, 2))
    np.testing.assert_allclose(deletion(model, pairs, maps, **options), scores, 1e-5)
    best = np.argmax(numpy(model(X)), axis=1)
    top = deletion(model, X, maps[..., :1], "predicted", **options)
    known = deletion(model, X, maps[..., :1], best, **options)
    np.testing.assert_allclose(top, known, rtol=1e-5)
    every = deletion(model, X, random_maps(5), **options)
    all_units = deletion(model, X, random_maps(5), np.tile(range(5), (6, 1)), **options)
    np.testing.assert_allclose(every, all_units, rtol=1e-5)


def test_a_target_with_data_has_the_row_of_its_image():
    model, options = linear(), {"steps": 2, "verbose": 0}
    weights = np.random.default_rng(2).normal(size=(6, 5)).astype("float32")
    target = targets.Target(lambda out, w: keras.ops.sum(out * w, -1), weights)
    found = deletion(model, X, random_maps(1), target, **options)
    every = deletion(model, X, np.repeat(random_maps(1), 5, axis=-1), **options)
    np.testing.assert_allclose(found[:, 0], (every * weights).sum(1), atol=1e-4)


def test_probabilities_and_logits():
    model = network("softmax")
    options = {"steps": 2, "verbose": 0}
    curves = perturbation_curves(model, IMAGES, MAPS, LABELS, **options)
    wanted = np.take_along_axis(numpy(model(IMAGES)), LABELS, axis=1)
    np.testing.assert_allclose(curves.scores[:, 0], wanted, rtol=1e-4)
    curves = perturbation_curves(model, IMAGES, MAPS, LABELS, logits=True, **options)
    difference = np.log(wanted[:, 0] / wanted[:, 1])
    logits = curves.scores[:, 0]
    np.testing.assert_allclose(logits[:, 0] - logits[:, 1], difference, atol=1e-4)


def test_baselines_are_in_the_form_of_the_input():
    model, inputs = network(), keras.Input((3, 12, 12))
    first = keras.Model(inputs, model(layers.Permute((2, 3, 1))(inputs)))
    baseline = np.random.default_rng(2).normal(size=(12, 12, 3)).astype("float32")
    options = {"steps": 2, "verbose": 0}
    scores = deletion(model, IMAGES, MAPS, LABELS, baseline=baseline, **options)
    moved = (IMAGES.transpose(0, 3, 1, 2), baseline.transpose(2, 0, 1))
    found = deletion(first, moved[0], MAPS, LABELS, baseline=moved[1], **options)
    np.testing.assert_allclose(found, scores, rtol=1e-3)


def test_hidden_steps_are_not_shown():
    inputs = keras.Input((6, 2))
    hidden = layers.Masking()(inputs)
    model = keras.Model(inputs, layers.Dense(2)(layers.SimpleRNN(3)(hidden)))
    x = np.random.default_rng(0).normal(size=(2, 6, 2)).astype("float32")
    x[:, 4:] = 0
    maps = np.random.default_rng(1).normal(size=(2, 6, 1))
    last = perturbation_curves(model, x, maps, [0, 1], steps=1, baseline=1.0, verbose=0)
    shown = np.where(x == 0, 0, 1).astype("float32")
    wanted = numpy(model(shown))[[0, 1], [0, 1]]
    np.testing.assert_allclose(last.scores[:, -1, 0], wanted, rtol=1e-4)


def test_the_model_and_what_is_given_stay_as_they_are():
    model, maps = network(), MAPS.copy()
    weights = [numpy(w).copy() for w in model.weights]
    deletion(model, IMAGES, maps, LABELS, steps=2, verbose=0)
    np.testing.assert_array_equal(maps, MAPS)
    for before, after in zip(weights, model.weights, strict=True):
        np.testing.assert_array_equal(before, numpy(after))


def test_progress_counts_copies(capsys):
    deletion(linear(), X, random_maps(), UNITS, steps=4)
    assert "/image - 60 copies" in capsys.readouterr().out


def two_inputs():
    a, b = keras.Input((4,)), keras.Input((4,))
    return keras.Model([a, b], layers.Dense(2)(a + b))


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (
            {"maps": random_maps()[:, :3]},
            ValueError,
            r"\(4, 4, 2\) for each image; received \(3,",
        ),
        ({"maps": random_maps(3)}, ValueError, "`maps` must have the size of the inp"),
        ({"maps": random_maps()[:5]}, ValueError, "each of the 6 images; received 5"),
        ({"maps": random_maps() * np.nan}, ValueError, "`maps` must be finite"),
        ({"maps": None}, TypeError, "`maps`"),
        ({"baseline": "black"}, ValueError, "`baseline` must be a number"),
        ({"baseline": [1, 2]}, ValueError, "`baseline` must be a number"),
        ({"seed": -1}, ValueError, "`seed` must be at least 0"),
        ({"batch_size": 0}, ValueError, "`batch_size` must be at least 1"),
        ({"logits": 1}, TypeError, "`logits` must be True or False"),
        ({"stepz": 1}, TypeError, "stepz"),
        ({"y": [9] * 6}, ValueError, "`y` must be units of the model"),
        ({"x": X * np.nan}, ValueError, "`x` must be finite"),
        ({"model": two_inputs, "x": [X, X]}, ValueError, "`model` must have one input"),
    ],
)
def test_errors(change, error, message):
    arguments = {"model": linear, "x": X, "maps": random_maps(), "y": UNITS, **change}
    arguments["model"] = arguments["model"]()
    with pytest.raises(error, match=message):
        deletion(**arguments, verbose=0)


def test_errors_of_streams():
    stream = ((X[i : i + 2], UNITS[i : i + 2]) for i in range(0, 6, 2))
    with pytest.raises(ValueError, match="each of the 6 images; received 7"):
        deletion(linear(), stream, random_maps().repeat(2, 0)[:7], verbose=0)


@pytest.mark.parametrize(
    ("shape", "baselines"),
    [((6, 2), ["noisy_linear"]), ((6,), ["noisy_linear", "mean", "blur"])],
)
def test_baselines_without_a_meaning_are_refused(shape, baselines):
    x = np.ones((2, *shape), "float32")
    model = keras.Sequential([keras.Input(shape), layers.Flatten(), layers.Dense(1)])
    maps = np.random.default_rng(0).normal(size=(2, 6, 1))
    for baseline in baselines:
        with pytest.raises(ValueError, match=f"must not be '{baseline}' unless"):
            deletion(model, x, maps, baseline=baseline, verbose=0)


def test_tables_signals_and_volumes():
    for shape in (6,), (6, 2), (2, 3, 1, 2):
        x = np.random.default_rng(1).normal(size=(2, *shape)).astype("float32")
        model = keras.Sequential([keras.Input(shape), layers.Flatten()])
        model.add(layers.Dense(1))
        weights = numpy(model.layers[-1].kernel).reshape(shape)
        shares = x * weights if len(shape) == 1 else (x * weights).sum(-1)
        maps = np.random.default_rng(0).normal(size=(*shares.shape, 1))
        curves = perturbation_curves(model, x, maps, verbose=0)
        flat, order = shares.reshape(2, 6), np.argsort(-maps.reshape(2, 6), axis=1)
        drops = np.cumsum(np.take_along_axis(flat, order, axis=1), axis=1)
        found = curves.scores[:, 0] - curves.scores[:, 1:, 0]
        np.testing.assert_allclose(found, drops, rtol=1e-3, atol=1e-5)


def test_images_of_different_sizes():
    inputs = keras.Input((None, None, 3))
    pooled = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(inputs))
    model = keras.Model(inputs, layers.Dense(2)(pooled))
    x = [IMAGES[0], IMAGES[1, :9], IMAGES[2, :9]]
    maps = [MAPS[0], MAPS[1, :9], MAPS[2, :9]]
    units, options = [[0, 1]] * 3, {"steps": 3, "verbose": 0}
    scores = deletion(model, x, maps, units, **options)
    own = deletion(model, IMAGES[:1], MAPS[:1], units[:1], **options)
    np.testing.assert_allclose(scores[:1], own, rtol=1e-4)
    with pytest.raises(ValueError, match="`maps` must have the size of the inputs"):
        deletion(model, x, [MAPS[0], MAPS[1], MAPS[2, :9]], units, **options)


def test_models_of_a_fixed_batch_size():
    model, inputs = network(), keras.Input(batch_shape=(3, 12, 12, 3))
    fixed, options = keras.Model(inputs, model(inputs)), {"steps": 3, "verbose": 0}
    scores = deletion(model, IMAGES, MAPS, LABELS, **options)
    found = deletion(fixed, IMAGES, MAPS, LABELS, **options)
    np.testing.assert_allclose(found, scores, rtol=1e-3)


def test_tokens_are_replaced_by_vectors():
    inputs = keras.Input((5,), dtype="int32")
    vectors = layers.Embedding(9, 4, name="words")(inputs)
    hidden = layers.Dense(3, activation="relu")(layers.Flatten()(vectors))
    model = keras.Model(inputs, layers.Dense(2)(hidden))
    tokens = np.array([[1, 2, 3, 4, 5], [8, 7, 6, 5, 4]])
    maps = np.random.default_rng(0).normal(size=(2, 5, 1))
    curves = perturbation_curves(model, tokens, maps, [0, 1], steps=1, verbose=0)
    wanted = numpy(model(tokens))[[0, 1], [0, 1]]
    np.testing.assert_allclose(curves.scores[:, 0, 0], wanted, rtol=1e-4)
    assert not np.allclose(curves.scores[:, 1, 0], wanted)
