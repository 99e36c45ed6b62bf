import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_explainable.report.explanation_records import FileNames, Prediction


@pytest.mark.parametrize(
    ("score", "shown"),
    [
        (0.973, "97.3 %"),
        (1.0, "> 99.9 %"),
        (0.9985, "99.9 %"),
        (0.00123, "0.1 %"),
        (1e-9, "< 0.1 %"),
        (0.0, "< 0.1 %"),
    ],
)
def test_probabilities_are_shown_in_percent(score, shown):
    assert Prediction(0, "cat", score).score_text == shown


def test_other_scores_are_shown_as_they_are():
    assert Prediction(0, "age", -41.2345, probability=False).score_text == "-41.2"


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("cat.jpg", "cat"),
        ("trip/day 1/cat.of.mine.png", "cat.of.mine"),
        ("a\\b\\cat.png", "cat"),
        ("../../etc/passwd", "passwd"),
        ("..", "image"),
        ("...png", "image"),
        (".png", "png"),
        ("", "image"),
        ("<b>.png", "b"),
        ("a\nb\0c.png", "a_b_c"),
        ("Füße.png", "Füße"),
        ("sample 1 (digit 6)", "sample_1_digit_6"),
    ],
)
def test_names_become_safe_stems(name, stem):
    assert FileNames().unique(name) == stem


def test_stems_are_unique():
    names = FileNames()
    given = ["a/cat.jpg", "b/cat.png", "cat.gif", "CAT.bmp", "cat-2.jpg", "cat-2.png"]
    stems = [names.unique(name) for name in given]
    assert stems == ["cat", "cat-2", "cat-3", "CAT-4", "cat-2-2", "cat-2-3"]


def test_unicode_normal_forms_are_one_name():
    names = FileNames()
    names.unique("caf\u00e9.png")
    assert names.unique("cafe\u0301.png") == "caf\u00e9-2"


@given(st.lists(st.text(max_size=80), max_size=20))
def test_any_names_give_different_files_in_one_folder(given_names):
    names = FileNames()
    stems = [names.unique(name) for name in given_names]
    assert len({stem.casefold() for stem in stems}) == len(stems)
    for stem in stems:
        assert stem
        assert not set(stem) & set('/\\:*?"<>|\0\n')
        assert stem[0] != "."
        assert len(f"{stem}.png".encode()) < 256
