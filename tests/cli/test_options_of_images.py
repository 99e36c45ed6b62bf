"""The options that choose a layer, names of classes, a fit and a format."""

import json

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers
from PIL import Image

from keras_explainable.cli import class_names, fit_images, load_model, read_images
from keras_explainable.cli.settings import LAYER_METHODS, RESIZING
from keras_explainable.methods import cams
from keras_explainable.plotting.seen_part import WHOLE, put_back


def test_methods_with_a_layer_are_the_class_activation_maps():
    assert {*LAYER_METHODS} == {*cams.__all__} - {"METHODS"}


def test_a_layer_is_shown(command, picture, here, manifest, maps):
    inputs = keras.Input((12, 12, 3))
    x = layers.Conv2D(4, 3, name="first")(inputs)
    x = layers.Conv2D(4, 3, name="second")(x)
    model = keras.Model(inputs, layers.Dense(3)(layers.GlobalMaxPooling2D()(x)))
    model.save(here / "net.keras")
    given = [
        "explain",
        picture("a.png"),
        "--model",
        "net.keras",
        "--method",
        "hirescam",
    ]
    given += ["--out", "out"]
    assert command(*given)[0] == 0
    expected = maps()["a"]
    code, _, err = command(*given, "--layer", "first")
    assert (code, manifest()["layer"]) == (0, "first"), err
    assert np.abs(maps()["a"] - expected).max() > 0.01
    code, _, err = command(*given, "--layer", "frist")
    assert code == 2
    assert "received one with 4 layers ['first', 'second', " in err
    assert err.rstrip().endswith("; did you mean first?")


@pytest.mark.parametrize("kind", ["lines", "list", "index"])
def test_classes_have_the_names_of_a_file(explain, picture, here, manifest, kind):
    names = ["cat", "dog", "café", "sea lion"]
    path = here / ("names.txt" if kind == "lines" else "names.json")
    index = {str(number): ["n1", name] for number, name in enumerate(names)}
    text = {"lines": "\n".join(names) + "\n\n", "list": json.dumps(names)}
    path.write_text(text.get(kind, json.dumps(index)), encoding="utf-8")
    target = ("--target", "sea lion")
    code, out, err = explain(picture("a.png"), "--class-names", path, *target)
    assert code == 0, err
    assert manifest()["images"][0]["explained"] == [3]
    best = manifest()["images"][0]["predictions"]
    assert {each["label"] for each in best} == {*names}
    assert best[0]["label"] in out


def test_there_is_a_name_for_each_class(explain, picture, here):
    (here / "names.txt").write_text("cat\ndog", encoding="utf-8")
    code, _, err = explain(picture("a.png"), "--class-names", "names.txt")
    assert code == 2
    assert "for each of the model's 4 classes; received 2." in err


def test_the_only_unit_has_the_name_of_label_1():
    of_units = class_names.of_units
    assert of_units(("even", "odd"), 1) == of_units(("odd",), 1) == ("odd",)
    with pytest.raises(ValueError, match=r"3\. The only unit speaks for label 1"):
        of_units(("a", "b", "c"), 1)


@pytest.mark.parametrize("text", ["[1]", "3", '{"1": "a"}', "[[]]", "{", "[" * 9999])
def test_files_of_another_form_are_refused(tmp_path, text):
    path = tmp_path / "names.json"
    path.write_text(text)
    with pytest.raises(ValueError, match="--class-names must be a text file"):
        class_names.read(path)


@pytest.mark.parametrize("kind", ["jpeg", "webp"])
def test_pictures_have_the_format(explain, picture, here, manifest, kind):
    code, _, err = explain(picture("a.png"), "--format", kind)
    assert code == 0, err
    with Image.open(here / "out" / manifest()["images"][0]["panel"]) as found:
        assert found.format.lower() == kind


