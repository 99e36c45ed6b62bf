import pathlib

import keras
import numpy as np
import pytest
from keras import layers

from keras_explainable.cli import load_model, read_images


def classifier(shape=(8, 8, 3), classes=4):
    return keras.Sequential(
        [keras.Input(shape), layers.GlobalAveragePooling2D(), layers.Dense(classes)]
    )


@pytest.fixture
def saved(tmp_path):
    def save(model, name="net.keras"):
        path = tmp_path / name
        model.save(path)
        return str(path)

    return save


@pytest.mark.parametrize("name", ["net.keras", "net.h5"])
def test_model_files_are_loaded(saved, name, rng):
    model = classifier()
    path = saved(model, name)
    loaded = load_model.load(path)
    pixels = rng.integers(0, 256, (2, 8, 8, 3), "uint8")
    np.testing.assert_array_equal(
        loaded.model.predict(loaded.prepare(pixels), verbose=0),
        model.predict(pixels.astype("float32"), verbose=0),
    )
    assert (loaded.name, loaded.preprocessing, loaded.size) == (path, "none", (8, 8))
    assert loaded.classes == ("class 0", "class 1", "class 2", "class 3")


def test_a_file_uses_the_chosen_preprocessing(saved, rng):
    pixels = rng.integers(0, 256, (2, 8, 8, 3), "uint8")
    loaded = load_model.load(saved(classifier()), "caffe")
    np.testing.assert_array_equal(
        loaded.prepare(pixels), read_images.preprocess(pixels, "caffe")
    )


def test_models_of_one_channel_receive_luma(saved):
    loaded = load_model.load(saved(classifier((8, 8, 1))), "unit")
    assert loaded.prepare(np.zeros((2, 8, 8, 3), "uint8")).shape == (2, 8, 8, 1)
    with pytest.raises(ValueError, match="one channel"):
        load_model.load(saved(classifier((8, 8, 1))), "torch")


@pytest.mark.parametrize(
    ("shape", "size"),
    [((None, None, 3), None), ((7, 9, 3), (7, 9)), ((None, 9, 3), (9, 9))],
)
def test_input_size(saved, shape, size):
    assert load_model.load(saved(classifier(shape))).size == size


def test_the_demo_knows_its_classes():
    loaded = load_model.load("demo")
    assert loaded.classes == tuple("0123456789")
    assert loaded.model.output_shape == (None, 10)
    assert loaded.size == loaded.model.input_shape[1:3]


def two_inputs():
    one, other = keras.Input((8, 8, 3)), keras.Input((8, 8, 3))
    pooled = layers.GlobalAveragePooling2D()(one + other)
    return keras.Model([one, other], layers.Dense(2)(pooled))


def two_outputs():
    x = keras.Input((8, 8, 3))
    pooled = layers.GlobalAveragePooling2D()(x)
    return keras.Model(x, [layers.Dense(2)(pooled), layers.Dense(3)(pooled)])


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda: keras.Sequential([keras.Input((5,)), layers.Dense(2)]),
            r"\(None, 5\)",
        ),
        (two_inputs, "must take one batch of images"),
        (two_outputs, "must output one score per class"),
        (lambda: classifier((8, 8, 4)), "1 or 3 channels last"),
        (lambda: classifier((3, 8, 8)), "1 or 3 channels last"),
        (
            lambda: keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(2, 1)]),
            r"one score per class .*\(None, 8, 8, 2\).*`ke\.targets\.region` expl",
        ),
    ],
)
def test_models_that_do_not_classify_images_are_refused(saved, build, message):
    with pytest.raises(ValueError, match=message) as caught:
        load_model.load(saved(build()))
    assert "net.keras must" in str(caught.value)


@pytest.mark.parametrize("name", ["net.keras", "net.h5"])
@pytest.mark.parametrize("content", [b"", b"no model at all"])
def test_files_that_are_not_models(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match="is damaged or not a Keras model"):
        load_model.load(str(tmp_path / name))


def test_a_truncated_model_file(saved, tmp_path):
    path = tmp_path / "half.keras"
    path.write_bytes(pathlib.Path(saved(classifier())).read_bytes()[:2000])
    with pytest.raises(ValueError, match="is damaged or"):
        load_model.load(str(path))


def test_python_code_in_files_is_not_run(saved, tmp_path):
    ran = tmp_path / "ran"

    def touch(x):
        ran.touch()
        return x

    model = keras.Sequential(
        [keras.Input((8, 8, 3)), layers.Lambda(lambda x: touch(x))]
    )
    model.add(layers.GlobalAveragePooling2D())
    path = saved(model)
    ran.unlink()
    with pytest.raises(ValueError, match="contains Python code"):
        load_model.load(path)
    assert not ran.exists()


