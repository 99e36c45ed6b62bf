"""Texts and tables in ``ke.utils.visualize`` and ``Explanation.plot``."""

import io
import itertools

import keras
import numpy as np
import pytest

import keras_explainable as ke
from keras_explainable import utils

VOCABULARY = ["", "[UNK]", "the", "film", "great"]
TOKENS = np.array([[2, 3, 4, 0, 0], [0, 0, 4, 2, 3]])
TOKEN_MAPS = np.array([[0, 0.5, 1, 9, 9], [9, 9, -1, 0, 0.5]])[..., None]
ROWS = np.array([[0.5, -2, 30], [1, 2, 3]], "float32")
ROW_MAPS = np.array([[1, -0.5, 0.2], [0, 1, -1]])[..., None]


def written(axes):
    return [text.get_text() for text in axes.texts]


@pytest.mark.parametrize(
    "words", [VOCABULARY, [["the", "film", "great"], ["", "", "great", "the", "film"]]]
)
def test_words_are_on_backgrounds_of_their_map_but_padding(words, figure):
    shown = figure(TOKENS, overlays=TOKEN_MAPS, kind="text", words=words).axes
    assert written(shown[0]) == ["the", "film", "great", "(2 padding)"]
    assert written(shown[1]) == ["great", "the", "film", "(2 padding)"]
    white, pink, red = [np.array(box.get_facecolor()) for box in shown[0].patches]
    assert (white[:3] == 1).all()
    assert red[2] < pink[2] < 1  # The map of the padding sets no scale.
    assert red[0] > red[2]
    blue = shown[1].patches[0].get_facecolor()
    assert blue[2] > blue[0]


def test_numbers_are_written_without_words_and_plain_without_maps(figure):
    shown = figure([[0, 7, 0], [0, 0, 0]], kind="text", rows=2).axes
    assert [written(axes) for axes in shown] == [
        ["0", "7", "(1 padding)"],
        ["(3 padding)"],
    ]
    assert not shown[0].patches
    nothing = figure(np.zeros((1, 3)), overlays=np.ones((1, 3)), kind="text").axes[0]
    assert written(nothing) == ["(3 padding)"]


@pytest.mark.parametrize("figsize", [None, (2.0, 1.0)])
def test_words_are_in_lines_and_inside_of_their_panel(figure, figsize):
    long = figure(np.full(60, 123), kind="text", figsize=figsize)
    panel = long.axes[0].get_window_extent()
    boxes = [text.get_window_extent() for text in long.axes[0].texts]
    assert len({round(box.y0) for box in boxes}) > 2
    assert max(box.x1 for box in boxes) < panel.x1 + 1
    assert min(box.y0 for box in boxes) > panel.y0 - 1
    followed = itertools.pairwise(boxes)
    assert all(a.x1 < b.x0 or a.y0 > b.y0 for a, b in followed)


def test_rows_of_tables_are_bars_of_two_colours(figure):
    names = ["age", "height", "a name that is much longer than others"]
    shown = figure(ROWS, overlays=ROW_MAPS, kind="table", words=names)
    bars = shown.axes[0].patches
    np.testing.assert_allclose([bar.get_width() for bar in bars], ROW_MAPS[0, :, 0])
    assert bars[0].get_facecolor() == bars[2].get_facecolor() != bars[1].get_facecolor()
    labels = [label.get_text() for label in shown.axes[0].get_yticklabels()]
    assert labels == ["age = 0.5", "height = -2", "a name that is much long = 30"]
    boxes = [each.get_window_extent() for each in shown.axes[0].get_yticklabels()]
    assert min(box.x0 for box in boxes) >= 0
    plain = figure(ROWS[0], kind="table").axes[0]
    np.testing.assert_allclose([bar.get_width() for bar in plain.patches], ROWS[0])
    assert plain.get_yticklabels()[0].get_text() == "0"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "text", "words": ["", "a"]}, "a word for each number, up to 4"),
        ({"kind": "text", "words": [["a"]]}, "`words` must be as many lists"),
        ({"kind": "text", "words": [["a"] * 6] * 2}, "`words` must be 5 for each"),
        ({"kind": "table", "words": ["a"]}, "`words` must be 5 for each"),
        ({"kind": "table", "overlays": ROW_MAPS}, "a value for each of 5 features"),
        ({"kind": "signal", "words": ["a"]}, "`words` must be given with kind"),
    ],
)
def test_wrong_words_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        utils.visualize(TOKENS, **options)


def test_explanations_of_tokens_and_tables_are_drawn_as_such(drawn):
    keras.utils.set_random_seed(0)
    tokens, row = keras.Input((5,), dtype="int32"), keras.Input((3,))
    pooled = keras.layers.GlobalAveragePooling1D()(keras.layers.Embedding(5, 3)(tokens))
    of_tokens = keras.Model(tokens, keras.layers.Dense(2)(pooled))
    texts = ke.gradients(of_tokens, TOKENS.astype("int32"), verbose=0)
    rows = ke.gradients(keras.Model(row, keras.layers.Dense(1)(row)), ROWS, verbose=0)
    buffer = {"to_buffer": io.BytesIO()}
    texts.plot(**buffer)
    assert written(drawn[-1].axes[1]) == ["2", "3", "4", "(2 padding)"]
    texts.plot(**buffer, words=VOCABULARY)
    assert written(drawn[-1].axes[1]) == ["the", "film", "great", "(2 padding)"]
    texts.plot(**buffer, words=[["a"], ["b"]])
    assert [written(axes)[0] for axes in drawn[-1].axes] == [*"aabb"]
    with pytest.raises(ValueError, match="`words` must have a list for each sample"):
        texts.plot(words=[["a"]])
    assert "<img" in texts._repr_html_()
    rows.plot(**buffer, words=["age", "height", "size"])
    assert drawn[-1].axes[1].get_yticklabels()[0].get_text() == "age = 1"
    rows.plot(**buffer, kind="signal")
    assert drawn[-1].axes[0].lines
