"""Steps that a model hides by a mask stay hidden, whatever reads or replaces values."""

import warnings

import keras
import numpy as np
import pytest
from keras import layers, ops
from support.small_models import numpy

import keras_explainable as ke


def body(first):
    """A list of layers that shows by its output whether the mask was kept."""
    hidden = layers.Dense(4, activation="relu", bias_initializer="ones")
    return [first, hidden, layers.GlobalAveragePooling1D(), layers.Dense(2)]


def sequential():
    return keras.Sequential([keras.Input((6, 3)), *body(layers.Masking())])


def without_input():
    model = keras.Sequential(body(layers.Masking()))
    model.build((None, 6, 3))
    return model


def nested():
    inputs = keras.Input((6, 3))
    return keras.Model(inputs, layers.Dense(2)(sequential()(inputs)))


def on_frames():
    inputs = keras.Input((2, 6, 3))
    h = layers.TimeDistributed(sequential())(inputs)
    return keras.Model(inputs, layers.Dense(2)(layers.GlobalAveragePooling1D()(h)))


def padded(rng, *shape):
    x = rng.normal(size=(*shape, 6, 3)).astype("float32")
    x[..., 3:, :] = 0
    return x


@pytest.mark.parametrize("make", [sequential, without_input, nested, on_frames])
def test_masks_are_kept_where_values_are_tapped(make, rng):
    model, x = make(), padded(rng, *((2, 2) if make is on_frames else (2,)))
    expected = numpy(model(x))
    for method in (ke.gradcam, ke.cam, ke.full_gradients):
        found = method(model, x, verbose=0)[0]
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_masks_of_tokens_are_kept():
    first = layers.Embedding(5, 3, mask_zero=True)
    model = keras.Sequential([keras.Input((6,), dtype="int32"), *body(first)])
    x = np.int32([[1, 2, 3, 0, 0, 0], [4, 2, 0, 0, 0, 0]])
    layer = model.layers[1].name
    found = ke.gradcam(model, x, layer=layer, verbose=0)[0]
    np.testing.assert_allclose(found, numpy(model(x)), rtol=1e-4, atol=1e-5)


def of_tokens(computed):
    """A network in which token 0 is padding, by an argument or a computed mask."""
    inputs = keras.Input((None,), dtype="int32")
    h = layers.Embedding(9, 4, mask_zero=not computed)(inputs)
    mask = {"mask": ops.not_equal(inputs, 0)} if computed else {}
    h = layers.GlobalAveragePooling1D()(layers.Dense(4, activation="tanh")(h), **mask)
    return keras.Model(inputs, layers.Dense(2)(h))


@pytest.mark.parametrize("computed", [False, True])
def test_padded_tokens_beside_others_have_maps_of_zero(computed):
    x = np.int32([[1, 2, 3, 4, 5, 0, 0], [4, 2, 6, 0, 0, 0, 0]])
    model = of_tokens(computed)
    given = {"size": 3, "stride": 1, "fill": 8, "postprocessing": None, "verbose": 0}
    maps = ke.occlusion(model, x, [1, 1], **given)[1]
    np.testing.assert_array_equal(maps[..., 0][x == 0], 0)
    shorter = ke.occlusion(model, x[:1, :5], [1], **given)[1]
    assert np.abs(shorter).min() > 0
    np.testing.assert_allclose(maps[0, :3], shorter[0, :3], atol=1e-6)


FEW = {"repetitions": 6, "postprocessing": None, "verbose": 0}
PADDING = -999.0


def padded_by_value(**options):
    """A recurrent network whose padding is far from all values."""
    inputs = keras.Input((6, 3), name="x")
    h = layers.LSTM(3, **options)(layers.Masking(PADDING)(inputs))
    h = layers.GlobalAveragePooling1D()(h) if options else h
    return keras.Model(inputs, layers.Dense(2)(h))


def padded_with(value, rng):
    x = rng.normal(size=(2, 6, 3)).astype("float32")
    x[0, 3:], x[1, 5:] = value, value
    return x


def ranges(x, shown):
    return np.float32([np.ptp(each[:n]) for each, n in zip(x, shown, strict=True)])


