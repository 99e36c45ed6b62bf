"""A report of a training, which grows with each epoch."""

import json

import numpy as np
import pytest
from PIL import Image
from support.browsers import launched, needs_browser, new_page
from support.html_reader import HOSTILE, Reader

from keras_explainable.report.training_report import (
    EpochMaps,
    TrainingReport,
    TrainingRun,
)

RUN = TrainingRun("net", ("gradcam", "ours"), 1)
IMAGES = [np.full((6, 8, channels), 60 * channels, "uint8") for channels in (1, 3)]


def maps(value=1.0, unit=7, units=1):
    """Return maps of two images with one bright pixel each."""
    values = np.zeros((2, 6, 8, units), "float32")
    values[:, 2, 3] = value
    names = [[f"unit {unit + k}" for k in range(units)]] * 2
    return EpochMaps(values, np.full((2, units), 10 * value), names)


@pytest.fixture
def report(tmp_path):
    return TrainingReport(tmp_path, RUN, IMAGES)


def add(report, epoch, *args, logs=None, **changes):
    found = maps(*args, **changes)
    report.add(epoch, logs or {}, {"gradcam": found, "ours": found})


def read(folder):
    return Reader((folder / "index.html").read_text("utf-8"))


def epochs(folder):
    summary = json.loads((folder / "manifest.json").read_text())
    return [each["epoch"] for each in summary["epochs"]]


def test_the_page_shows_each_image_at_each_epoch(report, tmp_path):
    add(report, 0, 0.25)
    add(report, 5, 0.5, logs={"loss": 1.25, "val_loss": 2.5})
    page = read(tmp_path)
    for method in ("Grad-CAM", "ours"):
        for epoch in (0, 5):
            for image in (0, 1):
                assert f"{method} map of image {image}, epoch {epoch}" in page.images
    for text in ("2 images explained with Grad-CAM and ours, after 0 to 5", "unit 7"):
        assert text in page.text
    for text in ("val_loss", "1.25", "2.5", "5"):  # The scores are 2.5 and 5.
        assert text in page.text
    assert all((tmp_path / name).is_file() for name in page.pictures)


def test_maps_are_those_of_their_image_and_unit(report, tmp_path):
    values = np.zeros((2, 6, 8, 2), "float32")
    for image in range(2):
        for unit in range(2):
            values[image, 1 + image, 3 + unit, unit] = -1 if unit else 1
    names = [["a", "b"]] * 2
    found = EpochMaps(values, np.zeros((2, 2)), names)
    report.add(3, {}, {"gradcam": found, "ours": found})
    for image in range(2):
        for unit in range(2):
            name = f"pictures/ours_epoch_0003_image_{image}_{unit}.png"
            grey = np.asarray(Image.open(tmp_path / name)).astype(int)
            assert grey[1 + image, 3 + unit] == (0 if unit else 255)
            assert (np.delete(grey.ravel(), (1 + image) * 8 + 3 + unit) == 128).all()


def test_units_that_change_are_told_below_each_map(report, tmp_path):
    add(report, 0, 0.5, unit=3)
    add(report, 1, 0.5, unit=4)
    text = read(tmp_path).text
    assert "unit 3: 5" in text
    assert "unit 4: 5" in text


def test_only_earlier_epochs_of_the_same_images_are_continued(report, tmp_path):
    for epoch in range(4):
        add(report, epoch)
    continued = TrainingReport(tmp_path, RUN, IMAGES)
    add(continued, 2)
    assert epochs(tmp_path) == [0, 1, 2]
    others = TrainingReport(tmp_path, RUN, [image + 1 for image in IMAGES])
    add(others, 3)
    assert epochs(tmp_path) == [3]


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"format": 1}'])
def test_a_damaged_report_is_begun_anew(report, tmp_path, text):
    (tmp_path / "manifest.json").write_text(text)
    add(report, 1)
    assert epochs(tmp_path) == [1]


def test_names_do_not_become_html_or_paths(tmp_path):
    run = TrainingRun(HOSTILE, (HOSTILE, "../up"), 1)
    found = maps()
    TrainingReport(tmp_path / "out", run, IMAGES).add(
        0, {HOSTILE: 1.0}, {HOSTILE: found, "../up": found}
    )
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    page = read(tmp_path / "out")
    assert HOSTILE in page.text
    assert all((tmp_path / "out" / name).is_file() for name in page.pictures)


@needs_browser
def test_the_page_in_a_browser(report, tmp_path):
    for epoch in range(12):
        add(report, epoch)
    contexts, messages = [], []
    with launched() as browser:
        page = new_page(
            browser, contexts, messages, viewport={"width": 900, "height": 800}
        )
        page.goto((tmp_path / "index.html").as_uri())
        page.fill("#find", "image 1")
        assert page.inner_text("#count") == "1 of 2"
        strip = page.locator("article:visible .figures").first
        wide, shown = strip.evaluate("it => [it.scrollWidth, it.clientWidth]")
        assert wide > shown  # Only the strip of epochs scrolls, not the page.
        assert page.evaluate("document.body.scrollWidth <= innerWidth")
        strip.evaluate("it => it.scrollTo(it.scrollWidth, 0)")
        assert strip.locator(".image").bounding_box()["x"] >= 0
        contexts[0].close()
    assert messages == []
