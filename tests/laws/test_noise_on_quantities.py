"""Noise goes to quantities only; masks, categories, tokens and masked steps stay."""

import keras
import numpy as np
import pytest
from keras import layers, ops
from support.small_models import numpy

import keras_explainable as ke
from keras_explainable.network.input_kinds import choosing_inputs, takes_noise
from keras_explainable.network.input_tensors import as_inputs

FEW = {"repetitions": 6, "postprocessing": None, "verbose": 0}


def masked():
    """A sequence, and a boolean mask of its steps."""
    seq = keras.Input((5, 4), name="seq")
    mask = keras.Input((5,), dtype="bool", name="mask")
    outputs = layers.Dense(3)(layers.LSTM(3)(seq, mask=mask))
    return keras.Model([seq, mask], outputs)


def categories():
    numbers = keras.Input((4,), name="numbers")
    category = keras.Input((2,), dtype="int32", name="category")
    chosen = layers.Flatten()(ops.one_hot(category, 3))
    h = layers.Concatenate()([numbers, chosen])
    h = layers.Dense(6, activation="tanh")(h)
    return keras.Model([numbers, category], layers.Dense(3)(h))


def embedded():
    """Tokens that two layers read, so that vectors cannot stand in for them."""
    numbers = keras.Input((4,), name="numbers")
    tokens = keras.Input((3,), dtype="int32", name="tokens")
    both = [layers.Embedding(5, 2)(tokens), layers.Embedding(5, 2)(tokens)]
    h = layers.Flatten()(layers.Concatenate()(both))
    h = layers.Concatenate()([numbers, h])
    return keras.Model([numbers, tokens], layers.Dense(3)(h))


def bins():
    """A real number that is only compared with limits."""
    numbers, age = keras.Input((4,), name="numbers"), keras.Input((1,), name="age")
    edges = layers.Discretization([0.0, 1.0], output_mode="one_hot")(age)
    h = layers.Concatenate()([numbers, edges])
    return keras.Model([numbers, age], layers.Dense(3)(h))


def inputs_of(make):
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=(2, 4)).astype("float32")
    if make is masked:
        steps = np.array([[1, 1, 1, 0, 0], [1, 1, 0, 0, 0]], bool)
        return [rng.normal(size=(2, 5, 4)).astype("float32"), steps]
    if make is bins:
        return [numbers, np.float32([[-0.5], [1.5]])]
    return [numbers, rng.integers(0, 3, (2, 2 if make is categories else 3))]


MODELS = [masked, categories, embedded, bins]


@pytest.mark.parametrize("make", MODELS)
def test_what_only_chooses_stays_as_it_is(make):
    model, x = make(), inputs_of(make)
    names = [symbol.name for symbol in model.inputs]
    level = {names[0]: 0.3, names[1]: 0.0}
    found = ke.smoothgrad(model, x, [0, 1], noise_level=0.3, **FEW)
    expected = ke.smoothgrad(model, x, [0, 1], noise_level=level, **FEW)
    np.testing.assert_allclose(found[0], numpy(model(x))[[0, 1], [0, 1]][:, None], 1e-5)
    for one, other in zip(found[1], expected[1], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)
    assert found[1][0].any()
    assert not found[1][1].any()


@pytest.mark.parametrize("make", MODELS)
def test_the_standard_deviations_say_so(make):
    model, x = make(), inputs_of(make)
    *_, stats = ke.smoothgrad(model, x, [0, 1], return_stats=True, **FEW)
    assert (stats[0].sigma > 0).all()
    assert not stats[1].sigma.any()


@pytest.mark.parametrize("make", [masked, categories, embedded])
def test_integrated_gradients_leave_them_on_the_whole_path(make):
    model, x = make(), inputs_of(make)
    method = ke.methods.gradient.integrated_gradients
    logits, maps = ke.explain(method, model, x, [0, 1], n_steps=64, verbose=0)
    at_zero = numpy(model([np.zeros_like(x[0]), x[1]]))[[0, 1], [0, 1]]
    sums = [part.sum(axis=tuple(range(1, part.ndim - 1))) for part in maps]
    np.testing.assert_allclose(sum(sums)[:, 0], logits[:, 0] - at_zero, atol=1e-3)


