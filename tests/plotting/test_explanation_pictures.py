"""An explanation draws its maps over images, signals and volumes."""

import base64
import io
import re
import sys

import keras
import numpy as np
import pytest
from PIL import Image

import keras_explainable as ke
from keras_explainable.engine.explanation.facts import Facts
from keras_explainable.plotting import colormaps, explanation_pictures

LABELS = ["cat", "dog & co"]


def explained(*shape, count=2, low=0.0):
    """Return maps for inputs of a shape."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input(shape)
    units = keras.layers.Dense(2)(keras.layers.Flatten()(inputs))
    x = np.random.default_rng(0).uniform(low, 1, (count, *shape)).astype("float32")
    return ke.gradients(keras.Model(inputs, units), x, verbose=0).with_labels(LABELS)


@pytest.fixture
def drawn(monkeypatch):
    """Return what was drawn: the arguments of each call of ``visualize``."""
    calls, draw = [], explanation_pictures.visualize

    def recorded(images, **options):
        calls.append({"images": images, **options})
        return draw(images, **options)

    monkeypatch.setattr(explanation_pictures, "visualize", recorded)
    return calls


def png_of(html):
    data = re.search('src="data:image/png;base64,([^"]+)"', html)[1]
    return Image.open(io.BytesIO(base64.b64decode(data)))


def test_a_notebook_shows_each_map_over_its_image(drawn):
    found = explained(8, 8, 3)
    html = found._repr_html_()
    assert png_of(html).width > png_of(html).height
    assert "4 maps of gradients" in html
    assert "dog &amp; co" in html
    (call,) = drawn
    images, maps, titles = call["images"], call["overlays"], call["titles"]
    assert call["cols"] == 3
    for n in range(2):  # A row for each image, which comes first.
        assert titles[3 * n] == f"image {n}"
        assert maps[3 * n] is None
        np.testing.assert_array_equal(images[3 * n], colormaps.to_rgb(found.images[n]))
    for n, k in np.ndindex(2, 2):
        place = 3 * n + 1 + k
        image, map_ = images[place], maps[place]
        assert titles[place] == f"{LABELS[k]} ({found.logits[n, k]:.3g})"
        np.testing.assert_array_equal(image, colormaps.dim(found.images[n]))
        np.testing.assert_array_equal(map_, found.maps[n, ..., k])


def test_a_notebook_shows_at_most_twelve(drawn):
    html = explained(4, 4, 3, count=9)._repr_html_()
    assert "18 maps of gradients, of which 12 are shown" in html
    assert len(drawn[0]["images"]) == 18


def test_of_many_units_those_with_the_largest_logits_are_shown(drawn):
    logits = np.array([[4, 1, 7, 2, 3, 6, 0], [1, 2, 3, 4, 5, 6, 7], [0] * 7])
    maps = np.random.default_rng(0).random((3, 4, 4, 7))
    found = ke.Explanation((logits, maps), Facts("gradients"))
    found.plot(images=np.zeros((3, 4, 4, 1), "uint8"), to_buffer=io.BytesIO())
    (call,) = drawn
    row = ["unit 2 (7)", "unit 5 (6)", "unit 0 (4)", "unit 4 (3)", "unit 3 (2)"]
    assert call["titles"][:6] == ["image 0 (5 of 7 units)", *row]
    assert (call["cols"], len(call["images"])) == (6, 12)
    np.testing.assert_array_equal(call["overlays"][2], maps[0, ..., 5])
    assert call["note"] == (
        "10 of 21 maps: the 5 of each image with the largest logits"
    )


def test_one_map_of_each_image_is_drawn_in_four_columns(drawn):
    found = explained(4, 4, 3, count=6)
    one = type(found)((found.logits[:, :1], found.maps[..., :1]), found._facts)
    one.plot(to_buffer=io.BytesIO())
    assert (drawn[0]["cols"], len(drawn[0]["images"])) == (4, 6)
    assert drawn[0]["titles"][0].startswith("image 0: cat (")


def test_units_of_tables_are_in_columns(drawn):
    explained(9, count=3).plot(to_buffer=io.BytesIO())
    assert (drawn[0]["cols"], len(drawn[0]["images"])) == (2, 6)


def test_a_notebook_shows_a_table_without_images_or_matplotlib(monkeypatch, tmp_path):
    found = explained(4, 4, 3)
    found.save(tmp_path / "kept.npz")
    assert "<table>" in ke.Explanation.load(tmp_path / "kept.npz")._repr_html_()
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert "<table>" in found._repr_html_()
    with pytest.raises(ImportError, match="needs matplotlib"):
        found.plot()


@pytest.mark.parametrize(
    ("shape", "kind"),
    [
        ((9,), "table"),
        ((65,), "signal"),
        ((9, 2), "signal"),
        ((4, 4, 1), "image"),
        ((4, 4, 7), "image"),
        ((3, 4, 4, 1), "volume"),
        ((3, 4, 4, 2), "volume"),
    ],
)
def test_plot_draws_every_kind_of_input(shape, kind, drawn, tmp_path):
    """Values below 0, as after preprocessing, have no colours of their own."""
    explained(*shape, low=-2).plot(tmp_path / "maps.png", most=3)
    with Image.open(tmp_path / "maps.png") as picture:
        assert picture.width > 100
    # Whole rows of the two units of a sample, after the image itself.
    count = 3 if kind == "image" else 2
    assert (drawn[0]["kind"], len(drawn[0]["images"])) == (kind, count)


def test_maps_of_the_channels_of_signals_are_lines(drawn):
    logits, maps = np.zeros((2, 1)), np.random.default_rng(0).random((2, 20, 3, 1))
    found = ke.Explanation((logits, maps), Facts("gradients"))
    found.plot(images=maps[..., 0], to_buffer=io.BytesIO())
    assert drawn[0]["kind"] == "signal"
    assert [map_.shape for map_ in drawn[0]["overlays"]] == [(20, 3, 1)] * 2
    assert drawn[0]["titles"][0] == "sample 0: unit 0 (0)"


def test_plot_takes_other_images_and_options(drawn, tmp_path):
    found = explained(4, 4, 3)
    photos = np.zeros((2, 16, 16, 3), "uint8")
    options = {"images": photos, "cols": 1, "titles": [*"abcd"]}
    found.plot(tmp_path / "maps.png", **options)
    assert drawn[0]["images"][3].shape == (16, 16, 3)
    assert (drawn[0]["cols"], drawn[0]["titles"]) == (1, [*"abcd"])


def test_plot_draws_one_of_several_inputs(drawn, tmp_path):
    shapes = {"age": (4,), "left": (6, 6, 3), "right": (5, 5, 3)}
    inputs = {name: keras.Input(shape, name=name) for name, shape in shapes.items()}
    flat = [keras.layers.Flatten()(each) for each in inputs.values()]
    units = keras.layers.Dense(2)(keras.layers.Concatenate()(flat))
    x = {name: np.ones((1, *shape), "float32") for name, shape in shapes.items()}
    found = ke.gradients(keras.Model(inputs, units), x, verbose=0)
    found.plot(tmp_path / "maps.png", input_name="right")
    assert drawn[0]["overlays"][1].shape == (5, 5)
    with pytest.raises(ValueError, match=r"`input_name` must be one of \['age'"):
        found.plot(input_name="middle")


def test_maps_of_a_channels_first_model(drawn, tmp_path):
    inputs = keras.Input((3, 6, 6))
    swapped = keras.layers.Permute((2, 3, 1))(inputs)
    pooled = keras.layers.Flatten()(keras.layers.Conv2D(2, 3)(swapped))
    model = keras.Model(inputs, keras.layers.Dense(2)(pooled))
    x = np.random.default_rng(0).uniform(size=(1, 3, 6, 6)).astype("float32")
    found = ke.gradients(model, x, verbose=0)
    found.plot(tmp_path / "maps.png")
    expected = colormaps.dim(np.moveaxis(x[0], 0, -1))
    np.testing.assert_array_equal(drawn[0]["images"][1], expected)


@pytest.mark.parametrize(("low", "high"), [(0, 1.2), (-1, 1), (0, 16), (0, 300)])
def test_images_in_any_range_are_scaled_alike(low, high, drawn):
    found = explained(4, 4, 3)
    unit = np.linspace(0, 1, 96).reshape(2, 4, 4, 3)
    found.plot(images=low + (high - low) * unit, to_buffer=io.BytesIO())
    expected = colormaps.dim(np.rint(unit[1] * 255).astype("uint8"))
    np.testing.assert_allclose(drawn[0]["images"][-1], expected, atol=1)


def test_options_of_the_caller_go_first(drawn):
    found = explained(4, 4, 1)
    found.plot(to_buffer=io.BytesIO(), kind="image", cols=1, percentile=90)
    assert (drawn[0]["cols"], drawn[0]["percentile"]) == (1, 90)
    with pytest.raises(ValueError, match="Did you mean 99"):
        found.plot(percentile=0.99)


def test_a_picture_says_how_many_of_all_there_are(drawn):
    found = explained(4, 4, 1, count=3)
    found.plot(to_buffer=io.BytesIO(), most=5)
    found.plot(to_buffer=io.BytesIO(), most=6)
    one = type(found)((found.logits[:, :1], found.maps[..., :1]), found._facts)
    one.plot(to_buffer=io.BytesIO(), most=2)
    notes = [call["note"] for call in drawn]
    assert notes == ["4 of 6 maps", "", "2 of 3 images"]


def test_only_images_are_called_images(drawn):
    found = explained(9, 2)
    assert "sample" in repr(found)
    assert "image" not in repr(found)
    found.plot(to_buffer=io.BytesIO())
    assert drawn[0]["titles"][0].startswith("sample 0: ")
    assert "image" in repr(explained(4, 4, 1))


def test_maps_without_places_are_refused():
    found = explained(4, 4, 1)
    flat = type(found)((found.logits, found.maps[:, 0, 0]), found._facts)
    with pytest.raises(ValueError, match=r"`maps` must have one to three axes"):
        flat.plot()
    assert "<table>" in flat._repr_html_()


def test_inputs_of_a_list_have_names(drawn, tmp_path):
    shapes = {"img": (6, 6, 3), "tab": (4,)}
    inputs = [keras.Input(shape, name=name) for name, shape in shapes.items()]
    flat = [keras.layers.Flatten()(each) for each in inputs]
    units = keras.layers.Dense(2)(keras.layers.Concatenate()(flat))
    x = [np.ones((1, *shape), "float32") for shape in shapes.values()]
    found = ke.gradients(keras.Model(inputs, units), x, verbose=0)
    found.save(tmp_path / "kept.npz")
    loaded = ke.Explanation.load(tmp_path / "kept.npz")
    found.plot(input_name=1, to_buffer=io.BytesIO())
    found.plot(input_name="tab", to_buffer=io.BytesIO())
    loaded.plot(input_name="tab", images=x[1], to_buffer=io.BytesIO())
    for call in drawn:
        np.testing.assert_array_equal(call["overlays"], found.maps[1][0].T)
    with pytest.raises(ValueError, match=r"must be one of \['img', 'tab', 0, 1\]"):
        found.plot(input_name="table")


def test_data_sets_need_images():
    found = explained(4, 4, 3)
    with pytest.raises(ValueError, match="`input_name` must be None"):
        found.plot(input_name="left")
    of_data = type(found)(tuple(found), Facts(method="gradients"))
    with pytest.raises(ValueError, match="`images` must be given"):
        of_data.plot()
    with pytest.raises(ValueError, match=r"explained images in their order.*generator"):
        of_data.plot(images=(x for x in np.zeros((2, 4, 4, 3))))


@pytest.mark.parametrize("first", ["image", "table"])
def test_the_only_map_of_several_inputs_is_over_its_image(first):
    image, table = keras.Input((8, 8, 3), name="image"), keras.Input((4,), name="table")
    layers = keras.layers
    pooled = layers.GlobalAveragePooling2D()(layers.Conv2D(2, 3)(image))
    y = layers.Dense(2)(layers.Concatenate()([pooled, table]))
    arrays = {"image": np.ones((2, 8, 8, 3)), "table": np.ones((2, 4))}
    inputs = {"image": image, "table": table}
    order = sorted(inputs, key=first.__ne__)
    for model, x in (
        (keras.Model(inputs, y), arrays),
        (keras.Model([inputs[n] for n in order], y), [arrays[n] for n in order]),
    ):
        explanation = ke.gradcam(model, x, [0, 1], verbose=0, postprocessing=None)
        assert np.shape(explanation.images) == (2, 8, 8, 3)
        explanation.plot(to_buffer=io.BytesIO())


def test_maps_of_some_inputs_of_a_list_are_over_their_images():
    one, two = keras.Input((8, 8, 3), name="one"), keras.Input((8, 8, 3), name="two")
    table, conv = keras.Input((4,), name="table"), keras.layers.Conv2D(2, 3)
    pool = keras.layers.GlobalAveragePooling2D()
    parts = [table, pool(conv(one)), pool(conv(two))]
    y = keras.layers.Dense(2)(keras.layers.Concatenate()(parts))
    model = keras.Model([table, one, two], y)
    x = [np.ones((2, 4)), np.zeros((2, 8, 8, 3)), np.ones((2, 8, 8, 3))]
    explanation = ke.gradcam(model, x, [0, 1], verbose=0, postprocessing=None)
    assert {*explanation.maps} == {"one", "two"}
    np.testing.assert_array_equal(explanation.images["two"], x[2])
    explanation.plot(input_name="two", to_buffer=io.BytesIO())
