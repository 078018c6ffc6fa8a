"""Counts in bounded memory: exact where they fit, and close where they don't."""

import random
from collections import Counter

import pytest

from bertsmith.doctor.counting import CopyCounter, FrequentKeys


def test_frequent_keys_are_exact_while_they_fit():
    rng = random.Random(0)
    keys = [int(rng.expovariate(0.02)) for _ in range(5000)]
    counter = FrequentKeys(limit=2000)
    for key in keys:
        counter.add(key)
    assert counter.counts == Counter(keys)


def test_frequent_keys_are_never_too_high_and_hardly_too_low():
    rng = random.Random(0)
    keys = [0] * 400 + [1] * 100 + [rng.randrange(2, 10**9) for _ in range(5000)]
    rng.shuffle(keys)
    counter = FrequentKeys(limit=100)
    for key in keys:
        counter.add(key)
        assert len(counter.counts) <= 100
    true = Counter(keys)
    for key, count in counter.counts.items():
        assert count <= true[key]
    error = len(keys) / 100
    assert 400 - error <= counter.counts[0] <= 400
    assert 100 - error <= counter.counts[1] <= 100


def test_forgetting_takes_one_from_every_key():
    counter = FrequentKeys(limit=2)
    for key in (7, 7, 7, 1, 1, 2):
        counter.add(key)
    assert counter.counts == {7: 2, 1: 1}


def copies(rng, number, share):
    """Keys, of which a share are copies of an earlier one."""
    keys = []
    for _ in range(number):
        is_copy = keys and rng.random() < share
        keys.append(rng.choice(keys) if is_copy else rng.getrandbits(64))
    return keys


def test_copies_are_exact_while_they_fit():
    keys = copies(random.Random(1), 3000, 0.2)
    counter = CopyCounter(limit=5000)
    first = {}
    for place, key in enumerate(keys):
        expected = first.setdefault(key, str(place))
        assert counter.add(key, str(place)) == (expected if expected != str(place) else None)
    assert counter.copies == 3000 - len(set(keys))


@pytest.mark.parametrize("share", [0.05, 0.5])
def test_the_share_of_copies_is_estimated_beyond(share):
    keys = copies(random.Random(2), 60_000, share)
    counter = CopyCounter(limit=4000)
    for place, key in enumerate(keys):
        counter.add(key, str(place))
    assert len(counter._first) <= 4000
    true = 1 - len(set(keys)) / len(keys)
    # Some 3,000 things are left, each with its copies.
    assert counter.copy_share == pytest.approx(true, abs=0.03)