def test_a_sigma_given_by_name_is_used():
    model, x = bins(), inputs_of(bins)
    level = {"numbers": 0.0, "age": 5.0}
    *_, stats = ke.smoothgrad(model, x, [0, 1], noise=level, return_stats=True, **FEW)
    assert (stats[1].sigma == 5).all()


def pixels(dtype):
    inputs = keras.Input((4, 4, 3), dtype=dtype)
    h = layers.Flatten()(layers.Rescaling(1 / 255)(inputs))
    return keras.Model(inputs, layers.Dense(2)(layers.Dense(4, activation="gelu")(h)))


def test_bytes_are_pixels_and_get_noise(rng):
    x = rng.integers(0, 256, (2, 4, 4, 3), "uint8")
    found = ke.smoothgrad(pixels("uint8"), x, [0, 1], return_stats=True, **FEW)
    assert (found[2].sigma > 0).all()
    assert found[1].any()


class Tokens(keras.Model):
    """A subclassed model of tokens."""

    def __init__(self, embedding):
        super().__init__()
        self.embedding, self.head = embedding, layers.Dense(2)

    def call(self, inputs):
        return self.head(ops.mean(self.embedding(inputs), axis=1))


class Tokenwise(layers.Layer):
    """A layer of the user's that holds the embedding."""

    def __init__(self):
        super().__init__()
        self.parts = {"tokens": layers.Embedding(9, 4)}

    def build(self, shape):
        self.parts["tokens"].build(shape)

    def call(self, inputs):
        return self.parts["tokens"](inputs)


class Hiding(keras.Model):
    """A subclassed model that masks steps."""

    def __init__(self):
        super().__init__()
        self.hide, self.body = layers.Masking(), layers.LSTM(3)

    def call(self, inputs):
        return self.body(self.hide(inputs))


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint16"])
def test_tokens_alone_are_refused(dtype, rng):
    x = rng.integers(0, 9, (2, 5)).astype(dtype)
    held = [layers.Embedding(9, 4), Tokenwise()]
    for model in map(Tokens, held):
        with pytest.raises(ValueError, match=r"`model` must have .*real numbers"):
            ke.smoothgrad(model, x, [0, 1], **FEW)


@pytest.mark.parametrize("dtype", ["int16", "int32"])
def test_integers_that_the_layers_count_get_noise(dtype, rng):
    """As numbers with fractions, which the noise has."""
    x = rng.integers(0, 256, (2, 4, 4, 3)).astype(dtype)
    params = {"seed": 0, "return_stats": True, **FEW}
    models = pixels(dtype), pixels("float32")
    models[1].set_weights(models[0].get_weights())
    one, other = (ke.smoothgrad(each, x, [0, 1], **params) for each in models)
    np.testing.assert_allclose(one[2].sigma, other[2].sigma)
    np.testing.assert_allclose(one[1], other[1], rtol=1e-4, atol=1e-7)
    assert (one[2].sigma > 0).all()


class Positions(layers.Layer):
    """Adds the embedding of each position to the step there."""

    def __init__(self):
        super().__init__()
        self.position = layers.Embedding(5, 4)
        self.position.build(())

    def call(self, inputs):
        return inputs + self.position(ops.arange(5))


def float_tokens(kind):
    """Tokens in an input of floats, next to numbers."""
    numbers = keras.Input((4,), name="numbers")
    if kind == "frames":
        tokens = keras.Input((5, 2), name="tokens")
        h = layers.TimeDistributed(layers.Embedding(9, 4))(tokens)
    else:
        tokens = keras.Input((5,), name="tokens")
        h = Tokenwise()(tokens)
    h = layers.Concatenate()([numbers, layers.Flatten()(h)])
    return keras.Model([numbers, tokens], layers.Dense(2)(h))


