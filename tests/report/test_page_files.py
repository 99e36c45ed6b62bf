"""Reports of many images: pictures in files, pages of limited size."""

import base64
import re

import numpy as np
import pytest
from PIL import Image

from keras_explainable.report import page_files, picture_files
from keras_explainable.report.image_card import card
from keras_explainable.report.report_writer import Report


@pytest.fixture
def write(tmp_path, run, explanation):
    """Write a report of some images; return its page as text."""

    def written(count):
        with Report(tmp_path, run) as report:
            for number in range(count):
                name = f"{number}.jpg"
                report.add(report.key(name), explanation(name=name))
        return report.page.read_text("utf-8")

    return written


def names_of(text):
    return re.findall(r"<h2>(\d+)\.jpg</h2>", text)


def test_up_to_fifty_images_have_one_file(write, tmp_path):
    assert "url(data:image/" in write(page_files.MOST_WITHIN)
    assert not (tmp_path / "pictures").exists()
    assert len([*tmp_path.glob("*.html")]) == 1


def test_the_pictures_of_more_images_are_files(write, tmp_path, explanation):
    text = write(page_files.MOST_WITHIN + 1)
    assert "url(data:image/" not in text
    assert "img-src data: 'self' file:;" in text
    found = re.findall(r"url\((pictures/[^)]*)\)", text)
    assert len(found) == len({*found}) == 2 * (page_files.MOST_WITHIN + 1)
    assert {path.name for path in (tmp_path / "pictures").iterdir()} == {
        name.removeprefix("pictures/") for name in found
    }
    with Image.open(tmp_path / found[0]) as picture:
        np.testing.assert_array_equal(picture, explanation().image)
    assert "<nav" not in text


def test_pages_of_limited_size_lead_to_all_images(write, tmp_path, monkeypatch):
    monkeypatch.setattr(page_files, "MOST_WITHIN", 3)
    whole = len(write(4))  # With four cards.
    monkeypatch.setattr(page_files, "_PAGE_BYTES", 4000)
    text, seen, pages = write(9), [], 0
    while True:
        assert len(text) < whole + 4000
        first, last = map(int, re.findall(r"Images (\d+) to (\d+) of 9", text)[0])
        seen += re.findall(r"<h2>(\d+)\.jpg</h2>", text)
        assert (first, last) == (int(seen[first - 1]) + 1, len(seen))
        pages += 1
        if not (following := re.findall(r'<a href="([^"]*)">next page', text)):
            break
        text = (tmp_path / following[0]).read_text("utf-8")
        assert "previous page" in text
    assert seen == [str(number) for number in range(9)]
    assert pages > 2


def test_pictures_named_in_texts_stay_texts(explanation):
    hostile = 'style="url(data:image/png;base64,AAAA)".png'
    text = card(explanation(name=hostile, classes=(hostile,)), "a").encode()
    moved, files = picture_files.detached(text, "a")
    assert [*files] == ["a.0.png", "a.1.png"]
    assert moved.count(b"url(data:image/png;base64,AAAA)") == text.count(
        b"url(data:image/png;base64,AAAA)"
    )
    data = re.findall(rb"--\w+:url\(data:image/png;base64,([^)]*)\)", text)
    assert [*files.values()] == [base64.b64decode(each) for each in data]