def test_images_are_fitted(tmp_path):
    """A wide image: its left half is red, its right half is blue."""
    pixels = np.zeros((4, 8, 3), "uint8")
    pixels[:, :4, 0] = pixels[:, 4:, 2] = 255
    Image.fromarray(pixels).save(tmp_path / "a.png")
    crop, stretch, pad = (
        read_images.read(tmp_path / "a.png", (4, 4), how) for how in RESIZING
    )
    np.testing.assert_array_equal(crop, pixels[:, 2:6])
    assert stretch.shape == (4, 4, 3)
    assert (stretch[:, 0] == pixels[0, 0]).all()
    assert (stretch[:, 3] == pixels[0, 7]).all()
    assert not pad[[0, 3]].any()
    assert (pad[1:3, 0] == pixels[0, 0]).all()
    for how in RESIZING:
        Image.new("RGB", (1, 5000), "white").save(tmp_path / "strip.png")
        assert read_images.read(tmp_path / "strip.png", (4, 4), how).shape == (4, 4, 3)


@pytest.mark.parametrize("how", RESIZING)
@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.tuples(*2 * [st.integers(40, 160)]), st.tuples(*2 * [st.integers(40, 90)]))
def test_what_was_fitted_is_put_back_where_it_was(how, sides, size):
    """The picture is a ramp in each direction, which is known at every pixel."""
    high, wide = sides
    down, across = np.mgrid[:high, :wide] * 255 / np.reshape([high, wide], (2, 1, 1))
    image = Image.fromarray(np.stack([down, across, down], -1).astype("uint8"))
    inputs = np.asarray(fit_images.fitted(image, size, how)).astype("float32")
    part = fit_images.seen_part(image, size, how)
    assert (part.fraction == 1) == (how != "crop" or part == WHOLE)
    for channel, ramp in enumerate((down, across)):
        placed = put_back(inputs[..., channel], part, (high, wide))
        assert np.isfinite(placed).mean() >= part.fraction - 2 / min(sides)
        # Away from black padding, which smooth resizing mixes in.
        inside = placed[3:-3, 3:-3], ramp[3:-3, 3:-3]
        assert np.nanmax(np.abs(inside[0] - inside[1])) < 255 * 2 / min(*sides, *size)


def test_the_whole_picture_is_kept_to_be_shown(tmp_path):
    Image.new("RGB", (1300, 325), "red").save(tmp_path / "a.png")
    pixels, picture, seen = read_images.read_with_picture(tmp_path / "a.png", (10, 10))
    assert pixels.shape == (10, 10, 3)
    assert picture.shape == (128, 512, 3)
    assert seen == (0.375, 0, 0.625, 1)
    pixels, picture, seen = read_images.read_with_picture(tmp_path / "a.png")
    assert (pixels.shape, seen) == ((128, 512, 3), WHOLE)


def test_the_part_that_was_seen_is_recorded(explain, picture, manifest, here):
    assert explain(picture("a.png", size=(20, 40)))[0] == 0
    (image,) = manifest()["images"]
    assert image["seen"] == [0.25, 0, 0.75, 1]
    page = (here / "out" / "index.html").read_text("utf-8")
    assert "The network saw the framed part (50 %)" in page
    with Image.open(here / "out" / image["panel"]) as panel:
        assert panel.width > 3 * panel.height / 2  # Three wide pictures.


def test_the_fit_is_recorded(explain, picture, manifest, network, here):
    assert explain(picture("a.png"), "--resize", "pad")[0] == 0
    assert manifest()["resize"] == "pad"
    network(side=None).save(here / "any.keras")
    code, _, err = explain("a.png", "--resize", "pad", "--model", "any.keras")
    assert code == 2
    assert "takes images of any size; received pad." in err


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("net.weights.h5", "save it with model.save"),
        ("net.tflite", "explain the Keras model that it was converted from"),
        ("net.onnx", "explain the Keras model that it was converted from"),
        ("net.pth", "build its network in Keras"),
        ("saved", "TFSMLayer"),
        ("empty", "is a folder without a SavedModel"),
    ],
)
def test_other_formats_are_refused_with_what_to_do(here, name, advice):
    for folder in ("saved", "empty"):
        (here / folder).mkdir()
    (here / "saved" / "saved_model.pb").touch()
    with pytest.raises(ValueError, match=advice):
        load_model.check_name(name, None)


def test_files_that_are_no_images_are_named_before_the_model_is_loaded(
    explain, picture, here
):
    (here / "text.jpg").write_text("text")
    (here / "more.jpg").write_text("text")
    code, _, err = explain(picture("a.png"), "text.jpg", "more.jpg")
    assert code == 1
    said = err.index("2 of 3 files will be left out: text.jpg is not an image")
    assert said < err.index("Loading")
    assert ", and 1 more" in err