@pytest.mark.parametrize("kind", ["frames", "own"])
def test_tokens_as_floats_get_no_noise(kind, rng):
    model = float_tokens(kind)
    tokens = rng.integers(0, 9, (2, 5, 2) if kind == "frames" else (2, 5))
    x = [rng.normal(size=(2, 4)).astype("float32"), tokens.astype("float32")]
    assert choosing_inputs(model) == [False, True]
    logits, _, stats = ke.smoothgrad(model, x, [0, 1], return_stats=True, **FEW)
    assert (stats[0].sigma > 0).all()
    # A layer that returns a vector for each token counts as an embedding: as those of
    # Keras, it is explained by its vectors, which are quantities.
    assert stats[1].sigma.any() == (kind == "own")
    expected = numpy(model(x))[[0, 1], [0, 1]]
    np.testing.assert_allclose(logits[:, 0], expected, rtol=1e-4, atol=1e-6)


def test_a_layer_that_embeds_positions_reads_quantities(rng):
    inputs = keras.Input((5, 4))
    h = layers.GlobalAveragePooling1D()(Positions()(inputs))
    model = keras.Model(inputs, layers.Dense(2)(h))
    assert choosing_inputs(model) == [False]
    x = rng.normal(size=(2, 5, 4)).astype("float32")
    assert ke.smoothgrad(model, x, [0, 1], **FEW)[1].all()


class Both(keras.Model):
    """A subclassed model of tokens and numbers, in a dictionary."""

    def __init__(self, embedding):
        super().__init__()
        self.embedding, self.head = embedding, layers.Dense(2)

    def call(self, inputs):
        h = ops.mean(self.embedding(inputs["tokens"]), axis=1)
        return self.head(ops.concatenate([h, inputs["numbers"]], axis=-1))


@pytest.mark.parametrize("make", [lambda: layers.Embedding(9, 4), Tokenwise])
def test_tokens_in_a_dictionary_get_no_noise(make, rng):
    x = {
        "tokens": rng.integers(0, 9, (2, 5)),
        "numbers": rng.normal(size=(2, 4)).astype("float32"),
    }
    model = Both(make())
    model(x)
    *_, stats = ke.smoothgrad(model, x, [0, 1], return_stats=True, **FEW)
    assert (stats["numbers"].sigma > 0).all()
    assert not stats["tokens"].sigma.any()


def recurrent(scale):
    """Steps of zeros are padding, also after a layer that keeps zeros."""
    h = inputs = keras.Input((6, 4), name="x")
    h = layers.Rescaling(scale)(h) if scale else h
    h = layers.Masking(0.0)(h)
    return keras.Model(inputs, layers.Dense(3)(layers.LSTM(3)(h)))


METHODS = {
    "smoothgrad": ke.smoothgrad,
    "pairs": lambda *args, **params: ke.smoothgrad(*args, antithetic=True, **params),
    "vargrad": ke.vargrad,
    "hybrid": lambda *args, **params: ke.smoothgrad(
        *args, estimator="hybrid", **params
    ),
}


@pytest.mark.filterwarnings("ignore:The slopes of these")
@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("scale", [None, 2.0])
def test_masked_steps_stay_masked(name, scale, rng):
    x = rng.normal(size=(2, 6, 4)).astype("float32")
    x[0, 3:], x[1, 5:] = 0, 0
    model = recurrent(scale)
    _, maps = METHODS[name](model, x, [0, 1], noise_level=0.3, **FEW)
    assert not maps[0, 3:].any()
    assert not maps[1, 5:].any()
    assert maps[0, :3].all()
    short = METHODS[name](model, x, [0, 1], noise={"x": 0.2}, **FEW)[1]
    assert short[0, 3:].any()


def test_steps_that_are_hidden_out_of_sight_are_refused(rng):
    x = rng.normal(size=(2, 6, 4)).astype("float32")
    inputs = keras.Input((6, 4))
    pooled = layers.Masking()(layers.AveragePooling1D(2)(inputs))
    functional = keras.Model(inputs, layers.Dense(2)(layers.LSTM(2)(pooled)))
    for model in (Hiding(), functional):
        with pytest.raises(ValueError, match="hide steps of one of its inputs"):
            ke.smoothgrad(model, x, [0, 1], **FEW)


