"""Models with token inputs: derivatives are those by the embedding vectors."""

from functools import partial

import keras
import numpy as np
import pytest
from keras import layers, ops
from support.small_models import numpy

import keras_explainable as ke
from keras_explainable.inspection import embedded_model
from keras_explainable.methods.gradient.input_gradients import SIGNED_GRADIENTS

WORDS, LENGTH, WIDTH = 11, 7, 4
Y = [0, 1, 2]


def build(dtype="int32", nested=False, **options):
    tokens = keras.Input((LENGTH,), dtype=dtype, name="tokens")
    x = layers.Embedding(WORDS, WIDTH, name="table", **options)(tokens)
    x = x + layers.Embedding(LENGTH, WIDTH)(ops.arange(LENGTH))
    x = layers.Bidirectional(layers.LSTM(3, return_sequences=True))(x)
    x = layers.Conv1D(5, 2, activation="tanh", name="convolution")(x)
    x = layers.GlobalAveragePooling1D()(x)
    model = keras.Model(tokens, layers.Dense(4, activation="softmax")(x))
    if not nested:
        return model
    tokens = keras.Input((LENGTH,), dtype=dtype)
    return keras.Model(tokens, model(tokens))


@pytest.fixture
def tokens(rng):
    return rng.integers(0, WORDS, (3, LENGTH))


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("dtype", ["int32", "uint8", "float32"])
def test_the_embedded_model_computes_the_same_outputs(tokens, nested, dtype):
    model = build(dtype, nested)
    embedded, look_up = embedded_model(model)
    vectors = look_up(tokens)
    assert vectors.shape == (3, LENGTH, WIDTH)
    found, expected = numpy(embedded(vectors)), numpy(model(tokens))
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_derivatives_are_those_by_the_vectors(tokens, rng):
    model = build()
    _, maps = ke.explain(SIGNED_GRADIENTS, model, tokens, Y, verbose=0)
    assert maps.shape == (3, LENGTH, WIDTH, 1)
    embedded, look_up = embedded_model(ke.inspection.logits_model(model))
    vectors = numpy(look_up(tokens))
    direction = rng.normal(size=vectors.shape).astype("float32")
    up, down = (
        numpy(embedded(vectors + sign * 1e-2 * direction))[np.arange(3), Y]
        for sign in (1, -1)
    )
    found = (maps[..., 0] * direction).sum(axis=(1, 2))
    expected = (up - down) / 2e-2
    np.testing.assert_allclose(found, expected, atol=0.02 * np.abs(found).max())


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("smooth", {}),
        ("integrated_gradients", {}),
        ("gradcam", {"layer": "convolution"}),
        ("occlusion", {}),
        ("rise", {"repetitions": 4, "seed": 0}),
    ],
)
def test_a_map_has_a_value_for_each_token(tokens, name, options):
    options = options | {"postprocessing": None, "verbose": 0}
    method = ke.methods.meta.smooth(ke.methods.gradient.gradients, 2)
    explain = partial(ke.explain, method) if name == "smooth" else getattr(ke, name)
    logits, maps = explain(build(), tokens, Y, **options)
    assert logits.shape == (3, 1)
    assert maps.shape == (3, LENGTH, 1)
    assert maps.any(axis=1).all()


def test_tokens_beside_another_input(tokens, rng):
    words = keras.Input((LENGTH,), dtype="int32", name="words")
    row = keras.Input((5,), name="row")
    x = layers.Flatten()(layers.Embedding(WORDS, WIDTH)(words))
    x = layers.Dense(4)(layers.Dense(8, "tanh")(layers.Concatenate()([x, row])))
    model = keras.Model({"words": words, "row": row}, x)
    x = {"words": tokens, "row": rng.normal(size=(3, 5))}
    _, maps = ke.smoothgrad(model, x, Y, repetitions=2, verbose=0)
    assert {name: part.shape for name, part in maps.items()} == {
        "words": (3, LENGTH, 1),
        "row": (3, 5, 1),
    }


