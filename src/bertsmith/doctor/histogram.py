"""How many of each length: bins, and the numbers that sum them up."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Histogram"]

_BLOCKS = " ▁▂▃▄▅▆▇█"


@dataclass(frozen=True)
class Histogram:
    """A distribution of lengths.

    Attributes:
        name: its name for machines, such as "sentence_chars".
        label: what is counted, such as "characters a sentence".
        edges: where bins start, and where the last one ends; bin i holds the lengths from
            `edges[i]` up to `edges[i + 1]` − 1.
        counts: how many fall into each bin.
        mean: the mean length.
        median: the length that half of them don't exceed.
        p95: the length that 95 % of them don't exceed.
        longest: the greatest length.
        greatest: what the greatest is called, such as "longest" of lengths and "most" of counts.

    Example:
        >>> lengths = Histogram.of_counts("sentence_chars", "characters", {1: 2, 3: 1, 9: 1})
        >>> lengths.edges, lengths.counts, lengths.median, lengths.longest
        ((1, 2, 3, 5, 9, 17), (2, 0, 1, 0, 1), 1, 9)
        >>> lengths.sparkline
        '█ ▄ ▄'
    """

    name: str
    label: str
    edges: tuple[int, ...]
    counts: tuple[int, ...]
    mean: float
    median: int
    p95: int
    longest: int
    greatest: str = "longest"

    @classmethod
    def of_counts(
        cls,
        name: str,
        label: str,
        counts: Mapping[int, int],
        step: int | None = None,
        greatest: str = "longest",
    ) -> "Histogram":
        """Sums up how often each length was seen.

        Args:
            name: see the class.
            label: see the class.
            counts: length, at least 1 → how often; not empty.
            step: width of a bin; None for bins that double: 1, 2, 3 to 4, 5 to 8, ...
            greatest: see the class.
        """
        ordered = sorted(counts.items())
        lengths = np.array([length for length, _ in ordered], dtype=np.int64)
        made = cls._of(name, label, lengths, np.array([n for _, n in ordered]), step)
        return replace(made, greatest=greatest)

    @classmethod
    def of_lengths(
        cls, name: str, label: str, lengths: NDArray[Any], step: int | None = None
    ) -> "Histogram":
        """Sums up an array of lengths, each at least 1; not empty."""
        counts = np.bincount(lengths)
        seen = np.flatnonzero(counts)
        return cls._of(name, label, seen, counts[seen], step)

    @classmethod
    def _of(
        cls,
        name: str,
        label: str,
        lengths: NDArray[np.int64],
        counts: NDArray[np.int64],
        step: int | None,
    ) -> "Histogram":
        edges = _edges(int(lengths[-1]), step)
        binned = np.zeros(len(edges) - 1, np.int64)
        np.add.at(binned, np.searchsorted(edges, lengths, side="right") - 1, counts)
        reached = np.cumsum(counts) / counts.sum()
        median, p95 = (int(lengths[np.searchsorted(reached, share)]) for share in (0.5, 0.95))
        mean = float((lengths * counts).sum() / counts.sum())
        return cls(
            name,
            label,
            tuple(edges),
            tuple(binned.tolist()),
            mean,
            median,
            p95,
            int(lengths[-1]),
        )

    @property
    def bins(self) -> list[str]:
        """The bins' names, such as "1", "2", "3–4", "5–8"."""
        pairs = zip(self.edges[:-1], self.edges[1:], strict=True)
        return [
            f"{start:,}" if stop == start + 1 else f"{start:,}–{stop - 1:,}"
            for start, stop in pairs
        ]

    @property
    def shares(self) -> list[float]:
        """Each bin's share of them all, in [0, 1]."""
        total = sum(self.counts)
        return [count / total for count in self.counts]

    @property
    def sparkline(self) -> str:
        """The bins as a row of blocks, for a terminal; a bin that isn't empty is never blank."""
        tallest = max(self.counts)
        heights = (-(-8 * count // tallest) for count in self.counts)
        return "".join(_BLOCKS[height] for height in heights)

    @property
    def summary(self) -> str:
        """Median, 95 % and longest, for people."""
        ends = f"{self.greatest} {self.longest:,}"
        return f"median {self.median:,}, 95 % up to {self.p95:,}, {ends}"


def _edges(longest: int, step: int | None) -> Sequence[int]:
    if step is not None:
        return list(range(1, longest + step + 1, step))
    edges = [1, 2]
    while edges[-1] <= longest:
        edges.append(2 * (edges[-1] - 1) + 1)
    return edges
