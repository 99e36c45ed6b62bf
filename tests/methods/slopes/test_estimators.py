"""Properties of gradients smoothed by samples, by slopes, and by both."""

import warnings
from functools import partial

import keras
import numpy as np
import pytest
from keras import layers
from support.estimators import (
    agrees_in_the_limit,
    distance,
    explained,
    maps_and_error,
    network,
    pictures,
)

import keras_explainable as ke
from keras_explainable.methods.gradient.input_gradients import SIGNED_GRADIENTS
from keras_explainable.methods.slopes import linearized_network

ESTIMATORS = ("sampled", "slopes", "hybrid")
smooth_gradients = ke.methods.gradient.smooth_gradients


@pytest.fixture(autouse=True)
def seeded():
    keras.utils.set_random_seed(7)


def test_sampled_is_smooth_with_signed_gradients():
    model, x = network(layers.Conv2D(4, 3, activation="relu")), pictures()
    smooth = ke.methods.meta.smooth(SIGNED_GRADIENTS, 8, 0.5, seed=0)
    _, expected = ke.explain(smooth, model, x, [0, 1], verbose=0)
    np.testing.assert_array_equal(explained(model, x, [0, 1], "sampled"), expected)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_linear_network_gives_its_weights(estimator):
    model, x = network(layers.Conv2D(4, 3), layers.AveragePooling2D(2)), pictures()
    _, expected = ke.explain(SIGNED_GRADIENTS, model, x, [[0, 2], [1, 0]], verbose=0)
    found = explained(model, x, [[0, 2], [1, 0]], estimator)
    assert found.shape == (2, 8, 8, 3, 2)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def test_nested_networks_are_flattened():
    backbone = keras.Sequential(
        [keras.Input((8, 8, 3)), layers.Conv2D(4, 3), layers.ReLU()]
    )
    flat, x = network(*backbone.layers), pictures()
    nested = network(backbone)
    nested.set_weights(flat.get_weights())
    found, expected = (explained(m, x, [0, 1], "slopes") for m in (nested, flat))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def test_hybrid_converges_to_the_samples():
    """With 4096 copies they agree within the errors that both estimate."""
    convolutions = [layers.Conv2D(6, 3, activation="relu") for _ in range(2)]
    model, x = network(*convolutions, layers.MaxPooling2D(2)), pictures(1)
    maps, errors = zip(
        *(
            maps_and_error(model, x, [0], estimator, 4096, seed)
            for seed, estimator in enumerate(("hybrid", "sampled"))
        ),
        strict=True,
    )
    difference = np.linalg.norm(maps[0] - maps[1])
    assert difference < 2 * np.hypot(*errors)
    assert difference < 0.05 * np.linalg.norm(maps[1])


@pytest.fixture
def deep():
    return network(
        layers.Conv2D(6, 3, activation="relu"), layers.Conv2D(6, 3, activation="relu")
    )


def test_the_error_of_hybrid_maps_is_estimated(deep):
    """On average over images: the estimate for a single one is rough."""
    x, y = pictures(8), [0] * 8
    expected = explained(deep, x, y, "sampled", 1024, seed=9, batch_size=512)
    method = partial(smooth_gradients, estimator="hybrid", repetitions=64, noise=0.5)
    _, maps, stats = ke.explain(method, deep, x, y, verbose=0, return_stats=True)
    size = np.square(maps).reshape(8, -1).sum(axis=1)
    estimated = (stats.relative_error[:, 0] ** 2 * size).mean()
    true = np.square(maps - expected).reshape(8, -1).sum(axis=1).mean()
    assert 0.5 < estimated / true < 2
    np.testing.assert_array_equal(stats.maps, maps)
    assert (stats.repetitions == 64).all()
    assert 0 <= stats.flip_rate.min() <= stats.flip_rate.max() <= 1
    assert np.abs(stats.score_drift).max() > 0


def test_the_error_of_slopes_is_not_known(deep):
    method = partial(smooth_gradients, estimator="slopes", repetitions=4, noise=0.5)
    stats = ke.explain(method, deep, pictures(), [0, 1], verbose=0, return_stats=True)[
        2
    ]
    assert np.isinf(stats.relative_error).all()


def test_stats_of_samples_are_those_of_smooth(deep):
    options = {"verbose": 0, "return_stats": True}
    both = [
        ke.explain(method, deep, pictures(), [0, 1], **options)[2]
        for method in (
            partial(smooth_gradients, repetitions=8, noise=0.5),
            ke.methods.meta.smooth(SIGNED_GRADIENTS, 8, 0.5, seed=0),
        )
    ]
    for name in ("std_error", "maps", "flips", "score_drift"):
        np.testing.assert_array_equal(*(getattr(stats, name) for stats in both))


