"""Laws of gradients smoothed by samples, by slopes, and by both."""

import math
import warnings
from functools import partial

import keras
import numpy as np
import pytest
from keras import layers

import keras_explainable as ke
from keras_explainable.methods.gradient import slopes

ESTIMATORS = ("sampled", "slopes", "hybrid")
smooth_gradients = ke.methods.gradient.smooth_gradients
signed = partial(
    ke.methods.gradient.gradients, gradient_filter=None, channel_reduction=None
)


@pytest.fixture(autouse=True)
def seeded():
    keras.utils.set_random_seed(7)


def pictures(count=2, size=8):
    return np.random.default_rng(3).normal(size=(count, size, size, 3)).astype("f4")


def explained(model, x, y, estimator, repetitions=8, **params):
    params = {"noise": 0.5, **params}
    return ke.explain(
        smooth_gradients,
        model,
        x,
        y,
        verbose=0,
        estimator=estimator,
        repetitions=repetitions,
        **params,
    )[1]


def network(*inner, shape=(8, 8, 3)):
    flat, head = layers.Flatten(), layers.Dense(3)
    return keras.Sequential([keras.Input(shape), *inner, flat, head])


def distance(found, expected):
    return np.linalg.norm(found - expected) / np.linalg.norm(expected)


def agrees_in_the_limit(model, estimator="slopes", within=0.08, repetitions=512):
    """Hold an estimator of many copies against many samples."""
    x = np.random.default_rng(3).normal(size=(1, *model.input_shape[1:])).astype("f4")
    found = explained(model, x, [0], estimator, repetitions, seed=1, batch_size=256)
    expected = explained(model, x, [0], "sampled", 4096, batch_size=512)
    assert distance(found, expected) < within


def test_sampled_is_smooth_around_signed_gradients():
    model, x = network(layers.Conv2D(4, 3, activation="relu")), pictures()
    smooth = ke.methods.meta.smooth(signed, 8, 0.5, seed=0)
    _, expected = ke.explain(smooth, model, x, [0, 1], verbose=0)
    np.testing.assert_array_equal(explained(model, x, [0, 1], "sampled"), expected)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_linear_network_gives_its_weights(estimator):
    model, x = network(layers.Conv2D(4, 3), layers.AveragePooling2D(2)), pictures()
    _, expected = ke.explain(signed, model, x, [[0, 2], [1, 0]], verbose=0)
    found = explained(model, x, [[0, 2], [1, 0]], estimator)
    assert found.shape == (2, 8, 8, 3, 2)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def one_hidden_layer(activation):
    hidden, head = layers.Dense(6, activation=activation), layers.Dense(2)
    return keras.Sequential([keras.Input((5,)), hidden, head]), hidden, head


def test_one_hidden_layer_has_the_closed_form():
    model, hidden, head = one_hidden_layer("relu")
    x = np.random.default_rng(0).normal(size=(1, 5)).astype("f4")
    kernel, out = (a.get_weights()[0] for a in (hidden, head))
    ratio = (x[0] @ kernel) / (0.5 * np.linalg.norm(kernel, axis=0))
    share = np.array([(1 + math.erf(r / math.sqrt(2))) / 2 for r in ratio])
    found = explained(model, x, [1], "slopes", 2000, batch_size=500)
    assert distance(found[0, :, 0], kernel @ (share * out[:, 1])) < 0.03


BENT = ("elu", "gelu", "hard_sigmoid", "hard_tanh", "leaky_relu", "mish", "relu6")


@pytest.mark.parametrize("name", [*BENT, "silu", "soft_shrink", "softplus", "tanh"])
def test_activations_of_one_hidden_layer(name):
    """The expected slope of a Gaussian, by a sum over a fine grid."""
    model, hidden, head = one_hidden_layer(name)
    x = 3 * np.random.default_rng(0).normal(size=(1, 5)).astype("f4")
    kernel, out = (a.get_weights()[0] for a in (hidden, head))
    mean, deviation = x[0] @ kernel, 0.5 * np.linalg.norm(kernel, axis=0)
    e = np.linspace(-6, 6, 4001)[:, None]
    z = (mean + deviation * e).astype("f4")
    values = keras.ops.convert_to_numpy(getattr(keras.activations, name)(z))
    slope = np.gradient(values.astype("f8"), axis=0) / np.gradient(
        z.astype("f8"), axis=0
    )
    weight = np.exp(-(e**2) / 2)
    share = (slope * weight).sum(axis=0) / weight.sum()
    found = explained(model, x, [1], "slopes", 1000, batch_size=500)
    assert distance(found[0, :, 0], kernel @ (share * out[:, 1])) < 0.03


