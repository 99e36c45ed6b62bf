"""Each planted fault is found and named; sound networks pass."""

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_explainable as ke
from keras_explainable.common.finite_differences import Differences
from keras_explainable.engine.directional_derivatives import verdict_on


def own_derivative(function, derivative):
    """Return a function of x with a derivative of its own."""

    @ops.custom_gradient
    def called(x):
        def gradient(*args, upstream=None):
            (upstream,) = (upstream,) if upstream is not None else args
            return upstream * derivative(x)

        return function(x), gradient

    return called


class Doubled(layers.Layer):
    """A layer whose derivative is twice the true one."""

    def call(self, inputs):
        return own_derivative(ops.tanh, lambda x: 2 - 2 * ops.square(ops.tanh(x)))(
            inputs
        )


class OwnStraightThrough(layers.Layer):
    def call(self, inputs):
        return own_derivative(ops.round, ops.ones_like)(inputs)


class Stopped(layers.Layer):
    def call(self, inputs):
        return ops.stop_gradient(inputs)


class StraightThrough(layers.Layer):
    def call(self, inputs):
        return inputs + ops.stop_gradient(ops.round(inputs) - inputs)


def network(*between, activation="tanh"):
    x = inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, activation=activation)(x)
    for layer in between:
        x = layer(x)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(3, activation="softmax")(x))


@pytest.fixture
def x(rng):
    return rng.normal(size=(2, 8, 8, 3)).astype("float32")