def test_hybrid_stats_cannot_be_merged(deep):
    method = partial(smooth_gradients, estimator="hybrid", repetitions=4, noise=0.5)
    stats = ke.explain(method, deep, pictures(), [0, 1], verbose=0, return_stats=True)[
        2
    ]
    with pytest.raises(ValueError, match="`estimator` must be 'sampled'"):
        stats.merged(stats)


def test_a_tolerance_needs_fewer_repetitions(deep):
    options = {"estimator": "hybrid", "repetitions": 512, "noise": 0.5, "verbose": 0}
    stats = ke.smoothgrad(
        deep, pictures(), [0, 1], tolerance=0.3, return_stats=True, **options
    )[2]
    assert (stats.repetitions < 512).all()
    assert (stats.relative_error <= 0.3).all()


def test_a_tolerance_that_is_not_reached_gives_a_warning(deep):
    options = {"estimator": "hybrid", "repetitions": 16, "noise": 0.5, "verbose": 0}
    with pytest.warns(UserWarning, match="relative error above the `tolerance`"):
        ke.smoothgrad(deep, pictures(), [0, 1], tolerance=1e-4, **options)


@pytest.mark.parametrize("estimator", ["slopes", "hybrid"])
def test_the_same_seed_gives_the_same_maps(estimator):
    model = network(layers.Conv2D(4, 3, activation="relu"))
    x = pictures(3)
    first = explained(model, x, [0, 1, 2], estimator, seed=4)
    again = explained(model, x, [0, 1, 2], estimator, seed=4, batch_size=4)
    other = explained(model, x, [0, 1, 2], estimator, seed=5)
    np.testing.assert_allclose(first, again, rtol=1e-3, atol=1e-5)
    assert not np.allclose(first, other)


def test_units_explained_one_by_one_or_all_at_once():
    model, x = network(layers.Conv2D(4, 3, activation="relu")), pictures(1)
    both = explained(model, x, None, "hybrid")
    one = [explained(model, x, [unit], "hybrid")[..., 0] for unit in range(3)]
    np.testing.assert_allclose(both, np.stack(one, -1), rtol=1e-3, atol=1e-5)


def test_unknown_layers_are_named_and_linearised_at_the_mean():
    model, x = network(layers.UnitNormalization(name="strange")), pictures()
    with pytest.warns(UserWarning, match="strange"):
        found = explained(model, x, [0, 1], "slopes", 2, noise=0.02)
    _, expected = ke.explain(SIGNED_GRADIENTS, model, x, [0, 1], verbose=0)
    assert distance(found, expected) < 0.02


class Tilt(keras.layers.Layer):
    """A user's own affine layer."""

    def call(self, inputs):
        return 3 * keras.ops.flip(inputs, axis=1) + 1


@pytest.mark.parametrize(
    "layer", [Tilt(), layers.EinsumDense("bhwc,cd->bhwd", (8, 8, 4), "relu")]
)
@pytest.mark.filterwarnings("error::UserWarning")
def test_layers_that_prove_to_be_affine_need_no_warning(layer):
    agrees_in_the_limit(network(layer))


class Counting(keras.layers.Layer):
    """A layer that is not affine, and updates its own variable in each call."""

    def build(self, shape):
        self.seen = self.add_weight(shape=(), initializer="zeros", trainable=False)

    def call(self, inputs):
        self.seen.assign_add(1.0)
        return keras.ops.sort(inputs, axis=-1)


def test_trying_a_layer_does_not_change_it():
    counting = Counting(name="strange")
    model = network(counting)
    before = float(keras.ops.convert_to_numpy(counting.seen))
    with pytest.warns(UserWarning, match="strange"):
        assert linearized_network.exposed_model(model) is not None
    assert float(keras.ops.convert_to_numpy(counting.seen)) == before


def test_products_need_no_warning():
    inputs = keras.Input((8, 8, 3))
    gate = layers.Dense(3, activation="sigmoid")(
        layers.GlobalAveragePooling2D()(inputs)
    )
    gated = layers.Multiply()([inputs, layers.Reshape((1, 1, 3))(gate)])
    model = keras.Model(inputs, layers.Dense(2)(layers.Flatten()(gated)))
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        agrees_in_the_limit(model, within=0.1)


