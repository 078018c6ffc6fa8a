"""How long documents are, to say what would be left if the short ones were dropped."""

from collections import Counter

__all__ = ["MOST_TO_DROP", "Lengths"]

MOST_TO_DROP = 0.2
"""Share of the text that a proposal may cost."""

# Longer documents aren't dropped by any proposal.
_LONGEST = 1000


class Lengths:
    """The lengths of some documents, in characters; memory doesn't grow with their number.

    Example:
        >>> lengths = Lengths()
        >>> for number in (10, 10, 80, 900):
        ...     lengths.add(number)
        >>> lengths.number_from(50), lengths.text_below(50)
        (2, 0.02)
    """

    def __init__(self) -> None:
        self._short = Counter[int]()
        self._num_long = self._num_chars = 0

    def add(self, num_chars: int) -> None:
        """Counts a document."""
        self._num_chars += num_chars
        if num_chars < _LONGEST:
            self._short[num_chars] += 1
        else:
            self._num_long += 1

    def number_from(self, num_chars: int) -> int:
        """How many documents have at least so many characters (up to 1,000)."""
        return self._num_long + sum(n for size, n in self._short.items() if size >= num_chars)

    def text_below(self, num_chars: int) -> float:
        """Share of the text, in [0, 1], in documents that have fewer."""
        below = sum(size * n for size, n in self._short.items() if size < num_chars)
        return below / max(self._num_chars, 1)
