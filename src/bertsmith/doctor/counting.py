"""Counting what repeats, in bounded memory, over a corpus of any size."""

__all__ = ["CopyCounter", "FrequentKeys"]


class FrequentKeys:
    """Counts keys, and forgets rare ones when there are too many.

    A count is never too high, and too low by at most the number of additions over `limit`. So it
    is exact for a corpus with up to `limit` distinct keys.

    **Source**: Misra and Gries, "Finding repeated elements", 1982.

    Args:
        limit: how many keys are held, about 100 bytes each.

    Example:
        >>> keys = FrequentKeys(limit=2)
        >>> for key in (7, 7, 7, 1, 2):
        ...     _ = keys.add(key)
        >>> keys.counts
        {7: 2}
    """

    def __init__(self, limit: int = 500_000) -> None:
        self.limit = limit
        self.counts: dict[int, int] = {}

    def add(self, key: int) -> int:
        """Counts a key; returns how often it was seen."""
        count = self.counts.get(key, 0) + 1
        self.counts[key] = count
        while len(self.counts) > self.limit:
            self.counts = {key: count - 1 for key, count in self.counts.items() if count > 1}
        return count


class CopyCounter:
    """Tells which share of things are copies of others, from a sample of their hashes.

    It keeps the things whose hash ends in enough zero bits, each with all its copies; how many
    bits grows with their number. So the share is exact up to `limit` distinct things, and an
    estimate without a bias beyond.

    Args:
        limit: how many distinct things are held, about 250 bytes each.

    Example:
        >>> counter = CopyCounter()
        >>> [counter.add(key, f"line {n}") for n, key in enumerate((7, 9, 7))]
        [None, None, 'line 0']
        >>> counter.copies, counter.copy_share
        (1, 0.3333333333333333)
    """

    def __init__(self, limit: int = 250_000) -> None:
        self.limit = limit
        self._mask = 0
        self._first: dict[int, str] = {}
        self._counts: dict[int, int] = {}
        self._seen = 0

    def add(self, key: int, where: str) -> str | None:
        """Counts a thing; returns where it was seen first, if it was seen before."""
        if key & self._mask:
            return None
        self._seen += 1
        if key in self._first:
            self._counts[key] += 1
            return self._first[key]
        self._first[key], self._counts[key] = where, 1
        while len(self._first) > self.limit:
            self._forget_half()
        return None

    @property
    def copies(self) -> int:
        """How many of the things that it keeps are copies of an earlier one."""
        return self._seen - len(self._first)

    @property
    def copy_share(self) -> float:
        """Which share of the things are copies of an earlier one."""
        return self.copies / max(self._seen, 1)

    def _forget_half(self) -> None:
        self._mask = 2 * self._mask + 1
        self._first = {key: where for key, where in self._first.items() if not key & self._mask}
        self._counts = {key: self._counts[key] for key in self._first}
        self._seen = sum(self._counts.values())
