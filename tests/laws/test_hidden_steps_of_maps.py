"""Maps are 0 at hidden steps, whatever the method and postprocessing."""

import keras
import numpy as np
import pytest
from keras import layers, ops
from support.small_models import numpy

import keras_explainable as ke
from keras_explainable.methods import cams
from keras_explainable.methods.gradient import expected_gradients, integrated_gradients
from keras_explainable.methods.perturbation import rise

PADDING = -99.0

pytestmark = pytest.mark.filterwarnings("ignore:.*does not support masking")


@pytest.fixture
def x(rng):
    x = rng.normal(size=(2, 8, 3)).astype("float32")
    x[0, 5:] = x[1, 3:] = PADDING
    return x


def recurrent(*head):
    keras.utils.set_random_seed(1)
    first = [keras.Input((8, 3)), layers.Masking(PADDING)]
    lstm = layers.LSTM(4, return_sequences=True, name="steps")
    return keras.Sequential([*first, lstm, *head, layers.Dense(2)])


HEADS = {
    "pooling": lambda: [layers.GlobalMaxPooling1D()],
    "flat": lambda: [layers.Flatten()],
    "convolution": lambda: [layers.Conv1D(4, 3), layers.GlobalAveragePooling1D()],
}
METHODS = [cams.gradcam, cams.hirescam, cams.layercam, cams.scorecam]


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("method", METHODS)
def test_class_activation_maps(method, head, x):
    """The state after the last shown step, which is repeated, is not of later steps."""
    model = recurrent(*HEADS[head]())
    _, maps = ke.explain(method, model, x, [[0]] * 2, layer="steps", verbose=0)
    assert not maps[x[..., 0] == PADDING].any()
    assert maps[x[..., 0] != PADDING].any()


def test_steps_that_are_read_without_the_mask_keep_their_map(x):
    inputs = keras.Input((8, 3))
    masked = layers.LSTM(3, return_sequences=True, name="steps")(
        layers.Masking(PADDING)(inputs)
    )
    both = layers.Flatten()(layers.Add()([masked, inputs]))
    model = keras.Model(inputs, layers.Dense(1)(both))
    found = ke.hirescam(model, x, layer="steps", verbose=0, postprocessing=None)[1]
    assert found[x[..., 0] == PADDING].any()


@pytest.mark.parametrize("bias", [-5.0, 5.0])
def test_normalized_maps_of_scores_of_any_sign(bias, x):
    """The zeros of hidden steps are no largest value of negative ones, nor smallest."""
    model = recurrent(layers.LSTM(4))
    model.layers[-1].bias.assign([bias, 0.0])
    options = {"repetitions": 60, "seed": 0, "verbose": 0}
    _, raw = ke.explain(rise, model, x, [[0]] * 2, **options)
    _, maps = ke.rise(model, x, [[0]] * 2, **options)
    for image, map_, values in zip(x, maps, raw, strict=True):
        shown = image[:, 0] != PADDING
        assert not map_[~shown].any()
        values = values[shown]
        expected = (values - values.min()) / np.ptp(values)
        np.testing.assert_allclose(map_[shown], expected, rtol=1e-4, atol=1e-6)


def lstm_with_mask(inputs, mask):
    return layers.LSTM(4)(inputs, mask=mask)


def attention_with_mask(inputs, mask):
    attended = layers.MultiHeadAttention(2, 4)(
        inputs, inputs, attention_mask=ops.expand_dims(mask, 1)
    )
    return layers.GlobalAveragePooling1D()(attended, mask=mask)


def sum_with_mask(inputs, mask):
    counts = ops.cast(ops.expand_dims(mask, -1), "float32")
    return ops.sum(layers.Conv1D(4, 1, activation="tanh")(inputs) * counts, 1)


def softmax_with_mask(inputs, mask):
    added = (1 - ops.cast(ops.expand_dims(mask, -1), "float32")) * -1e9
    weights = ops.softmax(layers.Dense(1)(inputs) + added, axis=1)
    return ops.sum(weights * layers.Dense(4, activation="tanh")(inputs), 1)


def maximum_with_mask(inputs, mask):
    values = layers.Dense(4, activation="tanh")(inputs)
    return ops.max(ops.where(ops.expand_dims(mask, -1), values, -1e9), 1)


#: What the network is given, and the mask that it makes of it.
MASKS = {
    "mask": (8, "bool", lambda mask: mask),
    "tokens": (8, "int32", lambda x: ops.not_equal(x, 0)),
    "padding": (8, "bool", ops.logical_not),
    "length": (1, "int32", lambda x: ops.less(np.arange(8, dtype="int32")[None], x)),
}