def test_an_embedding_that_is_called_twice(tokens):
    words = keras.Input((LENGTH,), dtype="int32")
    table = layers.Embedding(WORDS, WIDTH)
    both = table(words) * table(words)  # Its derivative is twice the vector.
    outputs = layers.Dense(1, kernel_initializer="ones")(layers.Flatten()(both))
    model = keras.Model(words, outputs)
    _, maps = ke.explain(SIGNED_GRADIENTS, model, tokens, verbose=0)
    vectors = numpy(table(tokens))
    np.testing.assert_allclose(maps[..., 0], 2 * vectors, rtol=1e-4)


def test_tokens_outside_the_vocabulary_are_rejected(tokens):
    tokens[1, 2] = WORDS
    message = f"`x` must be tokens from 0 to {WORDS - 1}, .* received {WORDS}"
    with pytest.raises(ValueError, match=message):
        ke.gradients(build(), tokens, Y, verbose=0)


def test_models_without_embeddings_are_returned_unchanged():
    inputs = keras.Input((LENGTH,))
    model = keras.Model(inputs, layers.Dense(2)(inputs))
    same, look_up = embedded_model(model)
    assert same is model
    assert look_up(inputs) is inputs


def attended(x):
    return layers.GlobalAveragePooling1D()(layers.MultiHeadAttention(2, 4)(x, x))


#: What reads the vectors of an embedding that masks zeros, and whether it hides them.
READERS = {
    "average": (layers.GlobalAveragePooling1D(), True),
    "recurrent": (layers.Bidirectional(layers.GRU(3)), True),
    "attention": (attended, True),
    "flattened": (layers.Flatten(), False),
}


def model_of_padded(reader, mask_zero=True):
    inputs = keras.Input((LENGTH,), dtype="int32")
    table = layers.Embedding(WORDS, WIDTH, mask_zero=mask_zero, name="table")
    x = reader(layers.Dense(5, activation="tanh")(table(inputs)))
    return keras.Model(inputs, layers.Dense(4)(x))


def derivatives_by_the_table(model, tokens, units):
    """Differences by the vectors of tokens, each of which occurs once in a row."""
    table = model.get_layer("table")
    kept, found = numpy(table.embeddings), np.zeros((*tokens.shape, WIDTH))
    for token in range(WORDS):
        for channel in range(WIDTH):
            values = []
            for change in (1e-2, -1e-2):
                moved = kept.copy()
                moved[token, channel] += change
                table.embeddings.assign(moved)
                values.append(numpy(model(tokens))[np.arange(len(units)), units])
            slopes = (values[0] - values[1]) / 2e-2
            found[..., channel] += (tokens == token) * slopes[:, None]
    table.embeddings.assign(kept)
    return found


def test_masks_that_a_nested_encoder_hands_on():
    inputs = keras.Input((LENGTH,), dtype="int32")
    x = layers.Embedding(WORDS, WIDTH, mask_zero=True, name="table")(inputs)
    encoder = keras.Model(inputs, layers.Dense(5)(x))
    tokens = np.int32([[3, 1, 4, 5, 9, 2, 0], [2, 7, 1, 0, 0, 0, 0]])
    inputs = keras.Input((LENGTH,), dtype="int32")
    pooled = layers.GlobalAveragePooling1D()(encoder(inputs))
    model = keras.Model(inputs, layers.Dense(4)(pooled))
    for explain in (ke.gradients, ke.occlusion):
        logits, maps = explain(model, tokens, [1, 2], verbose=0)
        expected = numpy(model(tokens))[[0, 1], [1, 2]]
        np.testing.assert_allclose(logits[:, 0], expected, rtol=1e-4, atol=1e-6)
        np.testing.assert_array_equal(maps[tokens == 0], 0)