STOPPED = "no derivative, though its values change"
FAULTS = {
    "doubled": (Doubled, "planted (Doubled)", "a wrong derivative"),
    "stopped": (Stopped, "StopGradient in planted (Stopped)", STOPPED),
    "straight": (
        StraightThrough,
        "StopGradient in planted (StraightThrough)",
        STOPPED,
    ),
    "own straight": (
        OwnStraightThrough,
        "planted (OwnStraightThrough)",
        "a derivative, though its values do not change",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_named(fault, x):
    kind, name, has = FAULTS[fault]
    model = network(layers.Activation("softplus"), kind(name="planted"))
    found = ke.check_gradients(model, x, [0, 1])
    assert not found.ok
    # A derivative may be small by chance.
    worst = [each.faults[0] for each in found.comparisons if each.faults]
    assert len(worst) >= 2
    assert {each.operation for each in worst} == {name}
    assert {each.kind for each in worst} == {has}
    for shown in (str(found), found._repr_html_()):
        assert "of 4 derivatives agree" in shown
        assert has in shown


BENT = {
    "[1, 2, 0], where it reads 0": layers.Lambda(lambda t: ops.relu(t - 1)),
    "output [1, 0, 0]": layers.MaxPooling2D(2),
}


@pytest.mark.parametrize("place", BENT)
def test_the_place_of_a_kink_is_named(place):
    inputs = keras.Input((4, 4, 1))
    h = layers.Flatten()(BENT[place](inputs))
    model = keras.Model(inputs, layers.Dense(1, kernel_initializer="ones")(h))
    x = 2 + np.arange(16, dtype="float32").reshape(1, 4, 4, 1)
    x[0, 1, 2] = 1  # where the ReLU has its kink
    x[0, 2:, :2] = 30  # a tie of four positions
    found = ke.check_gradients(model, x, [0], directions=4)
    assert {y.place for each in found.comparisons for y in each.faults} == {place}
    assert place in str(found)


@pytest.mark.parametrize("fault", ["straight", "own straight"])
def test_a_rounded_input_is_no_category(fault, x):
    kind, name, has = FAULTS[fault]
    inputs = keras.Input((8, 8, 3))
    y = layers.Dense(2)(layers.Flatten()(kind(name="planted")(inputs)))
    for values in (0.4 * np.sign(x), np.ones_like(x)):
        found = ke.check_gradients(keras.Model(inputs, y), values)
        worst = [each.faults[0] for each in found.comparisons if each.faults]
        assert {(each.operation, each.kind) for each in worst} == {(name, has)}


def test_an_infinite_derivative_at_the_end_of_what_is_defined():
    """Neither a derivative nor a difference is a number at 0."""
    inputs = keras.Input((2,))
    model = keras.Model(inputs, layers.Dense(2)(ops.sqrt(inputs)))
    found = ke.check_gradients(model, np.float32([[0, 1]]), derivatives="framework")
    assert not found.ok
    assert "(Sqrt)" in str(found)
    assert "no finite number" in str(found)


@pytest.mark.parametrize("seeded", [False, True])
def test_a_network_that_draws_numbers_is_stochastic(seeded, x):
    """Keras' seeds are kept, so that each run draws the same."""
    seeds, free = keras.random.SeedGenerator(0), np.random.default_rng(0)

    def drawn(x):
        if seeded:
            return x + keras.random.normal(ops.shape(x), seed=seeds)
        return x * float(free.uniform(0.5, 1))

    model = network(layers.Lambda(drawn, output_shape=(6, 6, 4)))
    verdicts = {each.verdict for each in ke.check_gradients(model, x[:1]).comparisons}
    assert verdicts == {"agrees" if seeded else "stochastic"}


def of_the_backend(x):
    """Take no symbols, like the functions of TensorFlow, JAX and PyTorch."""
    if isinstance(x, keras.KerasTensor):
        raise TypeError
    return ops.tanh(x)


def test_layers_with_the_framework_s_derivatives_are_named(x):
    own = layers.Lambda(of_the_backend, name="own")

    def check(**options):
        between = layers.Conv2D(4, 3), own, layers.Lambda(ops.tanh)
        return ke.check_gradients(network(*between), x[:1], [0], **options)

    found = check()
    assert found.uncorrected == ("own (Lambda)",)
    assert "with the framework's derivatives in own (Lambda)" in str(found)
    assert check(derivatives="framework").uncorrected == ()


def test_a_kink_at_the_input_is_named():
    inputs = keras.Input((4, 4, 1))
    x = layers.Flatten()(layers.ReLU(name="kinked")(inputs))
    found = ke.check_gradients(
        keras.Model(inputs, layers.Dense(2)(x)), np.zeros((1, 4, 4, 1))
    )
    faults = {each.faults[0] for each in found.comparisons if each.faults}
    assert {each.operation for each in faults} == {"kinked (ReLU)"}
    assert {each.kind for each in faults} == {"a kink or tie at the input"}


#: What the backends compute differently; each explains what it computes.
OTHER_FUNCTIONS = {
    "average pooling": layers.AveragePooling2D(3, padding="same"),
    "bicubic": layers.Resizing(4, 5, "bicubic"),
    "blur": lambda x: ops.image.gaussian_blur(x, (3, 3), (1.0, 1.0)),
    "wrapped": lambda x: ops.image.affine_transform(
        x, np.float32([1, 0.2, 1.3, 0.1, 1, -2.6, 0, 0]), fill_mode="wrap"
    ),
}


@pytest.mark.parametrize("name", OTHER_FUNCTIONS)
def test_maps_are_of_what_a_backend_computes(name, x):
    assert ke.check_gradients(network(OTHER_FUNCTIONS[name]), x, [0, 1]).ok


@pytest.mark.parametrize("activation", ["tanh", "relu", "gelu"])
@pytest.mark.parametrize("y", [None, "predicted", [[0, 2], [1, 1]]])
def test_a_sound_network_passes(activation, y, x):
    found = ke.check_gradients(network(activation=activation), x, y)
    assert found.ok
    assert str(found).startswith("4 of 4 derivatives agree")
    for each in found.comparisons if activation != "relu" else ():
        np.testing.assert_allclose(each.derivative, each.difference, atol=2e-2)


def test_the_derivative_is_that_along_a_direction(x):
    """Of a linear network, the finite difference is exact."""
    inputs = keras.Input((8, 8, 3))
    model = keras.Model(inputs, layers.Dense(2)(layers.Flatten()(inputs)))
    for each in ke.check_gradients(model, x, directions=3).comparisons:
        assert each.error < 0.05 * abs(each.difference) + 0.01
        np.testing.assert_allclose(each.derivative, each.difference, rtol=1e-2)


def test_the_bundled_network_passes():
    samples = ke.demo.load_samples()
    model = ke.demo.load_model()
    assert ke.check_gradients(model, samples.images[:2], samples.labels[:2]).ok


def test_inputs_in_other_forms(rng):
    """Tokens by their vectors, several inputs, hidden steps, and targets."""
    tokens = keras.Sequential(
        [keras.Input((5,), dtype="int32"), layers.Embedding(9, 4), layers.LSTM(3)]
    )
    assert ke.check_gradients(tokens, rng.integers(0, 9, (2, 5))).ok
    one, other = keras.Input((3,), name="one"), keras.Input((4,), name="other")
    both = layers.Dense(3, activation="tanh")(layers.Concatenate()([one, other]))
    x = {"one": rng.normal(size=(2, 3)), "other": rng.normal(size=(2, 4))}
    model = keras.Model({"one": one, "other": other}, both)
    assert ke.check_gradients(model, x, lambda outputs: outputs[:, 0]).ok
    steps = rng.normal(size=(2, 5, 3)).astype("float32")
    steps[:, 3:] = 0
    masked = keras.Sequential([keras.Input((5, 3)), layers.Masking(), layers.LSTM(3)])
    assert ke.check_gradients(masked, steps).ok


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="right elsewhere")
def test_a_wrong_derivative_of_the_framework_is_found(rng):
    inputs = keras.Input((3,))
    model = keras.Model(inputs, ops.cumprod(inputs, axis=1))
    x = np.float32([[2, 0, 3]])
    assert ke.check_gradients(model, x).ok
    found = ke.check_gradients(model, x, derivatives="framework")
    assert "Cumprod" in str(found)


def test_many_kinks_are_no_false_alarm():
    """Differences of a ResNet50V2 on PyTorch approach its derivative slowly."""
    steps = 2.0 ** -np.arange(4, 17)
    values = [1.296, 1.492, 1.564, 1.520, 1.498, 1.458, 1.367, 1.351, 1.333, 1.279]
    values = np.array([*values, 1.172, 1.367, 1.640])
    found = Differences(steps, values, 2.43e-5 / steps)
    assert verdict_on(1.214, found, typical=1.885) == "agrees"
    for wrong in (0, 0.607, 2.428):
        assert verdict_on(wrong, found, typical=1.885) == "differs"


def test_the_same_seed_gives_the_same_check(x):
    model = network()
    one, other = (ke.check_gradients(model, x, seed=3) for _ in range(2))
    assert one.comparisons == other.comparisons
    assert one.comparisons != ke.check_gradients(model, x, seed=4).comparisons


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"directions": 0}, "`directions` must be at least 1"),
        ({"seed": -1}, "`seed` must be at least 0"),
        ({"derivatives": "own"}, "`derivatives` must be one of"),
    ],
)
def test_bad_parameters(x, options, message):
    with pytest.raises(ValueError, match=message):
        ke.check_gradients(network(), x, **options)