def test_quadratic_network_is_exact_in_expectation():
    """The slope 2 z is linear, and pairs have the mean of z without error."""
    inputs = keras.Input((5,))
    hidden = layers.Dense(4)
    squares = keras.ops.square(hidden(inputs))
    model = keras.Model(inputs, layers.Dense(2)(squares))
    x = np.random.default_rng(0).normal(size=(2, 5)).astype("f4")
    _, expected = ke.explain(signed, model, x, [0, 1], verbose=0)
    found = explained(model, x, [0, 1], "slopes", 2)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)


def test_batch_norm_is_linear():
    norm = layers.BatchNormalization()
    model = network(layers.Conv2D(4, 3), norm, layers.ReLU())
    norm.moving_variance.assign([0.5, 2, 1, 3])
    norm.gamma.assign([1, -2, 1, 0.5])
    agrees_in_the_limit(model)


@pytest.mark.parametrize("padding", ["valid", "same"])
def test_max_pooling_by_how_often_each_place_wins(padding):
    agrees_in_the_limit(network(layers.MaxPooling2D(3, 2, padding)))


@pytest.mark.parametrize(
    "pooling",
    [
        layers.MaxPooling1D(3, 2, "same"),
        layers.GlobalMaxPooling1D(),
        layers.GlobalMaxPooling1D(keepdims=True),
    ],
)
def test_max_pooling_of_signals(pooling):
    agrees_in_the_limit(network(layers.Conv1D(4, 3), pooling, shape=(12, 3)))


@pytest.mark.parametrize(
    "pooling", [layers.MaxPooling3D(2, 1), layers.GlobalMaxPooling3D()]
)
def test_max_pooling_of_volumes(pooling):
    agrees_in_the_limit(network(pooling, shape=(4, 4, 4, 2)))


@pytest.mark.parametrize("relu", [layers.ReLU(), layers.ReLU(max_value=6)])
@pytest.mark.parametrize(
    "pooling", [layers.MaxPooling2D(2), layers.GlobalMaxPooling2D()]
)
def test_a_relu_and_the_pooling_behind_it_are_exact_together(relu, pooling):
    """Each alone has the chance in it that the winner has passed the ReLU."""
    agrees_in_the_limit(network(relu, pooling), repetitions=2048)


def test_relus_are_seen_through_what_passes_their_values_on():
    inputs = keras.Input((8, 8, 3))
    parts = [layers.ReLU()(inputs), keras.ops.relu(-inputs)]
    pooled = layers.MaxPooling2D(2)(layers.Concatenate()(parts))
    model = keras.Model(inputs, layers.Dense(3)(layers.Flatten()(pooled)))
    agrees_in_the_limit(model, repetitions=2048)


@pytest.mark.parametrize(
    "norm",
    [
        layers.LayerNormalization(),
        layers.LayerNormalization(axis=(1, 2, 3), scale=False),
        layers.RMSNormalization(),
    ],
)
def test_norms_by_their_mean_scale_and_direction(norm):
    agrees_in_the_limit(network(layers.Conv2D(16, 3), norm), within=0.1)


@pytest.mark.parametrize("softmax", [layers.Softmax(), layers.Activation("softmax")])
def test_softmax_within_by_its_mean(softmax):
    agrees_in_the_limit(network(layers.Conv2D(16, 3), softmax), within=0.1)


def test_nested_network_is_taken_apart():
    backbone = keras.Sequential(
        [keras.Input((8, 8, 3)), layers.Conv2D(4, 3), layers.ReLU()]
    )
    flat, x = network(*backbone.layers), pictures()
    nested = network(backbone)
    nested.set_weights(flat.get_weights())
    found, expected = (explained(m, x, [0, 1], "slopes") for m in (nested, flat))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def test_hybrid_converges_to_the_samples():
    convolutions = [layers.Conv2D(6, 3, activation="relu") for _ in range(2)]
    model = network(*convolutions, layers.MaxPooling2D(2))
    agrees_in_the_limit(model, "hybrid", 0.1, 2048)


