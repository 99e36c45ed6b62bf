import base64
import hashlib
import io
import re

import numpy as np
import pytest
from PIL import Image
from support.html_reader import HOSTILE, Reader

from keras_explainable.plotting import colormaps
from keras_explainable.plotting.seen_part import SeenPart
from keras_explainable.report import html_page, page_colormaps
from keras_explainable.report.explanation_records import Noise, Prediction
from keras_explainable.report.image_card import card


@pytest.fixture
def summary():
    return {
        "model": "net.keras",
        "preprocessing": "unit",
        "methods": ["smoothgrad"],
        "target": "top1",
        "repetitions": 50,
        "noise_level": 0.15,
        "estimator": "sampled",
        "tolerance": None,
        "seed": 3,
        "batch_size": 32,
        "versions": {"keras": "3.12", "backend": "jax", "jax": "0.4"},
        "started": "2030-01-02T03:04:05+00:00",
        "seconds": 12.3,
        "interrupted": False,
        "images": [{"maps": []}, {"maps": []}],
        "failures": [],
    }


def read(summary, *cards):
    return Reader(html_page.head(summary) + "".join(cards) + html_page.foot(summary))


def decoded(image):
    kind, data = image.split(";base64,")
    picture = Image.open(io.BytesIO(base64.b64decode(data)))
    assert kind == f"data:image/{picture.format.lower()}"
    return np.asarray(picture)


def test_the_page_shows_the_settings(summary):
    text = read(summary).text
    for part in (
        "2 images explained with SmoothGrad.",
        "net.keras",
        "0.15 of each image’s range",
        "Created on 2030-01-02 with",
        "Loading the network and explaining the images took 12.3 s.",
        "keras 3.12, jax 0.4",
    ):
        assert part in text
    assert "could not be explained" not in text
    assert "interrupted" not in text


def test_settings_that_do_not_apply_are_left_out(summary):
    summary |= {"methods": ["gradients"], "repetitions": None, "noise_level": None}
    text = read(summary).text
    assert "explained with Gradients" in text
    assert "Noisy copies" not in text
    assert "None" not in text


def test_a_card_shows_image_map_and_overlay(summary, explanation):
    made = explanation(name="cat.jpg", classes=("tabby",))
    reader = read(summary, card(made, "cat"))
    assert reader.images == [
        "cat.jpg",
        "SmoothGrad map of cat.jpg for tabby",
        "SmoothGrad map for tabby overlaid on cat.jpg",
    ]
    image, map_ = map(decoded, reader.pictures)  # Each of them is embedded once.
    np.testing.assert_array_equal(image, made.image)
    assert map_.shape == (4, 6)
    assert (map_[1, 2], map_[0, 0]) == (255, 0)
    [article] = [attributes for tag, attributes in reader.tags if tag == "article"]
    assert article["style"].startswith("--ratio:6/4;")
    assert "75.0 %" in reader.text
    assert "Noise level" in reader.text


def test_a_card_shows_the_whole_picture_and_says_what_was_seen(summary, explanation):
    picture = np.full((4, 12, 3), 90, "uint8")
    seen = SeenPart(0.25, 0, 0.75, 1)
    reader = read(summary, card(explanation(picture=picture, seen=seen), "cat"))
    assert reader.images[0] == "cat.jpg; the network saw the framed part (50 %)"
    assert "The network saw the framed part (50 %); the rest was cropped" in reader.text
    np.testing.assert_array_equal(decoded(reader.pictures[0]), picture)
    [article] = [attributes for tag, attributes in reader.tags if tag == "article"]
    place = "--ratio:12/4;--left:25%;--top:0%;--width:50%;--height:100%;"
    assert article["style"].startswith(place)
    assert article["class"] == "crisp part"


def test_a_padded_picture_was_seen_as_a_whole(summary, explanation):
    seen = SeenPart(0, -0.5, 1, 1.5)
    reader = read(summary, card(explanation(seen=seen), "cat"))
    assert "cropped" not in reader.text
    [article] = [attributes for tag, attributes in reader.tags if tag == "article"]
    assert "--top:-50%;--width:100%;--height:200%;" in article["style"]
    assert article["class"] == "crisp"


