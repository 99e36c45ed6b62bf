"""The layer that class activation maps show if none is named."""

import keras
import pytest
from keras import layers, ops

import keras_explainable as ke


def heads(features, score):
    """Return pooling by attention of three heads."""
    weights = layers.Softmax(axis=1)(layers.Dense(3, name="score")(features))
    return layers.Flatten()(ops.matmul(ops.transpose(weights, (0, 2, 1)), features))


def dots(features, score):
    """Return pooling by attention of three heads, by a layer for products."""
    weights = layers.Dense(3, activation="softmax", name="score")(features)
    return layers.Flatten()(layers.Dot(axes=1)([weights, features]))


def own(features, score):
    """Return the same by a layer of the user's, which weighs and sums."""
    weights = layers.Softmax(axis=1)(layers.Dense(1, name="score")(features))
    weigh = layers.Lambda(lambda x: ops.sum(x[0] * x[1], 1), output_shape=(5,))
    return weigh([features, weights])


def weighed(features, score, channels=1):
    """Return a mean that a gate weighs, of one channel or of all."""
    gate = layers.Dense(channels, activation="sigmoid", name="score")(features)
    return score(layers.Multiply(name="masked")([features, gate])) / score(gate)


def weighed_by_all(features, score):
    """Return a mean that a gate of all channels weighs."""
    return weighed(features, score, 5)


def copied(features, score):
    """Return a mean that a gate weighs after it is copied to all channels."""
    gate = layers.Dense(1, activation="sigmoid", name="score")(features)
    ones = layers.Dense(5, use_bias=False, kernel_initializer="ones", name="copies")
    copies = ones(gate)
    masked = layers.Multiply(name="masked")([copies, features])
    divide = layers.Lambda(lambda x: x[0] / x[1], output_shape=(5,))
    return divide([score(masked), score(copies)])


SIGNALS = {heads: "features", dots: "features", own: "features"}
SIGNALS |= dict.fromkeys((weighed, weighed_by_all, copied), "masked")


@pytest.mark.parametrize("pooling", SIGNALS, ids=lambda x: x.__name__)
@pytest.mark.parametrize("recurrent", [False, True])
def test_scores_of_a_pooling_are_not_features(pooling, recurrent):
    """One pooling layer is called for both the features and their weights."""
    inputs = keras.Input((8, 3))
    layer = (
        layers.LSTM(5, return_sequences=True, name="features")
        if recurrent
        else layers.Conv1D(5, 3, padding="same", name="features")
    )
    pooled = pooling(layer(inputs), layers.GlobalAveragePooling1D())
    model = keras.Model(inputs, layers.Dense(2)(pooled))
    assert ke.inspection.shown_layers(model) == [SIGNALS[pooling]]


@pytest.mark.parametrize("pooling", SIGNALS, ids=lambda x: x.__name__)
def test_scores_of_a_pooling_of_tokens_are_not_features(pooling):
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(5, 3, padding="same", name="convolution")(inputs)
    tokens = layers.Reshape((64, 5), name="features")(x)
    pooled = pooling(tokens, layers.GlobalAveragePooling1D())
    model = keras.Model(inputs, layers.Dense(2)(pooled))
    assert ke.inspection.shown_layers(model) == [SIGNALS[pooling]]


def test_scores_of_a_pooling_of_images_are_not_features():
    """Maps of attention in space weigh the features of an image."""
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(5, 3, padding="same", name="features")(inputs)
    scores = layers.Reshape((64, 2))(layers.Conv2D(2, 1, name="score")(x))
    weights = ops.transpose(layers.Softmax(axis=1)(scores), (0, 2, 1))
    pooled = layers.Flatten()(ops.matmul(weights, layers.Reshape((64, 5))(x)))
    model = keras.Model(inputs, layers.Dense(2)(pooled))
    assert ke.inspection.shown_layers(model)[0] not in ("score", "softmax")


def test_scores_are_taken_where_nothing_else_is_a_layer():
    """They weigh the input itself."""
    inputs = keras.Input((8, 3))
    scores = layers.Conv1D(2, 3, padding="same", name="score")(inputs)
    weights = layers.Softmax(axis=1, name="weights")(scores)
    pooled = layers.Flatten()(layers.Dot(axes=1)([weights, inputs]))
    model = keras.Model(inputs, layers.Dense(2)(pooled))
    assert ke.inspection.shown_layers(model)[0] in ("score", "weights")


@pytest.mark.parametrize(
    "front", [layers.Rescaling(1 / 255), layers.BatchNormalization()]
)
def test_the_default_layer_is_a_convolution_of_one_channel(front):
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(1, 3, name="only")(front(inputs))
    model = keras.Model(inputs, layers.Dense(2)(layers.Flatten()(x)))
    assert ke.inspection.shown_layers(model) == ["only"]


def upsampled(x):
    return layers.UpSampling2D()(layers.Conv2D(3, 1, name="scores")(x))


def activated(x):
    return layers.Softmax()(layers.Conv2D(3, 1, name="scores")(x))


def reshaped(x):
    x = layers.Reshape((64, 3))(layers.Conv2D(3, 1, name="scores")(x))
    return layers.Activation("softmax")(x)


def of_first_class(outputs):
    return ops.mean(outputs[..., 0], axis=tuple(range(1, len(outputs.shape) - 1)))


