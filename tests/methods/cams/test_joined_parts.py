"""Images that are padded, split or shuffled by joining: where their maps lie."""

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_explainable as ke
from keras_explainable.methods import cams

PLAIN = {"postprocessing": None, "verbose": 0}
SIZE = 32
AT = (9, 22)


def beside_zeros(x):
    return layers.Concatenate(axis=2)([x, ops.zeros_like(x)])


def below_zeros_of_its_own(x):
    zeros = layers.Lambda(lambda x: 0 * x[:, :16])(x)
    return ops.concatenate([zeros, x], axis=1)


def stacked_on_zeros(x):
    return ops.hstack([ops.zeros_like(x[:, :16]), x])


def appended_to_zeros(x):
    return ops.append(ops.zeros_like(x[:, :16]), x, axis=1)


def written_on_zeros(x):
    zeros = ops.zeros((1, SIZE + 16, SIZE, 3))
    return ops.slice_update(zeros, (0, 16, 0, 0), x)


def cut_out(x):
    """A slice of one row has a fixed batch."""
    return ops.slice(x, (0, 0, 0, 0), (1, SIZE - 8, SIZE, 3))


def mirrored_around(x):
    left, right = ops.flip(x[:, :, :8], 2), ops.flip(x[:, :, -8:], 2)
    return ops.concatenate([left, x, right], axis=2)


def joined_again(x):
    return layers.Concatenate(axis=1)(ops.split(x, 2, axis=1))


def split_and_merged(x):
    return layers.Reshape((SIZE, SIZE, 3))(layers.Reshape((2, 16, SIZE, 3))(x))


def neighbours_as_channels(x):
    x = layers.Permute((1, 3, 2, 4, 5))(layers.Reshape((16, 2, 16, 2, 3))(x))
    return layers.Reshape((16, 16, 12))(x)


def every_second(x):
    corners = [x[:, a::2, b::2] for a in (0, 1) for b in (0, 1)]
    return layers.Concatenate()(corners)


def cut_after_a_convolution(x):
    ones = {"kernel_initializer": "ones", "use_bias": False}
    x = layers.Conv2D(2, 3, padding="same", **ones)(x)
    return ops.concatenate([0 * x[:, :8], x[:, 16:]], axis=1)


def differences(x):
    return ops.square(x[:, 1:] - x[:, :-1])


IN_PLACE = [
    differences,
    beside_zeros,
    below_zeros_of_its_own,
    joined_again,
    split_and_merged,
    stacked_on_zeros,
    appended_to_zeros,
    written_on_zeros,
    cut_out,
]
IN_PLACE += [neighbours_as_channels, every_second]


def network(step):
    inputs = keras.Input((SIZE, SIZE, 3))
    ones = {"kernel_initializer": "ones", "use_bias": False}
    x = layers.Conv2D(2, 3, padding="same", **ones)(step(inputs))
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(1, **ones)(x))


def explained(step, method=cams.hirescam):
    image = np.zeros((1, SIZE, SIZE, 3), "float32")
    image[(0, *(slice(k - 1, k + 2) for k in AT))] = 1
    return ke.explain(method, network(step), image, [[0]], **PLAIN)[1][0, ..., 0]


@pytest.mark.backend_independent
@pytest.mark.parametrize("step", IN_PLACE)
def test_an_object_is_where_the_image_has_it(step):
    maps = explained(step)
    places = np.indices(maps.shape).reshape(2, -1)
    assert maps.shape == (SIZE, SIZE)
    np.testing.assert_allclose(places @ maps.ravel() / maps.sum(), AT, atol=1.0)


def halves_exchanged(x):
    first, second = ops.unstack(layers.Reshape((2, 16, SIZE, 3))(x), 2, axis=1)
    return layers.Concatenate(axis=1)([second, first])


def halves_as_channels(x):
    halves = ops.unstack(ops.reshape(x, (-1, 2, 16, SIZE, 3)), 2, axis=1)
    return layers.Concatenate()(halves)


def patches_exchanged(x):
    x = ops.reshape(x, (-1, 2, 16, 2, 16, 3))
    x = ops.transpose(x, (0, 3, 2, 1, 4, 5))
    return ops.reshape(x, (-1, SIZE, SIZE, 3))


def halves_compared(x):
    return ops.abs(x[:, :, :16] - ops.flip(x[:, :, 16:], 2))


def halves_in_towers(x):
    tower = layers.Conv2D(3, 3, padding="same")
    return layers.Concatenate()([tower(x[:, :, :16]), tower(x[:, :, 16:])])


EXCHANGED = [halves_exchanged, halves_as_channels, patches_exchanged]


@pytest.mark.backend_independent
@pytest.mark.parametrize("step", [*EXCHANGED, halves_compared, halves_in_towers])
def test_exchanged_or_several_parts_are_refused(step):
    with pytest.raises(ValueError, match="rolls or shuffles them"):
        explained(step)
    maps = explained(step, ke.methods.gradient.gradients)
    assert maps.shape == (SIZE, SIZE)


@pytest.mark.backend_independent
@pytest.mark.parametrize("first", [True, False])
def test_of_an_image_and_its_mirror_image_the_image_is_shown(first):
    def average(x):
        views = [x, ops.flip(x, 2)]
        return layers.Average()(views if first else views[::-1])

    maps = explained(average, ke.methods.cams.layercam)
    mirrored = (AT[0], SIZE - 1 - AT[1])
    assert maps[AT] == pytest.approx(maps[mirrored])
    assert maps[AT] == maps.max()


@pytest.mark.backend_independent
def test_images_made_of_flat_inputs_have_a_layer(rng):
    inputs = keras.Input((64,))
    x = layers.Conv2D(3, 3, name="seen")(layers.Reshape((8, 8, 1))(inputs))
    model = keras.Model(inputs, layers.Dense(2)(layers.Flatten()(x)))
    x = rng.normal(size=(2, 64)).astype("float32")
    found = ke.gradcam(model, x, [0, 1], **PLAIN)[1]
    named = ke.gradcam(model, x, [0, 1], layer="seen", **PLAIN)[1]
    np.testing.assert_array_equal(found, named)
    assert found.shape == (2, 6, 6, 1)