def test_kinds_of_inputs():
    found = {make: choosing_inputs(make()) for make in MODELS}
    assert set(map(tuple, found.values())) == {(False, True)}
    for dtype, expected in (("uint8", [True]), ("int32", [True]), ("float32", [True])):
        model = pixels(dtype)
        tensors = as_inputs(model, np.zeros((1, 4, 4, 3), dtype))
        assert choosing_inputs(model) == [False]
        assert takes_noise(model, tensors) == expected


def with_mask(use, dtype="bool"):
    """A model of steps whose mean shows whether a mask was kept."""
    steps, mask = keras.Input((6, 3)), keras.Input((6,), dtype=dtype)
    h = layers.Dense(4, activation="tanh")(use(steps, mask))
    outputs = layers.Dense(2)(layers.GlobalAveragePooling1D()(h))
    return keras.Model([steps, mask], outputs)


def selected(steps, mask):
    return ops.where(ops.expand_dims(mask, -1), steps, 0.0)


#: Ways to use a mask, and the dtype of its input.
USES = {
    "where": (selected, "bool"),
    "where_not": (
        lambda a, mask: ops.where(ops.logical_not(mask)[..., None], 0.0, a),
        "bool",
    ),
    "product": (lambda a, mask: ops.cast(mask, "float32")[..., None] * a, "bool"),
    "integers": (selected, "int32"),
    "floats": (lambda a, mask: selected(a, mask > 0.5), "float32"),
    "both": (lambda a, mask: selected(a, ops.logical_and(mask, mask)), "int32"),
    "member": (lambda a, mask: selected(a, ops.isin(mask, [1])), "int32"),
}


@pytest.mark.filterwarnings("ignore:.* cannot be compiled")  # IsIn on TensorFlow.
@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("name", ["smoothgrad", "vargrad"])
def test_masks_that_layers_do_not_know_get_no_noise(use, name, rng):
    model = with_mask(*USES[use])
    shown = np.arange(6) < np.array([[3], [5]])
    x = [rng.normal(size=(2, 6, 3)).astype("float32"), shown]
    assert choosing_inputs(model) == [False, True]
    _, maps, stats = METHODS[name](model, x, [0, 1], return_stats=True, **FEW)
    assert maps[0][shown].all()
    assert not maps[0][~shown].any()
    assert not maps[1].any()
    assert not stats[1].sigma.any()


def test_layers_on_frames_may_select_by_a_mask(rng):
    frame = keras.Input((3,))
    positive = ops.where(ops.any(frame > 0, axis=-1, keepdims=True), frame, 0.0)
    inner = keras.Model(frame, layers.Dense(2)(positive))
    inputs = keras.Input((6, 3))
    model = keras.Model(inputs, layers.Flatten()(layers.TimeDistributed(inner)(inputs)))
    assert choosing_inputs(model) == [False]


class Lookup(layers.Layer):
    """A layer of the user's that reads a category from the first column."""

    def __init__(self):
        super().__init__()
        self.table = layers.Embedding(5, 2)
        self.table.build(())

    def call(self, row):
        category = ops.cast(row[:, 0], "int32")
        return ops.concatenate([self.table(category), row[:, 1:]], axis=-1)


def sliced(row):
    category = layers.Embedding(5, 2)(ops.cast(row[:, :1], "int32"))
    return layers.Concatenate()([layers.Flatten()(category), row[:, 1:]])


def split(row):
    category, numbers = ops.split(row, [1], axis=-1)
    category = ops.one_hot(ops.cast(category, "int32"), 5)
    return layers.Concatenate()([layers.Flatten()(category), numbers])


def scaled(row):
    numbers = layers.Rescaling(2.0)(row)[:, 1:]
    category = layers.Embedding(5, 2)(row[:, 0])
    return layers.Concatenate()([category, numbers])