def test_hidden_steps_do_not_count_for_the_range(rng):
    x, model = padded_with(PADDING, rng), padded_by_value()
    expected = 0.15 * ranges(x, (3, 5))
    for level in (0.15, {"x": 0.15}):
        params = {"noise_level": level, "return_stats": True, **FEW}
        *_, stats = ke.smoothgrad(model, x, [0, 1], **params)
        np.testing.assert_allclose(stats.sigma[:, 0], expected, rtol=1e-5)


def expected_gradients(model, x, y, **params):
    method = ke.methods.gradient.expected_gradients
    return ke.explain(method, model, x, y, data=np.ones_like(x), **params)


METHODS = {
    "smooth": (ke.smoothgrad, FEW),
    "integrated": (
        lambda *args, **params: ke.explain(
            ke.methods.gradient.integrated_gradients, *args, **params
        ),
        {"n_steps": 32},
    ),
    "expected": (expected_gradients, {"repetitions": 6}),
    "occlusion": (
        lambda *args, **params: ke.explain(
            ke.methods.perturbation.occlusion, *args, size=2, **params
        ),
        {},
    ),
    "rise": (
        lambda *args, **params: ke.explain(
            ke.methods.perturbation.rise, *args, **params
        ),
        {"repetitions": 64},
    ),
}


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("value", [PADDING, 0.0])
def test_steps_that_are_hidden_have_maps_of_zero(name, value, rng):
    method, params = METHODS[name]
    inputs = keras.Input((6, 3), name="x")
    h = layers.LSTM(3)(layers.Masking(value)(inputs))
    model, x = keras.Model(inputs, layers.Dense(2)(h)), padded_with(value, rng)
    _, maps = method(model, x, [0, 1], **{"verbose": 0, **params})
    assert not maps[0, 3:].any()
    assert not maps[1, 5:].any()
    assert maps[0, :3].all()
    assert np.abs(maps).max() < 50


def test_integrated_gradients_add_up_when_steps_are_hidden(rng):
    x, model = padded_with(PADDING, rng), padded_by_value()
    method = ke.methods.gradient.integrated_gradients
    logits, maps = ke.explain(method, model, x, [0, 1], n_steps=64, verbose=0)
    baseline = np.where(x == PADDING, x, 0)
    at_baseline = numpy(model(baseline))[[0, 1], [0, 1]]
    np.testing.assert_allclose(
        maps.sum(axis=1)[:, 0], logits[:, 0] - at_baseline, atol=1e-3
    )


def test_masks_are_those_of_preprocessed_inputs(rng):
    inputs = keras.Input((6, 3), name="x")
    h = layers.LSTM(3)(layers.Masking(-1.0)(inputs))
    model = keras.Model(inputs, layers.Dense(2)(h))
    x = rng.uniform(50, 255, (2, 6, 3)).astype("float32")
    x[0, 3:], x[1, 5:] = 0, 0
    method = ke.methods.meta.smooth(
        ke.methods.gradient.gradients, 6, preprocess=lambda t: t / 127.5 - 1,
        noise_level=0.2,
    )  # fmt: skip
    *_, maps, stats = ke.explain(method, model, x, [0, 1], return_stats=True, verbose=0)
    assert not maps[0, 3:].any()
    assert maps[0, :3].any()
    np.testing.assert_allclose(stats.sigma[:, 0], 0.2 * ranges(x, (3, 5)), rtol=1e-5)


@pytest.mark.filterwarnings("ignore:Layer .* was passed an input with a mask")
@pytest.mark.parametrize("shape", [(4,), (6, 3), (4, 3, 2)])
def test_masking_works_on_inputs_of_any_rank(shape, rng):
    inputs = keras.Input(shape)
    h = layers.Flatten()(layers.Masking()(inputs))
    model = keras.Model(inputs, layers.Dense(2)(layers.Dense(4, "gelu")(h)))
    x = rng.normal(size=(2, *shape)).astype("float32")
    x[0] = 0
    _, maps = ke.smoothgrad(model, x, [0, 1], noise={inputs.name: 0.1}, **FEW)
    assert maps[0].any()
    x[1, ..., :] = 1
    _, maps = ke.smoothgrad(model, x, [0, 1], noise=0.1, **FEW)
    assert not maps[0].any()
    assert maps[1].any()


