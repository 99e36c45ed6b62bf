"""Class activation maps of layers with tokens."""

import keras
import numpy as np
import pytest
from keras import layers, ops
from support import transformers as vit
from support.transformers import WIDTH, transformer

import keras_explainable as ke

EVERY = [name for name in ke.methods.cams.__all__ if hasattr(ke, name)]
LINEAR = ("cam", "minmaxcam", "d_minmaxcam")
OF_ANY_HEAD = [name for name in EVERY if name not in LINEAR]


@pytest.fixture(autouse=True)
def seeded():
    keras.utils.set_random_seed(7)


@pytest.fixture
def x():
    return np.random.default_rng(0).normal(size=(2, 16, 24, 3)).astype("f4")


def raw_maps(name, model, x, y=((0, 2), (1, 0)), **params):
    method = getattr(ke.methods.cams, name)
    return ke.explain(method, model, x, y, verbose=0, resizing=None, **params)[1]


def both_layouts():
    """Return a network of tokens, and the same network of images."""
    inputs, models = keras.Input((16, 24, 3)), []
    patches, inner = layers.Conv2D(WIDTH, 4, 4), layers.Dense(6, "relu", name="shown")
    units = layers.Dense(3)
    for tokens in (True, False):
        x = patches(inputs)
        x = inner(layers.Reshape((-1, WIDTH))(x) if tokens else x)
        pool = (
            layers.GlobalAveragePooling1D if tokens else layers.GlobalAveragePooling2D
        )
        models.append(keras.Model(inputs, units(pool()(x))))
    return models


@pytest.mark.parametrize("name", EVERY)
def test_maps_of_tokens_are_those_of_the_same_network_of_images(name, x):
    tokens, image = both_layouts()
    found, expected = (raw_maps(name, m, x, layer="shown") for m in (tokens, image))
    assert found.shape == (2, 4, 6, 2)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def on_their_grid(x):
    """Return tokens that have gone through an image without the class token."""
    image = layers.Reshape((4, 6, WIDTH), name="image")(x[:, 1:])
    rest = layers.Reshape((-1, WIDTH))(image)
    return layers.Concatenate(axis=1)([x[:, :1], rest])


@pytest.mark.parametrize("name", OF_ANY_HEAD)
def test_class_tokens_are_left_out(name, x):
    """As in the same network, in which all patches go through an image."""
    model = transformer()
    twin = transformer(lambda x: on_their_grid(vit.embedded_by_convolution(x)))
    twin.set_weights(model.get_weights())
    found = raw_maps(name, model, x, layer="tokens")
    expected = raw_maps(name, twin, x, layer="image")
    assert found.shape == (2, 4, 6, 2)
    assert np.abs(found).max() > 0
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-6)


def registers_behind(x):
    x = layers.Conv2D(WIDTH, 4, 4)(x)
    return vit.MoreTokens(1, 3)(layers.Reshape((-1, WIDTH))(x))


def test_maps_have_the_size_of_the_image(x):
    model = transformer(registers_behind)
    _, maps = ke.gradcam(model, x, [0, 1], layer="first_end", verbose=0)
    assert maps.shape == (2, 16, 24, 1)


@pytest.mark.parametrize("head", [vit.class_token, vit.mean_token])
@pytest.mark.parametrize(
    "attention",
    [
        vit.attention_by_a_layer,
        vit.attention_by_operations,
        vit.attention_by_einsum,
        vit.attention_by_one_projection,
        vit.attention_by_a_function,
    ],
)
def test_the_default_is_the_input_of_the_last_block(head, attention, x):
    model = transformer(attention=attention, head=head)
    found = raw_maps("gradcam", model, x)
    expected = raw_maps("gradcam", model, x, layer="first_end")
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-7)
    assert np.abs(found).max() > 0


@pytest.mark.parametrize(
    ("head", "layer"), [(vit.class_token, "encoder"), (vit.mean_token, "after")]
)
def test_the_default_of_blocks_that_cannot_be_looked_into(head, layer, x):
    """The last tokens that matter: the class token alone may be read at the end."""
    inputs = keras.Input((16, 24, 3))
    tokens = vit.Encoder(name="encoder")(vit.Embedded()(inputs))
    tokens = vit.Encoder(name="last")(tokens)
    tokens = layers.LayerNormalization(name="after")(tokens)
    model = keras.Model(inputs, layers.Dense(3)(head(tokens)))
    found, expected = (raw_maps("gradcam", model, x, layer=k) for k in (None, layer))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-7)
    assert np.abs(found).max() > 0


