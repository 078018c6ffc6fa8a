"""Pairs of segments in sentences → spans of tokens that fit an example."""

import numpy as np
from numpy.typing import NDArray

from bertsmith.examples.hashing import Stream, successes
from bertsmith.examples.spans import ExampleSpans

__all__ = ["Sentences", "trimmed_lengths", "trimmed_pairs"]

Sentences = tuple[NDArray[np.int64], NDArray[np.int64]]
"""First sentence of every segment, and one past its last; indices of the store, [examples]."""


def trimmed_pairs(
    offsets: NDArray[np.int64],
    a: Sentences,
    b: Sentences,
    labels: NDArray[np.bool_],
    max_tokens: int,
    draw: tuple[int, int, NDArray[np.int64]],
) -> ExampleSpans:
    """Takes tokens from the longer side of every pair, front or back by a fair coin, until it fits.

    **Source**: `truncate_seq_pair` of google-research/bert.

    Args:
        offsets: where the store's sentences start, in tokens, [sentences + 1].
        a: the segments A.
        b: the segments B.
        labels: the pairs' labels, [examples].
        max_tokens: most tokens of text in an example.
        draw: seed, epoch, and what names each pair's draws in the epoch, [examples].
    """
    seed, epoch, key = draw
    a_length, b_length = offsets[a[1]] - offsets[a[0]], offsets[b[1]] - offsets[b[0]]
    a_kept, b_kept = trimmed_lengths(a_length, b_length, max_tokens)
    a_front = successes(a_length - a_kept, seed, Stream.TRIM_A, epoch, key)
    b_front = successes(b_length - b_kept, seed, Stream.TRIM_B, epoch, key)
    return ExampleSpans(
        offsets[a[0]] + a_front,
        a_kept.astype(np.int32),
        offsets[b[0]] + b_front,
        b_kept.astype(np.int32),
        labels.astype(np.int8),
    )


def trimmed_lengths(
    a_length: NDArray[np.int64], b_length: NDArray[np.int64], max_tokens: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Lengths after taking tokens from the longer side, from B if equal, until a pair fits.

    A side that is no longer than half of the room is left whole; else both get half of it, and A
    the odd token.

    **Source**: `truncate_seq_pair` of google-research/bert, in closed form.

    Example:
        >>> a, b = trimmed_lengths(np.array([3, 9, 9]), np.array([4, 3, 9]), max_tokens=7)
        >>> a.tolist(), b.tolist()
        ([3, 4, 4], [4, 3, 3])
    """
    half = max_tokens // 2
    a_kept = np.minimum(a_length, np.maximum(max_tokens - b_length, max_tokens - half))
    b_kept = np.minimum(b_length, np.maximum(max_tokens - a_length, half))
    return a_kept, b_kept
