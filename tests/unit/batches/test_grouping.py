import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertsmith.batches import length_sorted_batches


@given(st.lists(st.integers(0, 600)), st.integers(1, 5000))
def test_each_once_within_the_limit_longest_first(lengths, max_tokens):
    groups = length_sorted_batches(lengths, max_tokens)
    order = [index for group in groups for index in group]
    assert sorted(order) == list(range(len(lengths)))
    assert [lengths[index] for index in order] == sorted(lengths, reverse=True)
    for group in groups:
        padded = len(group) * max(lengths[index] for index in group)
        assert len(group) == 1 or padded <= max_tokens


def test_equal_lengths_keep_their_order():
    groups = length_sorted_batches([4] * 101, max_tokens=8)
    assert [index for group in groups for index in group] == list(range(101))
    assert [len(group) for group in groups] == [2] * 50 + [1]


def test_nothing():
    assert length_sorted_batches([], max_tokens=8) == []


@pytest.mark.parametrize("longest_alone", [9, 1000])
def test_too_long_is_alone(longest_alone):
    assert length_sorted_batches([1, longest_alone, 1], max_tokens=8) == [[1], [0, 2]]
