"""Groups of sequences of similar length, so that attention pads little."""

from collections.abc import Sequence

import numpy as np

__all__ = ["length_sorted_batches"]


def length_sorted_batches(lengths: Sequence[int], max_tokens: int) -> list[list[int]]:
    """Groups sequences by length, longest first, so that no group is over `max_tokens` padded.

    The longest come first, so that a group that doesn't fit in memory shows at once.

    Args:
        lengths: length of each sequence, in tokens.
        max_tokens: most tokens in a group when all are padded to its longest; a longer sequence is
            a group by itself.

    Returns:
        Indices into `lengths`, each exactly once. Equal lengths keep their order.

    Example:
        >>> length_sorted_batches([3, 9, 4, 4, 30], max_tokens=12)
        [[4], [1], [2, 3, 0]]
    """
    order = np.argsort(-np.asarray(lengths, dtype=np.int64), kind="stable").tolist()
    groups: list[list[int]] = []
    start = 0
    while start < len(order):
        size = max(1, max_tokens // max(1, lengths[order[start]]))
        groups.append(order[start : start + size])
        start += size
    return groups