@pytest.mark.filterwarnings("ignore:Layer .* was passed an input with a mask")
@pytest.mark.parametrize("name", READERS)
def test_derivatives_of_an_embedding_that_masks_zeros(name):
    reader, hides = READERS[name]
    model = model_of_padded(reader)
    tokens = np.int32([[3, 1, 4, 5, 9, 2, 0], [2, 7, 1, 0, 0, 0, 0]])
    logits, maps = ke.explain(SIGNED_GRADIENTS, model, tokens, [1, 2], verbose=0)
    np.testing.assert_allclose(
        logits[:, 0], numpy(model(tokens))[[0, 1], [1, 2]], rtol=1e-4, atol=1e-6
    )
    expected = derivatives_by_the_table(model, tokens, [1, 2])
    seen = tokens > 0  # Token 0 occurs several times.
    np.testing.assert_allclose(maps[seen][..., 0], expected[seen], atol=1e-3)
    assert hides == (not maps[~seen].any())


@pytest.mark.parametrize("name", ["smoothgrad", "integrated_gradients", "attnlrp"])
def test_maps_of_padded_texts_are_those_of_shorter_ones(name):
    """Hidden tokens get no noise, and no relevance."""
    given = {"repetitions": 4, "noise": 0.01} if name == "smoothgrad" else {}
    inputs = keras.Input((None,), dtype="int32")
    x = layers.Embedding(WORDS, WIDTH, "normal", mask_zero=True)(inputs)
    model = keras.Model(inputs, layers.Dense(4)(layers.LSTM(3)(x)))
    tokens = np.int32([[3, 1, 4, 0, 0], [2, 7, 9, 0, 0]])
    options = {"postprocessing": None, "verbose": 0, **given}
    maps, short = (
        getattr(ke, name)(model, x, [0, 1], **options).maps
        for x in (tokens, tokens[:, :3])
    )
    np.testing.assert_allclose(maps[:, :3], short, rtol=0.05, atol=1e-3)
    np.testing.assert_array_equal(maps[:, 3:], 0)


def test_vectors_of_zeros_are_hidden_for_token_0_alone():
    """Tables of trained vectors have zeros for words that they do not know."""
    model = model_of_padded(layers.GlobalAveragePooling1D())
    table = model.get_layer("table")
    values = numpy(table.embeddings).copy()
    values[4] = 0
    table.embeddings.assign(values)
    tokens = np.int32([[3, 1, 4, 4, 9, 2, 0], [4, 4, 0, 0, 0, 0, 0]])
    logits, maps = ke.explain(SIGNED_GRADIENTS, model, tokens, [1, 2], verbose=0)
    np.testing.assert_allclose(
        logits[:, 0], numpy(model(tokens))[[0, 1], [1, 2]], rtol=1e-4, atol=1e-6
    )
    assert (maps[..., 0].any(axis=-1) == (tokens > 0)).all()


def test_tokens_that_a_computed_mask_hides():
    """An own mask hides them from one layer, and another one reads all."""
    inputs = keras.Input((LENGTH,), dtype="int32")
    x = layers.Embedding(WORDS, WIDTH, name="table")(inputs)
    mask = ops.cast(ops.not_equal(inputs, 0), "float32")[..., None]
    pooled = ops.sum(x * mask, axis=1) / ops.sum(mask, axis=1)
    model = keras.Model(inputs, layers.Dense(4)(pooled))
    tokens = np.int32([[3, 1, 4, 5, 9, 2, 0], [2, 7, 1, 0, 0, 0, 0]])
    _, maps = ke.explain(SIGNED_GRADIENTS, model, tokens, [1, 2], verbose=0)
    expected = derivatives_by_the_table(model, tokens, [1, 2])
    np.testing.assert_allclose(
        maps[..., 0], expected * (tokens > 0)[..., None], atol=1e-3
    )