def test_masks_on_frames_are_known(rng):
    inputs = keras.Input((2, 6, 3))
    inner = keras.Sequential([keras.Input((6, 3)), layers.Masking(), layers.LSTM(3)])
    h = layers.Flatten()(layers.TimeDistributed(inner)(inputs))
    model = keras.Model(inputs, layers.Dense(2)(h))
    _, maps = ke.smoothgrad(model, padded(rng, 2, 2), [0, 1], **FEW)
    assert not maps[:, :, 3:].any()
    assert maps[:, :, :3].all()


class Hiding(layers.Layer):
    """A layer of the user's that masks steps."""

    def __init__(self):
        super().__init__()
        self.hide, self.body = layers.Masking(), layers.LSTM(3)

    def build(self, shape):
        self.body.build(shape)

    def call(self, inputs):
        return self.body(self.hide(inputs))


def test_masks_within_layers_of_the_users_are_refused(rng):
    inputs = keras.Input((6, 3))
    model = keras.Model(inputs, layers.Dense(2)(Hiding()(inputs)))
    with pytest.raises(ValueError, match="hide steps of one of its inputs"):
        ke.smoothgrad(model, padded(rng, 2), [0, 1], **FEW)


def known(inputs):
    return ops.any(ops.not_equal(inputs, -1.0), axis=-1)


def attended(inputs, mask):
    """Values of queries at all steps, which attend to shown steps only."""
    attention = layers.MultiHeadAttention(1, 4)
    h = attention(inputs[:, :1], inputs, attention_mask=mask)
    return layers.Flatten()(h)


#: Ways to hide steps of -1 by a mask that is computed from the input.
COMPUTED = {
    "layer": lambda x: layers.LSTM(4)(x, mask=layers.Masking(-1.0).compute_mask(x)),
    "operations": lambda x: layers.LSTM(4)(x, mask=known(x)),
    "positional": lambda x: layers.LSTM(4)(x, None, known(x)),
    "lambda": lambda x: layers.LSTM(4)(
        x, mask=layers.Lambda(known, output_shape=(6,), dtype="float32")(x)
    ),
    "one_column": lambda x: layers.LSTM(4)(x, mask=x[..., 0] > -1.0),
    "inverse": lambda x: layers.LSTM(4)(
        x, mask=ops.logical_not(ops.all(ops.equal(x, -1.0), axis=-1))
    ),
    "pooled": lambda x: layers.GlobalAveragePooling1D()(
        layers.Dense(4, activation="tanh")(x), mask=known(x)
    ),
    "attention": lambda x: attended(x, known(x)[:, None, :]),
    "attention_inverse": lambda x: attended(
        x, ops.logical_not(ops.logical_not(known(x))[:, None, :])
    ),
}


def hidden_by(name):
    inputs = keras.Input((6, 3), name="x")
    return keras.Model(inputs, layers.Dense(2)(COMPUTED[name](inputs)))


SAMPLED = {
    "hybrid": (
        lambda *args, **params: ke.smoothgrad(*args, estimator="hybrid", **params),
        FEW,
    )
}


@pytest.mark.filterwarnings("ignore:The slopes of these")
@pytest.mark.parametrize("name", [*METHODS, *SAMPLED])
@pytest.mark.parametrize("computed", COMPUTED)
def test_steps_hidden_by_a_computed_mask_have_maps_of_zero(name, computed, rng):
    method, params = (METHODS | SAMPLED)[name]
    model, x = hidden_by(computed), padded_with(-1.0, rng)
    _, maps = method(model, x, [0, 1], **{"verbose": 0, **params})
    assert not maps[0, 3:].any()
    assert not maps[1, 5:].any()
    assert maps[0, :3].any()
    assert maps[1, 3:5].any()


