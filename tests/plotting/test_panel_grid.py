"""The layout: rows and columns, panels and titles that do not overlap."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_explainable.plotting import panel_grid

FEW = settings(max_examples=100, deadline=None, derandomize=True)
COUNTS = st.integers(1, 60)


@pytest.mark.parametrize(
    ("kinds", "shape"),
    [
        ("i", (1, 1)),
        ("im", (1, 2)),
        ("i" * 8 + "m" * 16, (3, 8)),
        ("i" * 4 + "m" * 4, (2, 4)),
        ("i" * 12 + "m" * 12, (4, 6)),
        ("im" * 8, (4, 4)),
        ("im" * 3, (2, 4)),
        ("immm" * 4, (4, 4)),
        ("immm", (1, 4)),
        ("i" * 8, (1, 8)),
        ("m" * 16, (2, 8)),
        ("m" * 9, (3, 3)),
        ("m" * 11, (3, 4)),
        ("i" * 22 + "m" * 22, (7, 7)),
    ],
)
def test_images_and_their_maps_share_rows_or_columns(kinds, shape):
    assert panel_grid.grid_shape(kinds, None, None) == shape


@FEW
@given(st.text("im", min_size=1, max_size=60))
def test_default_grids_hold_all_panels_without_empty_rows(kinds):
    rows, cols = panel_grid.grid_shape(kinds, None, None)
    assert rows * cols >= len(kinds) > (rows - 1) * cols
    assert cols <= max(8, 2 * len(kinds) ** 0.5 + 8)


@FEW
@given(COUNTS, st.integers(1, 70))
def test_one_given_side_determines_the_other(count, side):
    rows, cols = panel_grid.grid_shape("m" * count, side, None)
    assert rows == side
    assert side * cols >= count > side * (cols - 1)
    rows, cols = panel_grid.grid_shape("m" * count, None, side)
    assert cols == side
    assert rows * side >= count > (rows - 1) * side


def test_both_sides_may_be_given():
    assert panel_grid.grid_shape("mmm", 2, 3) == (2, 3)


def test_grids_that_are_too_small_are_refused():
    with pytest.raises(ValueError, match="must hold 7 panels; received 2 x 3"):
        panel_grid.grid_shape("m" * 7, 2, 3)


@pytest.mark.parametrize("bad", [0, -1, 1.5])
def test_sides_must_be_positive_integers(bad):
    with pytest.raises(ValueError, match="`rows` must be a whole number >= 1; rec"):
        panel_grid.grid_shape("mm", bad, None)
    with pytest.raises(ValueError, match="`cols` must be a whole number >= 1; rec"):
        panel_grid.grid_shape("mm", None, bad)


def test_titles_are_wrapped_and_shortened():
    assert panel_grid.wrap_title("", 2, 10) == ""
    assert panel_grid.wrap_title("cat", 2, 10) == "cat"
    lines = panel_grid.wrap_title("word " * 40, 2, 10).split("\n")
    assert len(lines) == 3
    assert lines[-1].endswith("…")
    assert max(map(len, lines)) <= 24
    assert len(panel_grid.wrap_title("x" * 30, 2, 10).split("\n")) == 2


@FEW
@given(
    st.integers(1, 5),
    st.integers(1, 9),
    st.floats(0.1, 10),
    st.none() | st.tuples(st.floats(4, 20), st.floats(6, 20)),
)
def test_panels_have_equal_sizes_and_do_not_overlap(rows, cols, aspect, figsize):
    titles = ["two\nlines", "", "one"] * rows * cols
    shape = (rows, cols)
    layout = panel_grid.make_layout(titles[: rows * cols], aspect, shape, figsize, 10)
    if figsize is not None:
        assert layout.size == figsize
    width, height = layout.size
    places = {at: layout.box(*at) for at in itertools.product(range(rows), range(cols))}
    for (row, column), (left, bottom, wide, high) in places.items():
        assert (wide * width, high * height) == pytest.approx(layout.panel)
        assert left > 0
        assert bottom > 0
        assert left + wide < 1
        assert bottom + high + layout.title_heights[row] / height < 1
        if column:
            before = places[row, column - 1]
            assert before[0] + before[2] < left
        if row:
            above = places[row - 1, column]
            assert bottom + high + layout.title_heights[row] / height < above[1]


def test_pictures_without_a_given_size_have_even_margins():
    layout = panel_grid.make_layout(["", ""], 1.0, (1, 2), None, 10)
    width, height = layout.size
    left, bottom, wide, high = layout.box(0, 0)
    right = layout.box(0, 1)[0] + wide
    margins = [left * width, bottom * height, (1 - right) * width]
    assert margins == pytest.approx([(1 - bottom - high) * height] * 3)


def test_only_rows_with_titles_leave_room_for_them():
    layout = panel_grid.make_layout(["a", "b\nc", "", ""], 1.0, (2, 2), None, 10)
    assert layout.title_heights[0] > 20 / 72
    assert layout.title_heights[1] == 0