class TokenAndPositionEmbedding(layers.Layer):
    """The sum of the vectors of tokens and of positions, as in Keras' examples."""

    def __init__(self):
        super().__init__()
        self.tokens = layers.Embedding(WORDS, WIDTH)
        self.positions = layers.Embedding(LENGTH, WIDTH)

    def call(self, x):
        return self.tokens(x) + self.positions(ops.arange(LENGTH))


def with_own_embedding(dtype):
    inputs = keras.Input((LENGTH,), dtype=dtype)
    x = TokenAndPositionEmbedding()(inputs)
    x = layers.Dense(5, activation="tanh")(layers.Conv1D(4, 2, activation="tanh")(x))
    return keras.Model(inputs, layers.Dense(3)(layers.GlobalAveragePooling1D()(x)))


@pytest.mark.parametrize("dtype", ["int32", "float32"])
def test_layers_with_an_embedding_inside_are_explained_by_their_vectors(dtype, tokens):
    model = with_own_embedding(dtype)
    vectors = numpy(model.layers[1](tokens))
    start = keras.Input((LENGTH, WIDTH))
    x = start
    for layer in model.layers[2:]:
        x = layer(x)
    after = keras.Model(start, x)
    options = {"postprocessing": None, "verbose": 0}
    for method in (ke.gradients, ke.integrated_gradients):
        _, expected = method(after, vectors, Y, **options)
        _, found = method(model, tokens, Y, **options)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
    _, maps = ke.smoothgrad(model, tokens, Y, repetitions=4, **options)
    assert maps.std() > 0


class MixedEmbedding(layers.Layer):
    """Vectors of a table's first column, and its other numbers beside them."""

    def __init__(self):
        super().__init__()
        self.table = layers.Embedding(WORDS, WIDTH)

    def call(self, x):
        return self.table(ops.cast(x[:, :1], "int32")) * x[..., None]


def test_layers_that_read_numbers_as_well_are_explained_by_their_inputs(rng):
    inputs = keras.Input((3,))
    x = layers.Flatten()(MixedEmbedding()(inputs))
    model = keras.Model(inputs, layers.Dense(2)(x))
    x = np.float32([[1, 0.5, 2.5], [4, -1.5, 0.3]])
    _, maps = ke.gradients(model, x, [0, 1], postprocessing=None, verbose=0)
    assert maps.shape == (2, 3, 1)


class WithMask(TokenAndPositionEmbedding):
    def compute_mask(self, inputs, mask=None):
        return ops.not_equal(inputs, 0)


class OwnTable(layers.Embedding):
    def compute_mask(self, inputs, mask=None):
        return ops.not_equal(inputs, 0)


@pytest.mark.parametrize("layer", [WithMask, lambda: OwnTable(WORDS, WIDTH)])
def test_layers_that_make_masks_stay(layer, rng):
    """Vectors carry no mask: the value explained would be another one."""
    inputs = keras.Input((LENGTH,), dtype="int32")
    x = layers.GlobalAveragePooling1D()(layer()(inputs))
    model = keras.Model(inputs, layers.Dense(3)(x))
    assert embedded_model(model)[0] is model
    tokens = np.int32([[1, 2, 3, 4, 0, 0, 0]])
    logits, _ = ke.occlusion(model, tokens, [1], verbose=0)
    np.testing.assert_allclose(logits[0, 0], numpy(model(tokens))[0, 1], rtol=1e-5)


class Encoder(TokenAndPositionEmbedding):
    """Vectors that depend on all tokens."""

    def __init__(self):
        super().__init__()
        self.attention = layers.MultiHeadAttention(1, WIDTH)

    def call(self, x):
        x = super().call(x)
        return x + self.attention(x, x)


def test_encoders_are_no_embeddings():
    inputs = keras.Input((LENGTH,), dtype="int32")
    model = keras.Model(inputs, layers.Dense(3)(Encoder()(inputs)[:, 0]))
    assert embedded_model(model)[0] is model
    with pytest.raises(ValueError, match="must have inputs of real numbers"):
        ke.gradients(model, np.ones((1, LENGTH), "int32"), [1], verbose=0)


