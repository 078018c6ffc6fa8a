"""A block of documents as its sentences, and how a document is cut into chunks."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bertsmith.examples.hashing import Stream, integers, uniform
from bertsmith.examples.settings import ExampleSettings
from bertsmith.examples.source import TokenSource

__all__ = ["SentenceBlock", "first_reaching", "follow", "sentence_blocks"]

# Planning takes some 200 bytes a sentence; blocks keep that bounded for a store of any size.
_SENTENCES_PER_BLOCK = 1 << 20


@dataclass(frozen=True)
class SentenceBlock:
    """All sentences of some documents, in reading order; every array has one entry a sentence.

    Attributes:
        sentence: the sentence's index in the store, int64 [n].
        document: id of its document, int64 [n].
        document_stop: one past the last sentence of its document, int64 [n].
        target_length: how many tokens of text the document's examples aim at, int64 [n].
    """

    sentence: NDArray[np.int64]
    document: NDArray[np.int64]
    document_stop: NDArray[np.int64]
    target_length: NDArray[np.int64]


def sentence_blocks(
    source: TokenSource,
    documents: NDArray[np.int64],
    settings: ExampleSettings,
    seed: int,
    epoch: int,
) -> Iterator[SentenceBlock]:
    """Yields the sentences of `documents`, whole documents at a time, about a million at once."""
    first = source.document_offsets[documents]
    stop = source.document_offsets[documents + 1]
    targets = _target_lengths(documents, settings, seed, epoch)
    block_number = np.cumsum(stop - first) // _SENTENCES_PER_BLOCK
    cuts = np.flatnonzero(np.diff(block_number)) + 1
    for part in np.split(np.arange(len(documents)), cuts):
        counts = stop[part] - first[part]
        before = np.cumsum(counts) - counts
        yield SentenceBlock(
            np.repeat(first[part] - before, counts) + np.arange(counts.sum()),
            np.repeat(documents[part], counts),
            np.repeat(stop[part], counts),
            np.repeat(targets[part], counts),
        )


def follow(steps: NDArray[np.int64]) -> NDArray[np.int64]:
    """Walks `i ← i + steps[i]` from 0 to the end; returns every index it stops at.

    Example:
        >>> follow(np.array([2, 9, 1, 3, 9, 9])).tolist()
        [0, 2, 3]
    """
    # One chain for the whole block, since a document's last chunk ends where the next document
    # starts. Plain Python: there is nothing to do at a stop but to go on.
    step_list = steps.tolist()
    stops, index = [], 0
    while index < len(step_list):
        stops.append(index)
        index += step_list[index]
    return np.array(stops, dtype=np.int64)


def first_reaching(
    offsets: NDArray[np.int64],
    start: NDArray[np.int64],
    num_tokens: NDArray[np.int64],
    document_stop: NDArray[np.int64],
) -> NDArray[np.int64]:
    """One past the sentence with which `num_tokens` tokens from `start` are reached.

    Where the document ends before that, one past its last sentence.

    Args:
        offsets: where the store's sentences start, in tokens, [sentences + 1].
        start: the sentences to start from, [n].
        num_tokens: how many tokens are to be reached, at least 1, [n].
        document_stop: one past the last sentence of each one's document, [n].

    Example:
        >>> start, wanted, document_stop = np.array([0, 1]), np.array([5, 9]), np.array([3, 3])
        >>> first_reaching(np.array([0, 4, 6, 9, 20]), start, wanted, document_stop).tolist()
        [2, 3]
    """
    reached = np.searchsorted(offsets, offsets[start] + num_tokens)
    return np.minimum(reached, document_stop)


def _target_lengths(
    documents: NDArray[np.int64], settings: ExampleSettings, seed: int, epoch: int
) -> NDArray[np.int64]:
    """The maximum for most documents, and uniform from 2 up to it for `short_seq_prob` of them."""
    longest = settings.max_text_tokens
    is_short = uniform(seed, Stream.SHORT_SEQUENCE, epoch, documents) < settings.short_seq_prob
    short = integers(2, longest + 1, seed, Stream.TARGET_LENGTH, epoch, documents)
    return np.where(is_short, short, longest)
