"""Bins that hold everything once, and numbers that are those of the lengths."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertsmith.doctor import Histogram

LENGTHS = st.lists(st.integers(1, 3000), min_size=1, max_size=200)


@given(LENGTHS, st.sampled_from([None, 1, 8]))
def test_every_length_is_in_its_bin(lengths, step):
    shape = Histogram.of_lengths("x", "x", np.array(lengths), step)
    expected, _ = np.histogram(lengths, shape.edges)
    assert shape.counts == tuple(expected)
    assert sum(shape.counts) == len(lengths)
    assert len(shape.bins) == len(shape.shares) == len(shape.sparkline) == len(shape.counts)
    assert sum(shape.shares) == pytest.approx(1)


@given(LENGTHS)
def test_median_and_95_percent_are_reached_by_that_many(lengths):
    shape = Histogram.of_lengths("x", "x", np.array(lengths))
    for value, share in ((shape.median, 0.5), (shape.p95, 0.95)):
        assert np.mean(np.array(lengths) <= value) >= share
        assert np.mean(np.array(lengths) < value) < share
    assert shape.mean == pytest.approx(np.mean(lengths))
    assert shape.longest == max(lengths)


def test_counts_and_lengths_give_the_same():
    lengths = [1, 1, 7, 300, 301]
    counted = Histogram.of_counts("x", "x", {301: 1, 1: 2, 7: 1, 300: 1})
    assert counted == Histogram.of_lengths("x", "x", np.array(lengths))


def test_a_bin_that_is_not_empty_shows():
    shape = Histogram.of_counts("x", "x", {1: 1, 2: 10_000}, step=1)
    assert shape.sparkline[0] != " "