def test_layers_unknown_to_keras(saved):
    class Odd(layers.Dense):
        pass

    model = keras.Sequential([keras.Input((8, 8, 3)), layers.Flatten(), Odd(2)])
    with pytest.raises(
        ValueError, match="uses layers or functions that Keras does not"
    ):
        load_model.load(saved(model))


@pytest.mark.parametrize(
    ("name", "preprocess", "message"),
    [
        ("nothing.keras", None, "Model file nothing.keras does not exist"),
        ("nothing.h5", "unit", "does not exist"),
        (
            "MobileNetV2",
            "tf",
            "--preprocess is for model files; MobileNetV2 has its own",
        ),
        ("demo", "none", "--preprocess is for model files; demo has its own"),
    ],
)
def test_errors_found_without_loading(name, preprocess, message):
    with pytest.raises(ValueError, match=message):
        load_model.check_name(name, preprocess)


def test_unknown_preprocessing(saved):
    with pytest.raises(ValueError, match="--preprocess must be one of none, unit, tf"):
        load_model.check_name(saved(classifier()), "zero")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mobilnetv2", "did you mean MobileNetV2, MobileNet or"),
        ("resnet-50", "did you mean ResNet50, ResNet50V2 or"),
        ("qwertz", r"Unknown model qwertz\. Use demo"),
        ("Model", "Unknown model Model"),
        ("net.pb", "net.pb is a SavedModel"),
        ("vgg19/", "Unknown model"),
    ],
)
def test_unknown_names_suggest_similar_ones(name, message):
    with pytest.raises(ValueError, match=message):
        load_model.load(name)


@pytest.fixture
def untrained(monkeypatch):
    """Replace MobileNetV2 by a small network, so that nothing is downloaded."""

    def build(weights):
        assert weights == "imagenet"
        return classifier((32, 32, 3), classes=1000)

    monkeypatch.setattr(keras.applications, "MobileNetV2", build)


def fail_to_fetch(*_, **__):
    raise Exception("URL fetch failure on https://example.invalid: None")


@pytest.mark.parametrize("name", ["MobileNetV2", "mobilenetv2", "MOBILENETV2"])
def test_applications_have_their_own_preprocessing(untrained, name, monkeypatch, rng):
    monkeypatch.setattr(
        keras.applications.mobilenet_v2, "decode_predictions", fail_to_fetch
    )
    loaded = load_model.load(name)
    pixels = rng.integers(0, 256, (2, 32, 32, 3), "uint8")
    before = pixels.copy()
    np.testing.assert_allclose(
        loaded.prepare(pixels), pixels.astype("float32") / 127.5 - 1, atol=1e-6
    )
    np.testing.assert_array_equal(pixels, before)
    assert loaded.name == "MobileNetV2"
    assert loaded.classes[123] == "class 123"
    assert len(loaded.classes) == 1000


def test_applications_have_class_names(untrained, monkeypatch):
    def decode(predictions, top):
        assert top == 1
        best = predictions.argmax(axis=1)
        return [[(f"n{unit:08}", f"tiger_cat_{unit}", 1.0)] for unit in best]

    monkeypatch.setattr(keras.applications.mobilenet_v2, "decode_predictions", decode)
    assert load_model.load("MobileNetV2").classes[282] == "tiger cat 282"


def test_every_application_has_a_module_with_preprocessing():
    names = load_model._application_names()
    assert {"MobileNetV2", "ResNet50", "ResNet101", "Xception"} <= set(names)
    for name in names:
        module = load_model._application_module(name)
        written_in = getattr(keras.applications, name).__module__.split(".")[-1]
        assert module.__name__.split(".")[-1] == written_in
        assert callable(module.preprocess_input)
        assert callable(module.decode_predictions)


def test_weights_that_cannot_be_downloaded(monkeypatch):
    monkeypatch.setattr(
        keras.applications, "VGG16", lambda weights: fail_to_fetch(weights)
    )
    with pytest.raises(ValueError, match="could not be downloaded") as caught:
        load_model.load("vgg16")
    assert "--model demo" in str(caught.value)
    assert ".keras" in str(caught.value)


def test_other_errors_of_keras_are_not_hidden(monkeypatch):
    def build(weights):
        raise RuntimeError("something else")

    monkeypatch.setattr(keras.applications, "VGG16", build)
    with pytest.raises(RuntimeError, match="something else"):
        load_model.load("vgg16")