def test_methods_without_derivatives_by_the_inputs_take_the_tokens(tokens):
    model = with_own_embedding("int32")
    embedding = model.layers[1].name
    options = {"postprocessing": None, "verbose": 0}
    _, maps = ke.hirescam(model, tokens, Y, layer=embedding, **options)
    exposed = ke.inspection.expose(model, embedding)
    _, expected = ke.hirescam(exposed, tokens, Y, **options)
    np.testing.assert_allclose(maps, expected, rtol=1e-5)
    assert maps.any()
    assert ke.inspection.shown_layers(model, embedding) == [embedding]

    given = {"size": 1, "fill": 3} | options
    _, maps = ke.occlusion(model, tokens, Y, **given)
    for place in range(LENGTH):
        other = tokens.copy()
        other[:, place] = 3
        change = numpy(model(tokens)) - numpy(model(other))
        expected = change[np.arange(3), Y]
        np.testing.assert_allclose(maps[:, place, 0], expected, rtol=1e-4, atol=1e-6)


class Tied(layers.Embedding):
    pass


def test_subclasses_of_embedding_are_embeddings(tokens):
    inputs = keras.Input((LENGTH,), dtype="int32")
    x = layers.GlobalAveragePooling1D()(Tied(WORDS, WIDTH)(inputs))
    model = keras.Model(inputs, layers.Dense(3)(x))
    _, maps = ke.gradients(model, tokens, Y, postprocessing=None, verbose=0)
    assert maps.shape == (3, LENGTH, 1)
    assert maps.any()


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("name", ["hirescam", "scorecam"])
def test_cams_show_the_vectors_by_the_name_of_their_layer(name, own, tokens):
    layer = TokenAndPositionEmbedding() if own else layers.Embedding(WORDS, WIDTH)
    inputs = keras.Input((LENGTH,), dtype="int32")
    x = layers.GlobalAveragePooling1D()(layer(inputs))
    head = layers.Dense(3)
    model = keras.Model(inputs, head(x))
    method = partial(getattr(ke, name), postprocessing=None, verbose=0)
    _, maps = method(model, tokens, Y, layer=layer.name)
    _, by_default = method(model, tokens, Y)
    np.testing.assert_allclose(maps, by_default, rtol=1e-5, atol=1e-7)
    vectors, kernel = numpy(layer(tokens)), numpy(head.kernel)[:, Y].T
    if name == "hirescam":
        expected = (vectors * kernel[:, None]).sum(-1) / LENGTH
    else:  # The score of a channel is that of vectors that it masks.
        low, high = (f(vectors, axis=1, keepdims=True) for f in (np.min, np.max))
        masks = (vectors - low) / (high - low)
        masked = vectors[..., None, :] * masks[..., None]
        scores = np.einsum("btcd,bd->bc", masked, kernel) / LENGTH
        expected = (vectors * scores[:, None]).sum(-1)
    np.testing.assert_allclose(maps[..., 0], expected, rtol=1e-3, atol=1e-6)


def test_an_embedding_of_two_inputs_is_one_layer(tokens):
    embedding = layers.Embedding(WORDS, WIDTH, name="both")
    first, second = (keras.Input((LENGTH,), dtype="int32", name=n) for n in "ab")
    pool = layers.GlobalAveragePooling1D()
    joined = layers.Concatenate()([pool(embedding(x)) for x in (first, second)])
    model = keras.Model([first, second], layers.Dense(3)(joined))
    given = {"postprocessing": None, "verbose": 0, "layer": "both"}
    maps = ke.hirescam(model, [tokens, tokens[::-1]], Y, **given).maps
    assert [each.shape for each in maps] == [(3, LENGTH, 1)] * 2