def test_a_card_has_a_row_for_each_class(summary, explanation):
    made = explanation(classes=("tabby", "tiger", "lynx"))
    reader = read(summary, card(made, "cat"))
    assert len(reader.images) == 3 * 3
    assert len(reader.pictures) == 1 + 3
    assert reader.text.count("tiger") == 2  # in its row and among the predictions


def test_improbable_classes_are_not_listed(summary, explanation):
    predictions = tuple(
        Prediction(unit, label, score)
        for unit, (label, score) in enumerate([("cat", 0.9995), ("dog", 0.0005)])
    )
    made = explanation(classes=("cat",), predictions=predictions)
    assert "dog" not in read(summary, card(made, "a")).text


def test_scores_other_than_probabilities_have_no_bar(summary, explanation):
    age = (Prediction(0, "age", -4.5, probability=False),)
    made = explanation(explained=age, predictions=age)
    reader = read(summary, card(made, "a"))
    assert "-4.5" in reader.text
    assert not any("--share" in (a.get("style") or "") for _, a in reader.tags)
    reader = read(summary, card(explanation(), "a"))
    assert any(a.get("style") == "--share:75.0%" for _, a in reader.tags)


def test_the_uncertainty_of_a_map(summary, explanation):
    text = read(summary, card(explanation(), "a")).text
    for fact in ("Noisy copies", "50", "Relative error", "0.4", "25%"):
        assert fact in text


def test_the_error_of_a_single_copy_is_unknown(summary, explanation):
    made = explanation(noise=Noise(30.0, 7, 1, (None,), 0.0, 0.15))
    assert "unknown" in read(summary, card(made, "a")).text


def test_the_legend_fits_the_method(summary):
    assert "small change of a pixel" in read(summary).text
    assert "depends on each pixel" in read(summary | {"methods": ["gradcam"]}).text


def test_noise_is_said_in_the_unit_of_the_parameter(summary, explanation):
    text = read(summary, card(explanation(), "a")).text
    assert re.search(
        r"Noise level\s*0\.15\s*σ, in units of the model’s input\s*30", text
    )


def test_without_noise_there_is_no_sigma(summary, explanation):
    made = explanation(noise=None)
    assert "σ" not in read(summary, card(made, "a")).text


def test_several_methods_are_side_by_side(summary, explanation):
    summary["methods"] = ["gradients", "gradcam"]
    made = explanation(methods=("gradients", "gradcam"), classes=("tabby", "tiger"))
    reader = read(summary, card(made, "a"))
    assert "explained with Gradients and Grad-CAM." in reader.text
    assert len(reader.images) == 2 * (1 + 2 * 2)
    assert "Grad-CAM map of cat.jpg for tiger" in reader.images
    assert reader.text.count("Grad-CAM overlay") == 2
    assert "Noise of Grad-CAM" in reader.text
    assert sum("several" in (a.get("class") or "") for _, a in reader.tags) == 2


def test_signed_maps_have_a_legend_and_a_control(summary, explanation):
    values = np.array([[-1, 0, 1]] * 2, "float32")[..., None]
    made = explanation(size=(2, 3), maps=values)
    summary["images"] = [{"maps": [{"signed": True}]}]
    reader = read(summary, card(made, "a"))
    assert decoded(reader.pictures[1])[0].tolist() == [0, 128, 255]
    assert "evidence against the class" in reader.text
    assert any(a.get("id") == "signs" for _, a in reader.tags)
    unsigned = read(summary | {"images": [{"maps": [{"signed": False}]}]})
    assert not any(a.get("id") == "signs" for _, a in unsigned.tags)


def test_a_map_of_zeros_is_black():
    assert (
        page_colormaps.grey(np.zeros((2, 2), "float32"), False).tolist() == [[0, 0]] * 2
    )