def test_layers_with_spatial_axes_after_the_tokens_come_first(x):
    inputs = keras.Input((16, 24, 3))
    tokens = vit.block(vit.embedded_by_convolution(inputs), "block")
    image = layers.Reshape((4, 6, WIDTH))(tokens[:, 1:])
    image = layers.Conv2D(5, 3, padding="same", name="shown")(image)
    model = keras.Model(inputs, layers.Dense(3)(layers.Flatten()(image)))
    found, expected = (raw_maps("hirescam", model, x, layer=k) for k in (None, "shown"))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-7)


def test_exposed_tokens_and_nested_models(x):
    model = transformer()
    expected = raw_maps("layercam", model, x, layer="first_end")
    exposed = ke.inspection.expose(model, "first_end")
    np.testing.assert_allclose(raw_maps("layercam", exposed, x), expected, rtol=1e-5)
    inputs = keras.Input((16, 24, 3))
    nested = keras.Model(inputs, model(layers.Rescaling(1.0)(inputs)))
    found = raw_maps("layercam", nested, x, layer="first_end")
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-7)


def test_channels_first(x):
    def moved(image):
        return vit.embedded_by_convolution(layers.Permute((2, 3, 1))(image))

    model, twin = transformer(), transformer(moved, shape=(3, 16, 24))
    twin.set_weights(model.get_weights())
    found = raw_maps("gradcam", twin, x.transpose(0, 3, 1, 2))
    np.testing.assert_allclose(
        found, raw_maps("gradcam", model, x), rtol=1e-4, atol=1e-7
    )


def shuffled(x):
    order = np.random.default_rng(0).permutation(24)
    return ops.take(vit.embedded_as_in_the_examples(x), order, axis=1)


@pytest.mark.parametrize("name", ["gradcam", "scorecam", "minmaxgradcam"])
def test_a_grid_that_is_not_known_is_asked_for(name, x):
    model = transformer(shuffled)
    with pytest.raises(ValueError, match=r"'tokens' .*`grid=` .*`skip_tokens=`"):
        raw_maps(name, model, x, layer="tokens")
    assert raw_maps(name, model, x, layer="tokens", grid=(3, 8)).shape == (2, 3, 8, 2)
    given = {"grid": (2, 11), "skip_tokens": (1, 1)}
    assert raw_maps(name, model, x, layer="tokens", **given).shape == (2, 2, 11, 2)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"layer": "units", "grid": (4, 6)}, "tokens .*'units'"),
        ({"layer": "tokens", "grid": (4, 4)}, "25 tokens together"),
        ({"layer": "tokens", "grid": (4, 6), "skip_tokens": 2}, "have 26"),
        ({"layer": "patches", "grid": (4, 6)}, "tokens .*'patches'"),
    ],
)
def test_layers_without_tokens_and_grids_that_do_not_fit(params, message, x):
    with pytest.raises(ValueError, match=message):
        ke.gradcam(transformer(), x, [0, 1], verbose=0, **params)


@pytest.mark.parametrize("layer", [None, "tokens"])
def test_tokens_lie_where_the_image_was_cut(layer, x):
    """The map is that of the network without the cut, with 0 around it."""
    inner, inputs = transformer(), keras.Input((24, 24, 3))
    model = keras.Model(inputs, inner(layers.Cropping2D(((8, 0), (0, 0)))(inputs)))
    whole = np.concatenate([np.full((2, 8, 24, 3), 5, "float32"), x], axis=1)
    options = {"layer": layer, "verbose": 0, "postprocessing": None}
    maps = ke.explain(ke.methods.cams.hirescam, model, whole, [[0]] * 2, **options)[1]
    alone = ke.explain(ke.methods.cams.hirescam, inner, x, [[0]] * 2, **options)[1]
    np.testing.assert_allclose(maps[:, 8:], alone, rtol=1e-4, atol=1e-6)
    assert not maps[:, :8].any()
