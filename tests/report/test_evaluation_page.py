"""The page of an evaluation: whatever the names, it is text, and nothing is fetched."""

import re

from support.html_reader import HOSTILE, Reader

from keras_explainable.report import evaluation_page
from keras_explainable.report.evaluation_page import (
    Cell,
    Differences,
    EvaluationContents,
    Row,
)

SUMMARY = {
    "model": HOSTILE,
    "methods": ["smoothgrad", "rise"],
    "metrics": ["deletion"],
    "target": "top1",
    "seeds": 2,
    "preprocessing": "unit",
    "versions": {"keras": "3.12"},
    "started": "2030-01-02T03:04:05+00:00",
    "seconds": 12.3,
    "interrupted": True,
    "images": [{}, {}],
    "failures": [{"name": HOSTILE, "reason": HOSTILE}],
}
CONTENTS = EvaluationContents(
    HOSTILE,
    [HOSTILE],
    [Row(HOSTILE, True, [Cell(HOSTILE, "best")]), Row("b", False, [Cell("2")])],
    [HOSTILE],
    "<svg></svg>",
    HOSTILE,
    [Differences(HOSTILE, [HOSTILE], [(HOSTILE, HOSTILE, HOSTILE, HOSTILE)])],
)


def test_names_are_text():
    text = evaluation_page.page(SUMMARY, CONTENTS)
    page = Reader(text)
    assert page.text.count(HOSTILE) == 16
    assert not {"script", "img"} & {tag for tag, _ in page.tags}
    [policy] = [x["content"] for _, x in page.tags if "http-equiv" in x]
    assert policy.startswith("default-src 'none';")
    assert "script-src" not in policy
    assert not re.search(r"https?://|@import", text)


def test_a_run_without_images_says_so():
    page = Reader(evaluation_page.page(SUMMARY | {"images": []}, None))
    assert "0 images" in page.text
    assert "The run was interrupted" in page.text
    assert "1 image could not be scored" in page.text
