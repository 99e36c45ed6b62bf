"""Class activation maps say which layer they show."""

import keras
import numpy as np
import pytest
from keras import layers
from support.transformers import transformer

import keras_explainable as ke

shown_layers = ke.inspection.shown_layers


def convolutional():
    convolutions = layers.Conv2D(4, 3, name="one"), layers.Conv2D(4, 3, name="two")
    pooling = layers.GlobalAveragePooling2D()
    inputs = keras.Input((16, 24, 3))
    return keras.Sequential([inputs, *convolutions, pooling, layers.Dense(3)])


@pytest.mark.parametrize(
    ("make", "expected"), [(convolutional, "two"), (transformer, "first_end")]
)
def test_the_layer_that_was_chosen_is_named(make, expected, capsys):
    model, x = make(), np.ones((1, 16, 24, 3), "float32")
    assert shown_layers(model) == [expected]
    ke.gradcam(model, x, [0], verbose=2)
    assert f"gradcam shows '{expected}'. `layer=`" in capsys.readouterr().out
    ke.gradcam(model, x, [0], verbose=0)
    assert capsys.readouterr().out == ""


def test_a_layer_that_was_asked_for_needs_no_note(capsys):
    model, x = transformer(), np.ones((1, 16, 24, 3), "float32")
    assert shown_layers(model, "last_middle") == ["last_middle"]
    exposed = ke.inspection.expose(model, "last_middle")
    assert shown_layers(exposed) == ["last_middle"]
    ke.gradcam(model, x, [0], layer="last_middle", verbose=2)
    ke.gradcam(exposed, x, [0], verbose=2)
    assert "shows" not in capsys.readouterr().out


def test_a_further_output_that_is_shown_is_named(capsys):
    """It may not have been meant for this."""
    plain = convolutional()
    outputs = [plain.outputs[0], plain.get_layer("one").output]
    model = keras.Model(plain.inputs, outputs)
    ke.gradcam(model, np.ones((1, 16, 24, 3), "float32"), [0], verbose=2)
    assert "gradcam shows 'one'" in capsys.readouterr().out


def test_stats_know_the_layer():
    model, x = transformer(), np.ones((1, 16, 24, 3), "float32")
    smooth = ke.methods.meta.smooth(ke.methods.cams.gradcam, 2, 0.1)
    stats = ke.explain(smooth, model, x, [0], verbose=0, return_stats=True)[2]
    assert stats.facts["layers"] == ["first_end"]


def test_wrong_layers():
    with pytest.raises(ValueError, match="named 'nothing'"):
        shown_layers(transformer(), "nothing")
    with pytest.raises(ValueError, match="25 tokens together"):
        shown_layers(transformer(), "tokens", grid=(9, 9))


def test_the_layer_of_signals_whose_channels_come_first():
    """The map is that of the last layer with the axes of the signal."""
    inputs = keras.Input((8, 64))
    x = layers.Reshape((8, 64, 1))(inputs)
    x = layers.Conv2D(4, (1, 9), padding="same", name="temporal")(x)
    x = layers.Conv2D(4, (8, 1), name="spatial")(x)
    model = keras.Model(inputs, layers.Dense(3)(layers.Flatten()(x)))
    signals = np.random.default_rng(0).normal(size=(1, 8, 64)).astype("float32")
    [name] = shown_layers(model)
    options = {"resizing": None, "postprocessing": None, "verbose": 0}
    _, expected = ke.hirescam(model, signals, [1], layer=name, **options)
    _, maps = ke.hirescam(model, signals, [1], **options)
    np.testing.assert_array_equal(maps, expected)


def test_layers_are_given_as_tensors(capsys):
    model, x = convolutional(), np.ones((1, 16, 24, 3), "float32")
    tensor = model.get_layer("one").output
    assert shown_layers(model, tensor) == ["one"]
    _, maps = ke.gradcam(model, x, [0], layer=tensor, verbose=2)
    assert "shows" not in capsys.readouterr().out
    _, expected = ke.gradcam(model, x, [0], layer="one", verbose=0)
    np.testing.assert_array_equal(maps, expected)


def test_the_convolution_behind_the_spectrogram_of_a_signal():
    inputs = keras.Input((256, 1))
    options = {"frame_length": 64, "frame_step": 16, "fft_length": 64}
    x = layers.STFTSpectrogram(mode="log", **options)(inputs)
    x = layers.Conv2D(4, 3, name="last")(layers.Reshape((*x.shape[1:], 1))(x))
    model = keras.Model(inputs, layers.Dense(2)(layers.GlobalAveragePooling2D()(x)))
    assert shown_layers(model) == ["last"]
