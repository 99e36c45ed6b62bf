"""Tables as HTML and text, and the table of `Stats`."""

import dataclasses
from html.parser import HTMLParser

import keras
import numpy as np
from support.small_models import images, quadratic

from keras_explainable.common import table_format
from keras_explainable.engine.shortcuts import smoothgrad


class Cells(HTMLParser):
    """Parses a table; any other element is an error."""

    def __init__(self, text):
        super().__init__()
        self.rows, self.open = [], []
        self.caption = ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        assert tag in ("table", "caption", "tr", "th", "td")
        self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("th", "td"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in ("th", "td"):
            self.rows[-1][-1] += data
        elif self.open and self.open[-1] == "caption":
            self.caption += data


def test_html_cells():
    table = Cells(table_format.html("two", {"a": [1, 1234567], "b": ["x", "y"]}))
    assert table.caption == "two"
    assert table.rows == [["a", "b"], ["1", "x"], ["1234567", "y"]]
    numbers = {"a": [np.int64(10000)], "b": [np.float32(1 / 3)]}
    assert Cells(table_format.html("", numbers)).rows[1] == ["10000", "0.333"]


def test_html_is_escaped():
    bad = "<script>alert('&')</script>"
    text = table_format.html(bad, {bad: [bad]})
    assert "<script" not in text
    table = Cells(text)
    assert (table.caption, table.rows) == (bad, [[bad], [bad]])


def test_html_of_many_rows_shows_the_first_ones():
    table = Cells(table_format.html("", {"n": range(table_format.MAX_ROWS)}))
    assert table.rows[-1] == [f"{table_format.MAX_ROWS - 1}"]
    table = Cells(table_format.html("", {"n": range(1000), "m": range(1000)}))
    assert len(table.rows) == 1 + table_format.MAX_ROWS + 1
    assert table.rows[-1] == [f"and {1000 - table_format.MAX_ROWS} more"]


def test_text_columns_are_aligned_to_the_right():
    text = table_format.text("two", {"a": [1, 1234567], "long": ["x", 1 / 3]})
    assert text == "two\n      a   long\n      1      x\n1234567  0.333"
    assert table_format.text("none", {"a": [], "b": []}) == "none\na  b"


def test_text_of_many_rows_shows_the_first_ones():
    lines = table_format.text("", {"n": range(1000)}).splitlines()
    assert len(lines) == 2 + table_format.MAX_ROWS + 1
    assert lines[-2:] == ["19", "and 980 more"]


def stats_of_two_images(**params):
    keras.utils.set_random_seed(0)
    params = {"repetitions": 6, "noise": 0.25, "return_stats": True, **params}
    return smoothgrad(quadratic(), images(2), [[1, 0], [0, 2]], verbose=0, **params)[2]


def test_stats_have_a_row_for_each_map():
    stats = stats_of_two_images()
    title, *rows = Cells(stats._repr_html_()).rows
    columns = dict(zip(title, zip(*rows, strict=True), strict=True))
    assert columns["image"] == ("0", "0", "1", "1")
    assert columns["unit"] == ("1", "0", "0", "2")
    assert columns["repetitions"] == ("6",) * 4
    assert columns["sigma"] == ("0.25",) * 4
    for name in ("logits", "relative_error", "score_drift"):
        shown = columns[name.removesuffix("s").replace("_", " ")]
        expected = getattr(stats, name).ravel()
        np.testing.assert_allclose(np.array(shown, float), expected, rtol=6e-3)


def test_stats_are_printed_as_the_same_table():
    stats = stats_of_two_images()
    caption, *lines = repr(stats).splitlines()
    table = Cells(stats._repr_html_())
    assert caption == table.caption
    joined = [line.split() for line in lines]
    assert joined == [" ".join(row).split() for row in table.rows]
    assert str(stats) == repr(stats)


def test_stats_with_sigma_per_channel_and_an_odd_method_name():
    stats = stats_of_two_images(noise=[0.25, 0.5, 1], estimator="hybrid")
    stats = dataclasses.replace(stats, facts=stats.facts | {"method": "<lambda>"})
    table = Cells(stats._repr_html_())
    assert table.caption == "mean of <lambda>, estimator 'hybrid'"
    assert table.rows[1][5] == "0.25, 0.5, 1"