@pytest.mark.parametrize("name", [*page_colormaps.COLORMAPS, "signed"])
def test_the_filters_have_the_colours_of_the_library(name):
    cmap = (page_colormaps.COLORMAPS | {"signed": colormaps.DIVERGING})[name]
    [ramp] = re.findall(
        f'<filter id="{name}".*?</filter>', page_colormaps.filters(), re.S
    )
    tables = [
        np.array(table.split(), "float32")
        for table in re.findall('tableValues="(.*?)"', ramp)
    ]
    grey = np.linspace(0, 1, 256, dtype="float32")
    shown = [np.interp(grey, np.linspace(0, 1, len(t)), t) for t in tables]
    expected = colormaps.colorize(grey[None], cmap)[0] / 255
    np.testing.assert_allclose(np.stack(shown, -1), expected, atol=0.025)


def test_cards_have_sort_keys(summary, explanation):
    def facts(**changes):
        reader = read(summary, card(explanation(**changes), "a"))
        [found] = [a for tag, a in reader.tags if tag == "article"]
        return found["data-score"], found["data-error"]

    assert facts() == ("0.75", "0.4")
    assert facts(scores=[0.9], noise=None) == ("0.9", "")
    assert facts(noise=Noise(30.0, 7, 1, (None,), 0.0, 0.15))[1] == ""
    assert facts(noise=Noise(30.0, 7, 9, (0.1, 0.25), 0.0, 0.15))[1] == "0.25"


def test_nothing_is_fetched_from_anywhere(summary, explanation):
    text = html_page.head(summary) + card(explanation(), "a") + html_page.foot(summary)
    reader = Reader(text)
    assert len(reader.pictures) == 2
    assert all(url.startswith("data:image/") for url in reader.pictures)
    assert not {"href", "src"} & {name for _, found in reader.tags for name in found}
    for word in ("http:", "https:", "@import"):
        assert word not in text
    [policy] = [a["content"] for _, a in reader.tags if "http-equiv" in a]
    assert policy.startswith("default-src 'none'; img-src data:;")


def test_only_the_script_of_the_page_may_run(summary):
    text = html_page.head(summary) + html_page.foot(summary)
    [script] = re.findall("<script>(.*?)</script>", text, re.S)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'\"" in text


def test_small_pictures_are_exact_and_crisp_large_ones_small(summary, explanation):
    def first(size):
        reader = read(summary, card(explanation(size=size), "a"))
        [article] = [a for tag, a in reader.tags if tag == "article"]
        return reader.pictures[0][:14], article.get("class")

    assert first((96, 96)) == ("data:image/png", "crisp")
    assert first((224, 224)) == ("data:image/jpe", None)


def test_hostile_names_are_shown_as_text(summary, explanation):
    summary |= {
        "model": HOSTILE,
        "failures": [{"name": HOSTILE, "reason": HOSTILE}],
    }
    made = explanation(name=HOSTILE, classes=(HOSTILE,))
    reader = read(summary, card(made, "a"))
    assert reader.text.count(HOSTILE) == 7  # title, model, failure, ..., prediction
    assert sum(tag == "script" for tag, _ in reader.tags) == 1
    assert not any("onerror" in attributes for _, attributes in reader.tags)
    assert {tag for tag, _ in reader.tags} <= {
        *("html", "head", "body", "meta", "title", "style", "header", "main", "footer"),
        *("svg", "filter", "fecolormatrix", "fecomponenttransfer", "script", "form"),
        *("fefuncr", "fefuncg", "fefuncb", "fefunca", "label", "input", "select"),
        *("option", "output", "kbd"),
        *("h1", "h2", "h3", "p", "em", "img", "dl", "div", "dt", "dd", "section"),
        *("ul", "ol", "li", "strong", "b", "i", "span", "article", "aside", "figure"),
        *("figcaption", "code"),
    }


def test_failures_and_interruptions_are_shown_at_the_top(summary):
    summary |= {
        "interrupted": True,
        "failures": [{"name": "a.jpg", "reason": "is not an image"}],
    }
    text = read(summary).text
    assert "1 image could not be explained" in text
    assert "a.jpg is not an image" in text
    assert "The run was interrupted" in text


def test_styles_for_dark_mode_phones_and_print(summary):
    head = html_page.head(summary)
    assert 'name="viewport" content="width=device-width, initial-scale=1"' in head
    for media in ("prefers-color-scheme: dark", "max-width: 50rem", "print"):
        assert media in head
