import base64
import html.parser
import io

import numpy as np
import pytest
from PIL import Image

from keras_explainable.report import Noise, Prediction, page

VOID = {"meta", "img", "br", "link"}
HOSTILE = "<script>alert(1)</script>\"'&amp;<img src=x onerror=y>.png"


class Reader(html.parser.HTMLParser):
    """Reads a page as strictly as needed: tags must nest; keeps images and text."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.images, self.text = [], [], [], ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag == "img":
            self.images.append(dict(attributes))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.text += data


@pytest.fixture
def summary():
    return {
        "model": "net.keras",
        "preprocessing": "unit",
        "method": "smoothgrad",
        "target": "top1",
        "repetitions": 50,
        "noise_level": 0.15,
        "tolerance": None,
        "seed": 3,
        "batch_size": 32,
        "versions": {"keras": "3.12", "backend": "jax", "jax": "0.4"},
        "started": "2030-01-02T03:04:05+00:00",
        "seconds": 12.3,
        "interrupted": False,
        "images": [{}, {}],
        "failures": [],
    }


def read(summary, *cards):
    return Reader(page.head(summary) + "".join(cards) + page.foot(summary))


def decoded(image):
    kind, data = image["src"].split(";base64,")
    picture = Image.open(io.BytesIO(base64.b64decode(data)))
    assert kind == f"data:image/{picture.format.lower()}"
    return np.asarray(picture)


def test_the_page_says_what_was_done_and_how(summary):
    text = read(summary).text
    for part in (
        "2 images, explained by SmoothGrad.",
        "net.keras",
        "0.15 of each image’s range",
        "Made 2030-01-02 in 12 seconds",
        "keras 3.12, jax 0.4",
    ):
        assert part in text
    assert "could not be explained" not in text
    assert "interrupted" not in text


def test_settings_that_do_not_apply_are_left_out(summary):
    summary |= {"method": "gradients", "repetitions": None, "noise_level": None}
    text = read(summary).text
    assert "explained by Gradients" in text
    assert "Noisy copies" not in text
    assert "None" not in text


def test_a_card_shows_image_map_and_overlay(summary, explanation):
    made = explanation(name="cat.jpg", classes=("tabby",))
    reader = read(summary, page.card(made, "cat", "smoothgrad"))
    image, map_, overlay = reader.images[1:]
    np.testing.assert_array_equal(decoded(image), made.image)
    assert decoded(map_)[1, 2].sum() > 400 > 10 > decoded(map_)[0, 0].sum()
    assert image["alt"] == "cat.jpg, as the network saw it"
    assert map_["alt"] == "SmoothGrad map of cat.jpg for tabby"
    assert overlay["alt"] == "SmoothGrad map for tabby laid over cat.jpg"
    assert (image["width"], image["height"]) == ("6", "4")
    assert "75.0 %" in reader.text
    assert "σ, in units" in reader.text


def test_a_card_has_a_row_for_each_class(summary, explanation):
    made = explanation(classes=("tabby", "tiger", "lynx"))
    reader = read(summary, page.card(made, "cat", "smoothgrad"))
    assert len(reader.images) == 1 + 3 * 3
    assert reader.text.count("tiger") == 2  # its row, and among the predictions


def test_next_to_impossible_classes_are_not_listed(summary, explanation):
    predictions = tuple(
        Prediction(unit, label, score)
        for unit, (label, score) in enumerate([("cat", 0.9995), ("dog", 0.0005)])
    )
    made = explanation(classes=("cat",), predictions=predictions)
    assert "dog" not in read(summary, page.card(made, "a", "smoothgrad")).text


def test_scores_that_are_no_probabilities_have_no_bar(summary, explanation):
    age = (Prediction(0, "age", -4.5, probability=False),)
    made = explanation(explained=age, predictions=age)
    reader = read(summary, page.card(made, "a", "smoothgrad"))
    assert "-4.5" in reader.text
    assert not any(tag == "i" for tag, _ in reader.tags)


def test_how_sure_a_map_is(summary, explanation):
    text = read(summary, page.card(explanation(), "a", "smoothgrad")).text
    for fact in ("Noisy copies", "50", "Relative error left", "0.4", "25%"):
        assert fact in text


def test_the_error_of_a_single_copy_is_not_known(summary, explanation):
    made = explanation(noise=Noise(30.0, 7, 1, (None,), 0.0))
    assert "not known" in read(summary, page.card(made, "a", "smoothgrad")).text


def test_the_legend_fits_the_method(summary):
    assert "small change of a pixel" in read(summary).text
    assert "depends on" in read(summary | {"method": "gradcam"}).text


def test_without_noise_there_is_no_sigma(summary, explanation):
    made = explanation(noise=None)
    assert "σ" not in read(summary, page.card(made, "a", "gradients")).text


def test_nothing_is_fetched_from_anywhere(summary, explanation):
    text = page.head(summary) + page.card(explanation(), "a", "smoothgrad")
    reader = Reader(text + page.foot(summary))
    assert all(image["src"].startswith("data:image/") for image in reader.images)
    assert not any("href" in attributes for _, attributes in reader.tags)
    for word in ("http:", "https:", "//", "url(", "@import"):
        assert word not in text.replace("base64,//", "")[: text.index("</style>")]
    policies = [a["content"] for _, a in reader.tags if "http-equiv" in a]
    assert policies[0].startswith("default-src 'none'; img-src data:;")


def test_every_image_is_described_and_sized_for_the_layout(summary, explanation):
    reader = read(summary, page.card(explanation(), "a", "smoothgrad"))
    assert all(image["alt"] for image in reader.images)


def test_small_pictures_are_exact_and_crisp_large_ones_small(summary, explanation):
    def first(size):
        card = page.card(explanation(size=size), "a", "smoothgrad")
        return read(summary, card).images[1]

    assert first((96, 96))["src"].startswith("data:image/png")
    assert first((96, 96))["class"] == "crisp"
    assert first((224, 224))["src"].startswith("data:image/jpeg")
    assert "class" not in first((224, 224))


def test_hostile_names_are_only_text(summary, explanation):
    summary |= {
        "model": HOSTILE,
        "failures": [{"name": HOSTILE, "reason": HOSTILE}],
    }
    made = explanation(name=HOSTILE, classes=(HOSTILE,))
    reader = read(summary, page.card(made, "a", "smoothgrad"))
    assert reader.text.count(HOSTILE) == 7  # title, model, failure, ..., prediction
    assert not any(tag == "script" for tag, _ in reader.tags)
    assert not any("onerror" in attributes for _, attributes in reader.tags)
    assert {tag for tag, _ in reader.tags} <= {
        *("html", "head", "body", "meta", "title", "style", "header", "main", "footer"),
        *("h1", "h2", "h3", "p", "em", "img", "dl", "div", "dt", "dd", "section"),
        *("ul", "ol", "li", "strong", "b", "i", "span", "article", "aside", "figure"),
        *("figcaption", "code"),
    }


def test_failures_and_interruptions_are_said_at_the_top(summary):
    summary |= {
        "interrupted": True,
        "failures": [{"name": "a.jpg", "reason": "is not a picture"}],
    }
    text = read(summary).text
    assert "1 image could not be explained" in text
    assert "a.jpg is not a picture" in text
    assert "The run was interrupted" in text


def test_light_dark_phone_and_print_have_their_styles(summary):
    head = page.head(summary)
    assert 'name="viewport" content="width=device-width, initial-scale=1"' in head
    for media in ("prefers-color-scheme: dark", "max-width: 50rem", "print"):
        assert media in head
