"""The highest values of maps, which pictures clip."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from keras_explainable.plotting import clipping

MAPS = hnp.arrays(
    np.float32,
    hnp.array_shapes(min_dims=2, max_dims=2, max_side=20),
    elements=st.floats(-100, 100, width=32),
)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(MAPS, st.sampled_from([50.0, 99.0, 100.0]))
def test_at_most_the_share_above_the_percentile_is_clipped(map_, percentile):
    clipped = clipping.clip_highest(map_, percentile)
    changed = clipped != map_
    assert changed.mean() <= 1 - percentile / 100
    limit = np.abs(clipped).max()
    np.testing.assert_array_equal(clipped, np.clip(map_, -limit, limit))


def test_one_percent_of_a_small_map_is_no_value():
    map_ = np.array([[1, 2, 1000]], "float32")
    np.testing.assert_array_equal(clipping.clip_highest(map_), map_)
    assert not clipping.is_clipped(map_)


def test_a_map_of_one_point_stays_visible():
    map_ = np.zeros((20, 20), "float32")
    map_[3, 4] = 5
    np.testing.assert_array_equal(clipping.clip_highest(map_), map_)


def test_missing_values_stay_and_do_not_count():
    map_ = np.ones((10, 20), "float32")
    map_[0, :4] = [np.nan, np.inf, -np.inf, 50]
    clipped = clipping.clip_highest(map_)
    np.testing.assert_array_equal(clipped[0, :4], [np.nan, np.inf, -np.inf, 1])
    assert clipping.is_clipped(map_)
    nothing = np.full((2, 2), np.nan, "float32")
    np.testing.assert_array_equal(clipping.clip_highest(nothing), nothing)


@pytest.mark.parametrize("percentile", [0, -1, 101, float("nan")])
def test_other_percentiles_are_refused(percentile):
    with pytest.raises(ValueError, match=r"`percentile` must be .*; received"):
        clipping.check(percentile)