class Subclassed(keras.Model):
    """A model whose layers cannot be found."""

    def __init__(self):
        super().__init__()
        self.head = layers.Dense(2)

    def call(self, inputs):
        return self.head(keras.ops.relu(keras.ops.reshape(inputs, (-1, 192))))


def test_subclassed_model_is_sampled_with_a_warning():
    model, x = Subclassed(), pictures()
    model(x)
    with pytest.warns(UserWarning, match="sampled"):
        found = explained(model, x, [0, 1], "hybrid")
    np.testing.assert_array_equal(found, explained(model, x, [0, 1], "sampled"))


def test_smoothgrad_passes_the_estimator_on():
    model, x = network(layers.Conv2D(4, 3, activation="relu")), pictures()
    options = {"repetitions": 8, "noise": 0.5, "estimator": "slopes", "verbose": 0}
    _, maps = ke.smoothgrad(model, x, [0, 1], postprocessing=None, **options)
    expected = np.abs(explained(model, x, [0, 1], "slopes")).mean(axis=-2)
    np.testing.assert_allclose(maps, expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"estimator": "magic"}, "estimator"),
        ({"estimator": "slopes", "repetitions": 5}, "even"),
        ({"estimator": "hybrid", "repetitions": 2}, "at least 4"),
        ({"estimator": "slopes", "tolerance": 0.1}, "error is not known"),
    ],
)
def test_parameters_that_do_not_fit_are_refused(params, message):
    model = network(layers.Conv2D(4, 3, activation="relu"))
    with pytest.raises(ValueError, match=message):
        ke.smoothgrad(model, pictures(), [0, 1], verbose=0, **params)


def estimator_of(model, x, y=0, **params):
    """Return which estimator "auto" takes, and check that its maps are those."""
    params = {"repetitions": 4, "verbose": 0, "return_stats": True, **params}
    y = [y] * 2 if isinstance(y, int) else y
    _, maps, stats = ke.smoothgrad(model, x, y, **params)
    chosen = keras.tree.flatten(stats)[0].estimator
    _, expected, _ = ke.smoothgrad(model, x, y, estimator=chosen, **params)
    keras.tree.map_structure(np.testing.assert_array_equal, maps, expected)
    return chosen


def relu_network():
    return network(layers.Conv2D(4, 3, activation="relu"))


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"tolerance": 0.1},
        {"noise": [0.1, 0.2, 0.3]},
        {"lower": False},
        {"y": ke.targets.contrast(0, 1)},
    ],
)
@pytest.mark.filterwarnings("ignore:.*above the `tolerance`")
def test_auto_is_hybrid_where_all_layers_are_known(params):
    assert estimator_of(relu_network(), pictures(), **params) == "hybrid"


@pytest.mark.parametrize(
    "params",
    [
        {"repetitions": 5},
        {"repetitions": 2},
        {"statistic": "variance"},
        {"start": 4},
        {"antithetic": True},
        {"clip": (-1, 1)},
        {"preprocess": keras.ops.negative},
        {"y": lambda outputs: keras.ops.sin(outputs[:, 0])},
    ],
)
@pytest.mark.filterwarnings("error::UserWarning")
def test_auto_is_sampled_for_what_hybrid_does_not_compute(params):
    assert estimator_of(relu_network(), pictures(), **params) == "sampled"


def two_inputs():
    inputs = [keras.Input((8, 8, 3)), keras.Input((8, 8, 3))]
    outputs = layers.Dense(2, "tanh")(layers.Flatten()(layers.Add()(inputs)))
    return keras.Model(inputs, layers.Dense(2)(outputs))


def subclassed():
    model = Subclassed()
    model(pictures())
    return model


@pytest.mark.parametrize(
    ("make", "count"),
    [
        (subclassed, 1),
        (lambda: network(layers.Conv2D(4, 3)), 1),  # It is linear.
        (lambda: network(layers.UnitNormalization()), 1),
        (two_inputs, 2),
    ],
)
@pytest.mark.filterwarnings("error::UserWarning")
def test_auto_is_sampled_for_models_without_known_slopes(make, count):
    x = pictures() if count == 1 else [pictures()] * count
    assert estimator_of(make(), x) == "sampled"


def test_auto_is_sampled_for_tables(rng):
    """Products of maps of few values tell little of their errors."""
    inputs = keras.Input((5,))
    hidden = layers.Dense(8, activation="relu")(inputs)
    model = keras.Model(inputs, layers.Dense(2)(hidden))
    x = rng.normal(size=(2, 5)).astype("float32")
    assert estimator_of(model, x) == "sampled"