@pytest.fixture
def deep():
    return network(
        layers.Conv2D(6, 3, activation="relu"), layers.Conv2D(6, 3, activation="relu")
    )


def test_the_error_of_the_blend_is_told(deep):
    """Mean over images: of a single one it is a rough estimate."""
    x, y = pictures(8), [0] * 8
    expected = explained(deep, x, y, "sampled", 1024, seed=9, batch_size=512)
    method = partial(smooth_gradients, estimator="hybrid", repetitions=64, noise=0.5)
    _, maps, stats = ke.explain(method, deep, x, y, verbose=0, return_stats=True)
    size = np.square(maps).reshape(8, -1).sum(axis=1)
    told = (stats.relative_error[:, 0] ** 2 * size).mean()
    true = np.square(maps - expected).reshape(8, -1).sum(axis=1).mean()
    assert 0.5 < told / true < 2
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


def test_statistics_of_samples_are_those_of_smooth(deep):
    options = {"verbose": 0, "return_stats": True}
    both = [
        ke.explain(method, deep, pictures(), [0, 1], **options)[2]
        for method in (
            partial(smooth_gradients, repetitions=8, noise=0.5),
            ke.methods.meta.smooth(signed, 8, 0.5, seed=0),
        )
    ]
    for name in ("std_error", "maps", "flips", "score_drift"):
        np.testing.assert_array_equal(*(getattr(stats, name) for stats in both))


def test_blends_are_not_merged(deep):
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


def test_a_tolerance_that_is_not_reached_is_told(deep):
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


def test_every_unit_by_itself_is_every_unit_at_once():
    model, x = network(layers.Conv2D(4, 3, activation="relu")), pictures(1)
    both = explained(model, x, None, "hybrid")
    one = [explained(model, x, [unit], "hybrid")[..., 0] for unit in range(3)]
    np.testing.assert_allclose(both, np.stack(one, -1), rtol=1e-3, atol=1e-5)


def test_unknown_layers_are_named_and_linearised_at_the_mean():
    model, x = network(layers.UnitNormalization(name="strange")), pictures()
    with pytest.warns(UserWarning, match="strange"):
        found = explained(model, x, [0, 1], "slopes", 2, noise=0.02)
    _, expected = ke.explain(signed, model, x, [0, 1], verbose=0)
    assert distance(found, expected) < 0.02


class Tilt(keras.layers.Layer):
    """An affine layer of a user's own."""

    def call(self, inputs):
        return 3 * keras.ops.flip(inputs, axis=1) + 1


@pytest.mark.parametrize(
    "layer", [Tilt(), layers.EinsumDense("bhwc,cd->bhwd", (8, 8, 4), "relu")]
)
@pytest.mark.filterwarnings("error::UserWarning")
def test_layers_that_turn_out_to_be_affine_need_no_warning(layer):
    agrees_in_the_limit(network(layer))


class Counting(keras.layers.Layer):
    """A layer that changes a variable of its own each time, which is not affine."""

    def build(self, shape):
        self.seen = self.add_weight(shape=(), initializer="zeros", trainable=False)

    def call(self, inputs):
        self.seen.assign_add(1.0)
        return keras.ops.sort(inputs, axis=-1)


def test_trying_a_layer_leaves_it_as_it_is():
    counting = Counting(name="strange")
    model = network(counting)
    before = float(keras.ops.convert_to_numpy(counting.seen))
    with pytest.warns(UserWarning, match="strange"):
        assert slopes.exposed_model(model) is not None
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
    """A model whose layers are not known."""

    def __init__(self):
        super().__init__()
        self.head = layers.Dense(2)

    def call(self, inputs):
        return self.head(keras.ops.relu(keras.ops.reshape(inputs, (-1, 192))))


def test_subclassed_model_is_sampled_and_says_so():
    model, x = Subclassed(), pictures()
    model(x)
    with pytest.warns(UserWarning, match="sampled"):
        found = explained(model, x, [0, 1], "hybrid")
    np.testing.assert_array_equal(found, explained(model, x, [0, 1], "sampled"))


def test_smoothgrad_passes_it_on():
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
def test_what_cannot_be_is_refused(params, message):
    model = network(layers.Conv2D(4, 3, activation="relu"))
    with pytest.raises(ValueError, match=message):
        ke.smoothgrad(model, pictures(), [0, 1], verbose=0, **params)
