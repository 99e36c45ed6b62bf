"""Maps that are zero everywhere: a warning says where the derivatives vanish."""

import keras
import numpy as np
import pytest
from keras import layers, ops
from support.small_models import SHAPE, UNITS, images, some_units

import keras_explainable as ke
from keras_explainable.engine import zero_maps
from keras_explainable.inspection.vanishing_gradients import vanishing_reason
from keras_explainable.methods.gradient.input_gradients import SIGNED_GRADIENTS


def through(layer, end=None):
    inputs = keras.Input(SHAPE)
    x = layer(layers.Conv2D(4, 2, name="first")(inputs))
    x = layers.Flatten()(x)
    return keras.Model(inputs, layers.Dense(UNITS, activation=end, name="last")(x))


def dead():
    layer = layers.ReLU(threshold=1e6, name="dead")
    return through(layer), "'dead', which outputs only zeros"


def saturated():
    model = through(layers.Identity(), "softmax")
    model.get_layer("last").kernel.assign(
        np.random.default_rng(0).normal(size=(36, UNITS), scale=1e4)
    )
    return model, "'last', which is saturated"


def rounded():
    rounding = layers.Lambda(lambda x: ops.round(9 * x), name="rounding")
    return through(rounding), "'rounding', which has no derivative"


def detached():
    cut = layers.Lambda(ops.stop_gradient, name="cut")
    return through(cut), "'cut', which has no derivative"


@pytest.mark.parametrize("build", [dead, saturated, rounded, detached])
@pytest.mark.parametrize("lower", [True, False])
def test_where_derivatives_end(build, lower):
    model, reason = build()
    with pytest.warns(UserWarning, match=f"6 of 6 maps are zero everywhere.*{reason}"):
        ke.explain(
            SIGNED_GRADIENTS,
            model,
            images(),
            some_units(k=1),
            logits=False,
            lower=lower,
            verbose=0,
        )


def test_only_some_are_blank():
    inputs = keras.Input(SHAPE)
    outputs = layers.Dense(2)(layers.Flatten()(ops.relu(inputs)))
    x = images(4)
    x[1] = -1
    with pytest.warns(UserWarning, match="2 of 8 maps .* 'relu.*', which outputs only"):
        ke.gradients(keras.Model(inputs, outputs), x, verbose=0, batch_size=3)


def test_an_input_that_nothing_reads():
    one, other = keras.Input(SHAPE, name="one"), keras.Input(SHAPE, name="other")
    x = layers.Flatten()(one) + 0 * layers.Flatten()(other)
    model = keras.Model([one, other], layers.Dense(2)(x))
    with pytest.warns(UserWarning, match="6 of 12 maps are .* no gradient gets thr"):
        ke.explain(
            SIGNED_GRADIENTS, model, [images(3), images(3)], verbose=0, lower=False
        )


def test_what_postprocessing_takes_away(model, x):
    with pytest.warns(UserWarning, match="40 of 40 maps .* removed them"):
        ke.gradients(model, x, verbose=0, postprocessing=lambda maps: 0 * maps)


@pytest.mark.parametrize("weight", [-2.0, 2.0])
def test_a_single_value_is_lost_by_normalizing(weight):
    inputs = keras.Input((1,))
    outputs = layers.Dense(1, kernel_initializer=keras.initializers.Constant(weight))
    model, x = keras.Model(inputs, outputs(inputs)), np.ones((2, 1), "float32")
    with pytest.warns(UserWarning, match=r"single value.*postprocessing=None` keeps"):
        ke.gradients(model, x, [0, 0], verbose=0)
    _, maps = ke.gradients(model, x, [0, 0], verbose=0, postprocessing=None)
    np.testing.assert_allclose(maps.ravel(), [2, 2])


def test_inputs_without_derivatives():
    inputs = keras.Input((4,), dtype="bool")
    model = keras.Model(inputs, layers.Dense(2)(ops.cast(inputs, "float32")))
    x = np.bool([[True, False, True, True]] * 2)
    with pytest.warns(UserWarning, match=r"integers or booleans.*`occlusion`, show"):
        ke.gradients(model, x, [0, 1], verbose=0)


def test_layers_that_are_not_known(x):
    class Nothing(keras.Model):
        def call(self, inputs):
            return 0 * ops.mean(inputs, axis=(1, 2))

    model = Nothing()
    model(x)
    with pytest.warns(UserWarning, match="8 of 8 maps are zero"):
        ke.gradients(model, x, [0] * 8, verbose=0)


def test_nobody_asks_why_where_nothing_is_blank(model, x, monkeypatch):
    monkeypatch.setattr(zero_maps, "vanishing_reason", pytest.fail)
    ke.gradients(model, x, verbose=0)


def test_maps_are_not_lost_for_the_reason(x, monkeypatch):
    def fails(*args):
        raise RuntimeError("while looking for it")

    monkeypatch.setattr(zero_maps, "vanishing_reason", fails)
    model, _ = dead()
    with pytest.warns(UserWarning, match="6 of 6 maps are zero everywhere"):
        _, maps = ke.gradients(model, images(), some_units(k=1), verbose=0)
    assert len(maps) == 6


def test_inputs_that_do_get_derivatives(model, x):
    assert vanishing_reason(model, ops.convert_to_tensor(x[:1]), 0) is None


def test_maps_of_a_layer_that_reads_integers():
    """They are made of the layer's derivatives, which integers have, too."""
    inputs = keras.Input((6,), dtype="int32")
    one_hot = layers.Lambda(lambda x: ops.one_hot(x, 3), output_shape=(6, 3))
    x = layers.Conv1D(2, 3, kernel_initializer="ones", name="c")(one_hot(inputs))
    x = layers.GlobalAveragePooling1D()(x)
    negative = keras.initializers.Constant(-1.0)
    model = keras.Model(inputs, layers.Dense(2, kernel_initializer=negative)(x))
    with pytest.warns(UserWarning, match="all values were negative"):
        ke.gradcam(model, np.zeros((1, 6), "int32"), [0], layer="c", verbose=0)


def test_tokens_of_an_embedding_on_frames():
    """As words of sentences, of a network that was given no type for them."""
    sentence = keras.Input((4,))
    encoder = keras.Model(sentence, layers.LSTM(3)(layers.Embedding(9, 2)(sentence)))
    words = keras.Input((2, 4))
    x = layers.GlobalAveragePooling1D()(layers.TimeDistributed(encoder)(words))
    model = keras.Model(words, layers.Dense(2)(x))
    with pytest.warns(UserWarning, match="tokens that an Embedding inside"):
        ke.gradients(model, np.ones((1, 2, 4), "float32"), [0], verbose=0)