@pytest.mark.parametrize(
    "end", [upsampled, activated, reshaped], ids=lambda x: x.__name__
)
@pytest.mark.parametrize("targeted", [False, True])
def test_scores_of_pixels_are_not_features(end, targeted):
    """What a segmentation scores its pixels by is what is in front of them."""
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(5, 3, padding="same", name="features")(inputs)
    model = keras.Model(inputs, end(x))
    if targeted:
        model = ke.inspection.target_model(model, of_first_class)
    assert ke.inspection.shown_layers(model) == ["features"]


def test_scores_of_steps_are_not_features():
    inputs = keras.Input((8, 3))
    x = layers.LSTM(5, return_sequences=True, name="features")(inputs)
    model = keras.Model(inputs, layers.TimeDistributed(layers.Dense(4))(x))
    assert ke.inspection.shown_layers(model) == ["features"]


def test_scores_that_are_pooled_are_features():
    """As in SqueezeNet, whose classes have a map each."""
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(5, 3, name="features")(inputs)
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(2, 1, name="classes")(x))
    model = keras.Model(inputs, layers.Softmax()(x))
    assert ke.inspection.shown_layers(model) == ["classes"]


class Weighted(layers.Layer):
    def call(self, features, weights, scale=None):
        return ops.sum(features * weights * scale, 1)


def test_layers_that_are_given_tensors_by_name():
    inputs = keras.Input((8, 3))
    x = layers.Conv1D(5, 3, padding="same", name="features")(inputs)
    weights = layers.Softmax(axis=1)(layers.Dense(5, name="score")(x))
    pooled = Weighted()(x, weights, scale=layers.GlobalMaxPooling1D(keepdims=True)(x))
    model = keras.Model(inputs, layers.Dense(2)(pooled))
    assert len(ke.inspection.shown_layers(model)) == 1


def test_layers_that_are_given_a_tensor_twice():
    inputs = keras.Input((8, 3))
    x = layers.Conv1D(5, 3, padding="same", name="features")(inputs)
    both = layers.Lambda(lambda x: ops.sum(x[0] * x[1], 1), output_shape=(5,))
    model = keras.Model(inputs, layers.Dense(2)(both([x, x])))
    assert ke.inspection.shown_layers(model) == ["features"]


def test_features_that_a_function_pools_are_no_scores():
    """A network without its head, whose pooling is in the function for ``y``."""
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(5, 3, padding="same", name="first")(inputs)
    branch = layers.Conv2D(5, 3, padding="same", name="branch")(x)
    added = layers.Add(name="added")([x, branch])
    for end in (added, layers.ReLU(name="added_relu")(added)):
        model = keras.Model(inputs, end)
        pooled = ke.inspection.target_model(model, lambda y: ops.mean(y, (1, 2)))
        assert ke.inspection.shown_layers(pooled)[0].startswith("added")


@pytest.mark.parametrize("join", ["scales", "deep supervision", "residual"])
def test_scores_that_are_joined_are_not_features(join):
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(3, 3, padding="same", activation="relu")(inputs)
    x = layers.Conv2D(3, 3, padding="same", activation="relu", name="features")(x)
    one, other = (layers.Conv2D(3, 1, name=name)(x) for name in ("one", "other"))
    if join == "scales":
        flat = [layers.Reshape((64, 3))(each) for each in (one, other)]
        outputs = layers.Concatenate(axis=1)(flat)
    else:
        outputs = layers.Average()([one, other if join != "residual" else inputs])
    model = ke.inspection.target_model(keras.Model(inputs, outputs), of_first_class)
    assert ke.inspection.shown_layers(model) == ["features"]


def fewer_keys(x, tokens):
    """Return attention to keys of half the positions, for each position."""
    keys = layers.MaxPooling1D(2)(tokens)
    weights = ops.softmax(ops.matmul(tokens, ops.transpose(keys, (0, 2, 1))))
    return layers.Reshape((8, 8, 5))(ops.matmul(weights, keys))


def handed_back(x, tokens):
    """Return the centres of three classes, handed back to the positions."""
    belongs = layers.Softmax(axis=1)(layers.Dense(3)(tokens))
    centres = ops.matmul(ops.transpose(belongs, (0, 2, 1)), tokens)
    wanted = layers.Softmax()(layers.Dense(3)(tokens))
    return layers.Reshape((8, 8, 5))(ops.matmul(wanted, centres))


def global_context(x, tokens):
    """Return one mean that attention weighs, added to all positions."""
    weights = layers.Softmax(axis=1)(layers.Dense(1)(tokens))
    mean = ops.matmul(ops.transpose(weights, (0, 2, 1)), tokens)
    return layers.Add()([x, layers.Reshape((1, 1, 5))(mean)])


@pytest.mark.parametrize("block", [fewer_keys, handed_back, global_context])
def test_what_attention_hands_back_has_positions(block):
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(5, 3, padding="same")(inputs)
    x = block(x, layers.Reshape((64, 5))(x))
    x = layers.Conv2D(4, 3, padding="same", name="last")(x)
    model = keras.Model(inputs, layers.Dense(2)(layers.GlobalAveragePooling2D()(x)))
    assert ke.inspection.shown_layers(model) == ["last"]
