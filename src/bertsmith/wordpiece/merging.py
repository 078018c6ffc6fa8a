"""Counts of neighbouring symbols in words, kept exact while symbols are merged."""

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bertsmith.errors import VocabularyError

__all__ = ["Merge", "Pair", "SymbolPairs"]

Pair = tuple[int, int]
Integers = NDArray[np.int64]
Places = NDArray[np.int32]

_NONE = -1
_MAX_PLACES = 2**31 - 1


class Merge(NamedTuple):
    """What merging a pair has changed.

    Attributes:
        num_merged: how many occurrences were merged, with the words' weights.
        grown: the pairs that occur more often than before.
        shrunk: the pairs that occur less often, or not at all any more.
    """

    num_merged: int
    grown: list[Pair]
    shrunk: list[Pair]


class SymbolPairs:
    """Words as rows of symbols, with the count and the places of every pair of neighbours.

    All words lie on one axis. A symbol that is merged into its left neighbour disappears from the
    doubly linked list that `_next` and `_previous` keep. The places of a pair are only ever added
    to; those where it has gone meanwhile are passed over when it is merged.

    Args:
        symbols: the symbols of all words, end to end, non-negative.
        lengths: the number of symbols of every word, at least 1.
        weights: how often every word occurs.

    Attributes:
        counts: how often every pair occurs, with the words' weights; pairs that don't occur are
            absent.

    Example:
        >>> pairs = SymbolPairs(np.array([0, 1, 0, 1, 2]), np.array([4, 1]), np.array([10, 3]))
        >>> pairs.counts
        {(0, 1): 20, (1, 0): 10}
        >>> pairs.merge((0, 1), 3), pairs.counts
        (Merge(num_merged=20, grown=[(3, 3)], shrunk=[(1, 0)]), {(3, 3): 10})
    """

    def __init__(self, symbols: NDArray[np.integer], lengths: Integers, weights: Integers) -> None:
        if len(symbols) > _MAX_PLACES:
            raise VocabularyError(
                f"the words have over {_MAX_PLACES:,} characters", fix="learn from fewer words"
            )
        ends = np.cumsum(lengths)
        self._symbols = symbols.astype(np.int32)
        self._weights = np.repeat(weights.astype(np.int64), lengths)
        self._next = np.arange(1, len(symbols) + 1, dtype=np.int32)
        self._next[ends - 1] = _NONE
        self._previous = np.arange(-1, len(symbols) - 1, dtype=np.int32)
        self._previous[ends - lengths] = _NONE
        self.counts: dict[Pair, int] = {}
        self._places: dict[Pair, list[Places]] = {}
        lefts = np.flatnonzero(self._next != _NONE).astype(np.int32)
        width = int(symbols.max(initial=0)) + 1
        code_type = np.int32 if width**2 <= _MAX_PLACES else np.int64
        codes: NDArray[Any] = self._symbols[lefts].astype(code_type)
        codes *= width
        codes += self._symbols[self._next[lefts]]
        for code, count, places in _grouped(codes, self._weights[lefts], lefts):
            self.counts[divmod(code, width)] = count
            self._places[divmod(code, width)] = [places]

    def merge(self, pair: Pair, merged: int) -> Merge:
        """Replaces the pair by one symbol wherever it occurs, in every word from the left.

        Args:
            pair: a pair that occurs.
            merged: the symbol of the pair's joined string, which takes its place. Pairs that
                join to the same string have the same symbol, others never.
        """
        left_symbol, right_symbol = pair
        del self.counts[pair]
        lefts, rights = self._occurrences(pair, np.concatenate(self._places.pop(pair)))
        weights = self._weights[lefts]
        before, after = self._previous[lefts], self._next[rights]

        # Where an occurrence follows another at once, their common border counts once.
        follows = np.zeros(len(lefts), dtype=bool)
        follows[1:] = before[1:] == rights[:-1]
        followed = np.append(follows[1:], False)
        outer_left = (before != _NONE) & ~follows
        outer_right = (after != _NONE) & ~followed

        result = Merge(int(weights.sum()), [], [])
        groups = _grouped(
            self._symbols[before[outer_left]], weights[outer_left], before[outer_left]
        )
        for symbol, count, places in groups:
            self._subtract((symbol, left_symbol), count, result)
            self._add((symbol, merged), count, places, result)
        groups = _grouped(
            self._symbols[after[outer_right]], weights[outer_right], lefts[outer_right]
        )
        for symbol, count, places in groups:
            self._subtract((right_symbol, symbol), count, result)
            self._add((merged, symbol), count, places, result)
        if follows.any():
            count = int(weights[follows].sum())
            self._subtract((right_symbol, left_symbol), count, result)
            self._add((merged, merged), count, lefts[followed], result)

        self._symbols[lefts] = merged
        self._symbols[rights] = _NONE
        self._next[lefts] = after
        has_after = after != _NONE
        self._previous[after[has_after]] = lefts[has_after]
        return result

    def num_merges(self, pair: Pair) -> int:
        """How many occurrences would be merged, with the words' weights.

        That is the pair's count, unless it is twice the same symbol: `aaa` holds the pair twice
        but only one of them can be merged.
        """
        count = self.counts.get(pair, 0)
        if pair[0] != pair[1] or not count:
            return count
        places = np.concatenate(self._places[pair])
        self._places[pair] = [places]
        return int(self._weights[self._occurrences(pair, places)[0]].sum())

    def _occurrences(self, pair: Pair, places: Places) -> tuple[Places, Places]:
        """Returns where the two symbols of a pair stand, in order, one occurrence after another."""
        lefts = np.sort(places)
        rights = self._next[lefts]
        # Where there is no next symbol, -1 reads the last one; the first test rules that out.
        holds = (rights != _NONE) & (self._symbols[lefts] == pair[0])
        holds &= self._symbols[rights] == pair[1]
        lefts, rights = lefts[holds], rights[holds]
        if pair[0] == pair[1] and len(lefts):
            # In a run of equal symbols every other place is the start of an occurrence.
            order = np.arange(len(lefts))
            run_starts = order.copy()
            run_starts[1:][rights[:-1] == lefts[1:]] = 0
            chosen = (order - np.maximum.accumulate(run_starts)) % 2 == 0
            lefts, rights = lefts[chosen], rights[chosen]
        return lefts, rights

    def _add(self, pair: Pair, count: int, places: Places, result: Merge) -> None:
        self.counts[pair] = self.counts.get(pair, 0) + count
        self._places.setdefault(pair, []).append(places)
        result.grown.append(pair)

    def _subtract(self, pair: Pair, count: int, result: Merge) -> None:
        # The pair that is being merged has left the table already.
        if pair in self.counts:
            self.counts[pair] -= count
            result.shrunk.append(pair)
            if not self.counts[pair]:
                del self.counts[pair], self._places[pair]


def _grouped(
    keys: NDArray[np.integer], weights: Integers, places: Places
) -> list[tuple[int, int, Places]]:
    """Returns (key, sum of weights, places) for every distinct key, in order."""
    if not len(keys):
        return []
    order = np.argsort(keys, kind="stable")
    keys, places = keys[order], places[order]
    starts = np.flatnonzero(np.append(True, keys[1:] != keys[:-1]))
    sums = np.add.reduceat(weights[order], starts)
    # By hand: `np.split` takes several times as long for the many small groups.
    parts = [places[start:end] for start, end in pairwise([*starts.tolist(), len(keys)])]
    return list(zip(keys[starts].tolist(), sums.tolist(), parts, strict=True))
