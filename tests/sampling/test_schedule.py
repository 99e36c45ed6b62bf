"""Chunks have one size and cover every draw once."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from keras_explainable.execution.chunks import padded_chunks
from keras_explainable.sampling.schedule import Schedule


@given(st.integers(1, 30), st.integers(1, 12))
def test_chunks_cover_every_position_once(total, size):
    chunks = list(padded_chunks(total, size))
    assert all(len(positions) == size for positions, _ in chunks)
    used = np.concatenate([positions[used] for positions, used in chunks])
    assert used.tolist() == list(range(total))


def drawn_pairs(schedule):
    """Return all (image, draw) pairs in order, given chunks of one size."""
    chunks = list(schedule)
    assert len({len(chunk.image) for chunk in chunks}) <= 1
    return [
        (int(image), int(draw))
        for chunk in chunks
        for image, draw, used in zip(*chunk, strict=True)
        if used
    ]


@given(st.integers(1, 5), st.integers(1, 9), st.integers(1, 12))
def test_each_image_has_each_draw_once(images, draws, size):
    valid = np.arange(images)[:: 1 + images % 2]
    schedule = Schedule(valid, draws, size, images)
    pairs = drawn_pairs(schedule)
    assert sorted(pairs) == [(i, d) for i in valid.tolist() for d in range(draws)]
    assert pairs == sorted(pairs, key=lambda pair: pair[::-1])  # Images take turns.
    assert schedule.total == len(pairs) == schedule.counts.sum()


@given(st.integers(2, 5), st.integers(3, 9), st.integers(1, 6), st.integers(0, 3))
def test_a_finished_image_leaves_its_rows_to_the_others(images, draws, size, after):
    schedule, seen = Schedule(np.arange(images), draws, size, images), []
    for number, chunk in enumerate(schedule):
        seen.append(chunk)
        if number == after:
            before = schedule.counts[0]
            schedule.finish(np.arange(images) == 0)
    counts = np.bincount(
        np.concatenate([chunk.image[chunk.used] for chunk in seen]), minlength=images
    )
    assert counts[0] == (before if after < len(seen) else draws)
    assert (counts[1:] == draws).all()
    assert all(chunk.used.all() for chunk in seen[:-1])


def test_a_schedule_ends_when_all_images_are_finished():
    schedule = Schedule(np.arange(2), 100, 4, 2)
    next(iter(schedule))
    schedule.finish(np.ones(2, bool))
    assert schedule.total == 4
    assert not list(schedule)
