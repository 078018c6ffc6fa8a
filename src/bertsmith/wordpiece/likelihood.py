"""Merging what raises the likelihood of the text most."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bertsmith.wordpiece.gains import exact_gain, gain_bound, gains
from bertsmith.wordpiece.merging import Merge, Pair, SymbolPairs
from bertsmith.wordpiece.vocabulary import CONTINUATION

__all__ = ["merges_by_likelihood"]

# Relative to a pair's count: far above what double precision loses (the terms are at most some
# twenty times the count), far below what matters.
_UNCERTAIN = 1e-11


def merges_by_likelihood(
    pairs: SymbolPairs,
    strings: list[str],
    symbol_counts: NDArray[np.int64],
    chinese: Mapping[str, int],
    min_frequency: int,
) -> Iterator[str]:
    """Yields the pieces that merging makes, the merge of the greatest gain first.

    `gains` says what a merge gains. The next merge is always that of the greatest gain as things
    stand; ties go to the smaller strings. It ends where no merge of a pair that occurs
    `min_frequency` times gains anything. A Chinese character, a word by itself, takes part as a
    pair of halves that occur nowhere else.

    Args:
        pairs: the words.
        strings: the string of every symbol; merged symbols are appended.
        symbol_counts: how often every symbol occurs, int64 [symbols].
        chinese: how often each Chinese character occurs.
        min_frequency: the smallest count of a pair that is merged.
    """
    candidates = _Candidates(pairs, strings, symbol_counts, min_frequency)
    for character, count in chinese.items():
        candidates.add_character(character, count)
    while (row := candidates.best()) is not None:
        yield candidates.take(row)


class _Candidates:
    """The pairs that can be the best one, with their gains, worked out only where it matters.

    The gain that is kept of a pair may be too great: N falls with every merge, and with it every
    gain. Whatever else a merge changes is worked out anew at once. So the best one is found by
    working out the greatest until it stays the greatest. Pairs too rare to be the best, going by
    `gain_bound`, wait outside until the best gain has halved.

    Each candidate is a row: its pair's symbols, the number of merges, the gain, and N at the time
    when that was worked out.
    """

    def __init__(
        self,
        pairs: SymbolPairs,
        strings: list[str],
        symbol_counts: NDArray[np.int64],
        min_frequency: int,
    ) -> None:
        self._pairs, self._strings = pairs, strings
        self._symbol_counts = symbol_counts.copy()
        self._total = int(symbol_counts.sum())
        self._min_frequency = max(min_frequency, 1)
        self._least_count = max(pairs.counts.values(), default=0) + 1
        self._row_of: dict[Pair, int] = {}
        self._size = 0
        self._symbols = np.zeros((2, 0), dtype=np.int64)
        self._counts = np.zeros(0, dtype=np.int64)
        self._gains = np.zeros(0)
        self._totals = np.zeros(0, dtype=np.int64)

    def add_character(self, character: str, count: int) -> None:
        """Adds a Chinese character as a pair of halves."""
        left, right = self._new_symbol(character, count), self._new_symbol("", count)
        self._total += 2 * count
        self._append((left, right), count)
        self._refresh(np.array([self._size - 1]))

    def best(self) -> int | None:
        """The row of the greatest gain, or None where nothing is to be gained."""
        while True:
            kept = self._gains[: self._size]
            gain = float(kept.max(initial=0.0))
            if self._may_be_better_outside(gain):
                self._let_in(gain)
                continue
            if not self._size:
                return None
            uncertain = _UNCERTAIN * self._counts[: self._size]
            top = int(kept.argmax())
            rows = np.flatnonzero(kept + uncertain >= kept[top] - uncertain[top])
            stale = rows[self._totals[rows] != self._total]
            if not len(stale):
                is_clear = len(rows) == 1 and kept[top] > uncertain[top]
                return top if is_clear else self._decide(rows.tolist())
            self._refresh(stale)

    def take(self, row: int) -> str:
        """Merges the row's pair; returns the piece that it makes."""
        left, right = self._symbols[:, row].tolist()
        piece: str = self._strings[left] + self._strings[right].removeprefix(CONTINUATION)
        joined = self._new_symbol(piece, int(self._counts[row]))
        if (left, right) in self._pairs.counts:
            merge = self._pairs.merge((left, right), joined)
        else:
            merge = Merge(int(self._counts[row]), [], [])
        self._symbol_counts[left] -= merge.num_merged
        self._symbol_counts[right] -= merge.num_merged
        self._total -= merge.num_merged
        self._remove((left, right))
        for pair in dict.fromkeys(merge.grown + merge.shrunk):
            self._recount(pair)
        symbols = self._symbols[:, : self._size]
        touched = (symbols == left) | (symbols == right) | (symbols == joined)
        self._refresh(np.flatnonzero(touched[0] | touched[1]))
        return piece

    def _may_be_better_outside(self, gain: float) -> bool:
        least = self._least_count
        return least > self._min_frequency and gain_bound(least - 1, self._total) > gain

    def _let_in(self, gain: float) -> None:
        """Adds pairs, down to a count at which half the best gain is out of reach."""
        self._least_count //= 2
        while gain > 0 and self._may_be_better_outside(gain / 2):
            self._least_count = self._least_count * 7 // 8
        self._least_count = max(self._least_count, self._min_frequency)
        first = self._size
        for pair, count in self._pairs.counts.items():
            if count >= self._least_count and pair not in self._row_of:
                self._recount(pair)
        self._refresh(np.arange(first, self._size))

    def _decide(self, rows: list[int]) -> int | None:
        """The best of rows whose gains are too close to each other, or to nothing."""
        counts = self._symbol_counts
        ranked = []
        for row in rows:
            left, right = self._symbols[:, row].tolist()
            numbers = (self._counts[row], counts[left], counts[right])
            gain = exact_gain((*map(int, numbers), left == right), self._total)
            ranked.append((-gain, self._strings[left], self._strings[right], row))
        best = min(ranked)
        return best[-1] if best[0] < 0 else None

    def _recount(self, pair: Pair) -> None:
        """Puts a pair's count right, and the pair in or out; its gain is left to `_refresh`."""
        count = self._pairs.num_merges(pair)
        row = self._row_of.get(pair)
        if row is not None:
            self._counts[row] = count
            if count < self._min_frequency:
                self._remove(pair)
        elif count >= self._least_count:
            self._append(pair, count)

    def _refresh(self, rows: NDArray[np.int64]) -> None:
        left, right = self._symbols[:, rows]
        counts = self._symbol_counts
        self._gains[rows] = gains(
            self._counts[rows], counts[left], counts[right], left == right, self._total
        )
        self._totals[rows] = self._total

    def _append(self, pair: Pair, count: int) -> None:
        row = self._size
        if row == len(self._counts):
            for name in ("_symbols", "_counts", "_gains", "_totals"):
                setattr(self, name, _with_room(getattr(self, name), row))
        self._symbols[:, row] = pair
        self._counts[row] = count
        self._row_of[pair] = row
        self._size += 1

    def _remove(self, pair: Pair) -> None:
        """Takes a row out; the last one moves to its place."""
        row, last = self._row_of.pop(pair), self._size - 1
        if row != last:
            for array in (self._symbols, self._counts, self._gains, self._totals):
                array[..., row] = array[..., last]
            left, right = self._symbols[:, row].tolist()
            self._row_of[left, right] = row
        self._size = last

    def _new_symbol(self, string: str, count: int) -> int:
        symbol = len(self._strings)
        self._strings.append(string)
        if symbol >= len(self._symbol_counts):
            self._symbol_counts = _with_room(self._symbol_counts, symbol)
        self._symbol_counts[symbol] = count
        return symbol


def _with_room(array: NDArray[Any], size: int) -> NDArray[Any]:
    """A copy with room for at least as many again along the last axis."""
    room = np.zeros((*array.shape[:-1], 2 * size + 1024), dtype=array.dtype)
    room[..., :size] = array[..., :size]
    return room