@pytest.mark.parametrize("computed", ["operations", "attention"])
def test_computed_masks_are_those_of_the_same_model_with_fewer_steps(computed, rng):
    """Gradients of noisy copies do not depend on what is hidden."""
    model, x = hidden_by(computed), padded_with(-1.0, rng)
    noise = {"noise": 0.3, "seed": 0, **FEW}
    expected = ke.smoothgrad(model, x, [0, 1], **noise)[1]
    *_, stats = ke.smoothgrad(model, x, [0, 1], return_stats=True, **FEW)
    np.testing.assert_allclose(stats.sigma[:, 0], 0.15 * ranges(x, (3, 5)), rtol=1e-5)
    mask, inputs = keras.Input((6,), dtype="bool"), keras.Input((6, 3))
    given = {"operations": lambda: layers.LSTM(4)(inputs, mask=mask)}
    given["attention"] = lambda: attended(inputs, mask[:, None, :])
    other = keras.Model([inputs, mask], layers.Dense(2)(given[computed]()))
    other.set_weights(model.get_weights())
    shown = (x != -1).any(axis=-1)
    found = ke.smoothgrad(other, [x, shown], [0, 1], **noise)[1]
    np.testing.assert_allclose(found[0], expected, rtol=1e-4, atol=1e-6)


def test_masks_of_two_inputs_are_combined(rng):
    inputs = [keras.Input((6, 3)), keras.Input((6, 3))]
    both = ops.logical_and(*map(known, inputs))
    h = layers.LSTM(4)(layers.Concatenate()(inputs), mask=both)
    model = keras.Model(inputs, layers.Dense(2)(h))
    x = [padded_with(-1.0, rng), rng.normal(size=(2, 6, 3)).astype("float32")]
    _, maps = ke.smoothgrad(model, x, [0, 1], **FEW)
    for each in maps:
        assert not each[0, 3:].any()
        assert each[0, :3].all()


def test_masks_of_steps_that_are_put_together_are_refused(rng):
    inputs = keras.Input((6, 3))
    mask = ops.any(ops.not_equal(inputs[:, ::2] + inputs[:, 1::2], 0.0), axis=-1)
    h = layers.LSTM(4)(layers.AveragePooling1D(2)(inputs), mask=mask)
    model = keras.Model(inputs, layers.Dense(2)(h))
    with pytest.raises(ValueError, match="hide steps of one of its inputs"):
        ke.smoothgrad(model, padded(rng, 2), [0, 1], **FEW)


ELSEWHERE = {
    "flipped": lambda x: layers.Masking()(ops.flip(x, axis=1)),
    "rolled": lambda x: layers.Masking()(ops.roll(x, 1, axis=1)),
    "recurrent": lambda x: layers.Masking()(
        layers.GRU(3, return_sequences=True, go_backwards=True, use_bias=False)(x)
    ),
    "given": lambda x: layers.LSTM(4, return_sequences=True)(
        x, mask=ops.any(ops.not_equal(ops.flip(x, axis=1), 0), axis=-1)
    ),
}


@pytest.mark.backend_independent
@pytest.mark.parametrize("case", ELSEWHERE)
def test_masks_of_steps_in_another_order_are_refused(case, rng):
    inputs = keras.Input((6, 3))
    h = layers.LSTM(4)(ELSEWHERE[case](inputs))
    model = keras.Model(inputs, layers.Dense(2)(h))
    with pytest.raises(ValueError, match="hide steps of one of its inputs"):
        ke.smoothgrad(model, padded(rng, 2), [0, 1], **FEW)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        maps = ke.integrated_gradients(model, padded(rng, 2), [0, 1], verbose=0)[1]
    if case != "given":  # Which hides the values indeed.
        assert maps[:, :3].any(axis=1).all()


class Holding(layers.Layer):
    """A layer of the user's that holds another, to which Keras passes the mask."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def call(self, inputs):
        return self.inner(inputs, inputs)


class AddsShown(layers.Layer):
    """A layer of the user's with a mask for each input."""

    def call(self, a, b, a_mask=None, b_mask=None):
        shown = a if a_mask is None else a + ops.cast(a_mask, a.dtype)[..., None]
        return shown + b


class Stops(layers.Layer):
    """A layer of the user's that does not pass masks on."""

    def call(self, t):
        return ops.tanh(t)

    def compute_mask(self, t, mask=None):
        return None