def one_hot_first(row):
    category = ops.one_hot(ops.cast(row[:, 0], "int32"), 5)
    return ops.concatenate([category, row[:, 1:]], axis=-1)


def in_a_lambda(row):
    return layers.Lambda(one_hot_first, output_shape=(8,))(row)


class OneHotFirst(layers.Layer):
    def call(self, row):
        return one_hot_first(row)


class Subclassed(keras.Model):
    """A model of unknown layers that reads a category from the first column."""

    def __init__(self):
        super().__init__()
        self.lookup, self.head = Lookup(), layers.Dense(2)

    def call(self, row):
        return self.head(ops.tanh(self.lookup(row)))


def out_of_sight(row):
    slices = layers.Lambda(lambda x: ops.cast(x[:, :1], "int32"), output_shape=(1,))
    category = layers.Flatten()(layers.Embedding(5, 2)(slices(row)))
    return layers.Concatenate()([category, row[:, 1:]])


def table(columns):
    if columns is Subclassed:
        model = Subclassed()
        model(np.zeros((1, 4)))
        return model
    row = keras.Input((4,), name="row")
    h = layers.Dense(4, activation="tanh")(columns(row))
    return keras.Model(row, layers.Dense(2)(h))


def rows(rng):
    return np.c_[[0, 4], rng.normal(size=(2, 3))].astype("float32")


COLUMNS = [sliced, split, scaled, lambda row: Lookup()(row), in_a_lambda]
COLUMNS += [lambda row: OneHotFirst()(row), Subclassed]


@pytest.mark.filterwarnings("ignore:The slopes of these", "ignore:The layers of")
@pytest.mark.parametrize("columns", COLUMNS)
@pytest.mark.parametrize("name", METHODS)
def test_columns_of_categories_get_no_noise(columns, name, rng):
    model, x = table(columns), rows(rng)
    _, maps, stats = METHODS[name](
        model, x, [0, 1], noise_level=0.2, return_stats=True, **FEW
    )
    expected = 0.2 * np.ptp(x[:, 1:], axis=1)
    assert not stats.sigma[:, 0].any()
    np.testing.assert_allclose(stats.sigma[:, 1:], expected[:, None] + [[0] * 3] * 2)
    assert not maps[:, 0].any()
    assert maps[:, 1:].all()


@pytest.mark.parametrize("columns", COLUMNS)
def test_integrated_gradients_leave_categories_on_the_path(columns, rng):
    model, x = table(columns), rows(rng)
    method = ke.methods.gradient.integrated_gradients
    logits, maps = ke.explain(method, model, x, [0, 1], n_steps=64, verbose=0)
    start = np.c_[x[:, :1], np.zeros((2, 3), "float32")]
    at_start = numpy(model(start))[[0, 1], [0, 1]]
    np.testing.assert_allclose(
        maps.sum(axis=(1, 2)), logits[:, 0] - at_start, atol=1e-4
    )


def test_columns_that_cannot_be_told_are_refused(rng):
    model, x = table(out_of_sight), rows(rng)
    with pytest.raises(ValueError, match=r"noise_level=\[0.0, 0.15, 0.15, 0.15\]"):
        ke.smoothgrad(model, x, [0, 1], **FEW)
    level = [0, 0.15, 0.15, 0.15]
    params = {"noise_level": level, "return_stats": True, **FEW}
    *_, stats = ke.smoothgrad(model, x, [0, 1], **params)
    assert not stats.sigma[:, 0].any()
    assert (stats.sigma[:, 1:] > 0).all()


def test_columns_that_are_counted_and_binned_get_noise(rng):
    def binned(row):
        bins = layers.Discretization([0.0, 1.0], output_mode="one_hot")(row)
        return layers.Concatenate()([layers.Flatten()(bins), row])

    *_, stats = ke.smoothgrad(
        table(binned), rows(rng), [0, 1], return_stats=True, **FEW
    )
    assert (stats.sigma > 0).all()