def where_padded(inputs, mask):
    padded = ops.expand_dims(ops.logical_not(mask), -1)
    return layers.GRU(4)(ops.where(padded, 0.0, inputs))


READERS = [
    where_padded,
    lstm_with_mask,
    attention_with_mask,
    sum_with_mask,
    softmax_with_mask,
]


@pytest.mark.parametrize("reader", [*READERS, maximum_with_mask])
@pytest.mark.parametrize("given", MASKS)
def test_a_mask_of_another_input_hides_steps(reader, given, x):
    """The noise level is that of the steps that count, which alone get noise."""
    inputs = keras.Input((8, 3), name="x")
    size, dtype, made = MASKS[given]
    other = keras.Input((size,), dtype=dtype, name="mask")
    model = keras.Model(
        {"x": inputs, "mask": other}, layers.Dense(2)(reader(inputs, made(other)))
    )
    shown = x[..., 0] != PADDING
    length = shown.sum(axis=1, keepdims=True).astype("int32")
    values = {
        "mask": shown,
        "tokens": shown.astype("int32") * 3,
        "length": length,
        "padding": ~shown,
    }
    data = {"x": x, "mask": values[given]}
    options = {"noise_level": 0.1, "repetitions": 4, "seed": 0, "verbose": 0}
    _, maps, stats = ke.smoothgrad(model, data, [[0]] * 2, **options, return_stats=True)
    ranges = [np.ptp(image[each]) for image, each in zip(x, shown, strict=True)]
    np.testing.assert_allclose(stats["x"].sigma.ravel(), np.multiply(0.1, ranges), 1e-5)
    assert not maps["x"][~shown].any()


def test_steps_that_another_layer_reads_without_the_mask_count(x):
    inputs = keras.Input((8, 3), name="x")
    mask = keras.Input((8,), dtype="bool", name="mask")
    pooled = layers.GlobalAveragePooling1D()(inputs)
    both = layers.Concatenate()([lstm_with_mask(inputs, mask), pooled])
    model = keras.Model({"x": inputs, "mask": mask}, layers.Dense(2)(both))
    data = {"x": x, "mask": x[..., 0] != PADDING}
    options = {"noise_level": 0.1, "repetitions": 4, "verbose": 0}
    *_, stats = ke.smoothgrad(model, data, [[0]] * 2, **options, return_stats=True)
    ranges = [np.ptp(image) for image in x]
    np.testing.assert_allclose(stats["x"].sigma.ravel(), np.multiply(0.1, ranges), 1e-5)


def any_length(padding=PADDING):
    keras.utils.set_random_seed(0)
    first = [keras.Input((None, 3)), layers.Masking(padding)]
    return keras.Sequential([*first, layers.LSTM(4), layers.Dense(2)])


@pytest.mark.parametrize("baseline", ["mean", "uniform"])
def test_padding_does_not_count_for_baselines(baseline, x):
    """All shown steps are replaced by what the sample without its padding has."""
    model, maps = any_length(), np.ones((1, 8, 1))
    options = {"baseline": baseline, "steps": 1, "ids": [7], "verbose": 0}
    padded = ke.metrics.deletion(model, x[:1], maps, [[0]], **options)
    if baseline == "mean":
        short = ke.metrics.deletion(model, x[:1, :5], maps[:, :5], [[0]], **options)
        np.testing.assert_allclose(padded, short, rtol=1e-5)
    changed = np.where(x == PADDING, PADDING, np.clip(x, -1e-6, 1e-6))
    near = ke.metrics.deletion(model, changed[:1], maps, [[0]], **options)
    at_zero = numpy(model(np.where(x == PADDING, x, 1e-9)[:1]))[:, :1]
    np.testing.assert_allclose(near, at_zero, atol=1e-5)


def test_padding_does_not_count_for_blurred_baselines(x):
    models = [any_length(), any_length(50.0)]
    padded = [x, np.where(x == PADDING, 50, x).astype("float32")]
    one, other = (
        ke.explain(integrated_gradients, model, data, baseline="blur", verbose=0)[1]
        for model, data in zip(models, padded, strict=True)
    )
    np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


def test_steps_hidden_in_the_data_of_expected_gradients_stay_as_they_are(x):
    model, data = any_length(), x[::-1].copy()
    options = {"data": data[:1], "repetitions": 400, "seed": 0, "verbose": 0}
    logits, maps = ke.explain(expected_gradients, model, x[:1], **options)
    start = np.where(data[:1] == PADDING, x[:1], data[:1])
    start = np.where(x[:1] == PADDING, x[:1], start)
    gap = logits - numpy(model(start))
    np.testing.assert_allclose(maps.sum(axis=(1)), gap, atol=0.06 * np.abs(gap).max())