READERS = {
    "stopped": lambda h: layers.LSTM(6, return_sequences=True)(Stops()(h)),
    "multi-head": lambda h: layers.MultiHeadAttention(2, 3)(h, h),
    "grouped": lambda h: layers.GroupQueryAttention(3, 2, 1)(h, h),
    "attention": lambda h: layers.Attention()([h, h]),
    "additive": lambda h: layers.AdditiveAttention()([h, h]),
    "held": lambda h: Holding(layers.MultiHeadAttention(2, 3))(h),
    "own masks": lambda h: AddsShown()(h, layers.Dense(6)(h)),
}


@pytest.mark.filterwarnings("ignore:The (slopes of these layers|noise hardly)")
@pytest.mark.filterwarnings("ignore:Layer ")
@pytest.mark.backend_independent
@pytest.mark.parametrize("reader", READERS)
def test_masks_reach_layers_behind_values_that_are_replaced(reader, rng):
    inputs = keras.Input((6, 4))
    h = layers.Masking()(inputs)
    h = layers.Dense(6, activation="tanh", name="inner")(h)
    outputs = layers.Dense(3)(layers.Flatten()(READERS[reader](h)))
    model = keras.Model(inputs, outputs)
    x = rng.normal(size=(2, 6, 4)).astype("float32")
    x[0, 3:] = 0
    expected = numpy(model(x, training=False))
    hidden = model(x, training=False), model(x * 1.0001 + 0.001, training=False)
    if reader != "stopped":  # Otherwise the mask does matter.
        assert not np.allclose(*map(numpy, hidden), rtol=0.02)
    for method in (ke.methods.cams.hirescam, ke.methods.gradient.full_gradients):
        named = {"layer": "inner"} if method is ke.methods.cams.hirescam else {}
        logits, _ = ke.explain(method, model, x, verbose=0, **named)
        np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-5)
    plain = {"channel_reduction": None, "gradient_filter": None}
    _, maps = ke.explain(ke.methods.gradient.gradients, model, x, verbose=0, **plain)
    few = {"estimator": "slopes", "repetitions": 2, "noise": 1e-3, "verbose": 0}
    _, found = ke.explain(ke.methods.gradient.smooth_gradients, model, x, **few)
    np.testing.assert_allclose(found, maps, rtol=0, atol=2e-3 * np.abs(maps).max())


def test_steps_of_a_model_without_names_get_noise_by_the_name_x(rng):
    class Masked(keras.Model):
        def __init__(self):
            super().__init__()
            self.body = sequential()

        def call(self, inputs):
            return self.body(inputs)

    model, x = Masked(), padded(rng, 2)
    model(x)
    with pytest.raises(ValueError, match=r"noise=\{'x': 0\.1\}, adds noise"):
        ke.smoothgrad(model, x, [0, 1], **FEW)
    maps = ke.smoothgrad(model, x, [0, 1], noise={"x": 0.1}, **FEW)[1]
    assert maps.any()


def any_value(x):
    return ops.any(ops.not_equal(x, 0), axis=-1)


class AnyValue(layers.Layer):
    def call(self, x):
        return any_value(x)


def multiplied(h, mask):
    weights = ops.cast(mask, "float32")[..., None]
    return ops.sum(h * weights, axis=1) / ops.sum(weights, axis=1)


def softly_chosen(h, mask):
    scores = ops.where(mask[..., None], layers.Dense(1)(h), -1e9)
    return ops.sum(h * ops.softmax(scores, axis=1), axis=1)


@pytest.mark.parametrize("pool", [multiplied, softly_chosen])
def test_masks_may_be_computed_in_layers_of_the_users(pool, rng):
    """Padding is found by the comparison inside."""
    x, found = padded(rng, 2), []
    for mask in (any_value, AnyValue(), layers.Lambda(any_value)):
        keras.utils.set_random_seed(0)
        inputs = keras.Input((6, 3))
        h = layers.Dense(4, activation="tanh")(inputs)
        model = keras.Model(inputs, layers.Dense(2)(pool(h, mask(inputs))))
        found.append(ke.smoothgrad(model, x, [0, 1], **FEW).maps)
    np.testing.assert_array_equal(found[0][:, 3:], 0)
    for maps in found[1:]:
        np.testing.assert_allclose(maps, found[0], rtol=1e-4, atol=1e-6)
