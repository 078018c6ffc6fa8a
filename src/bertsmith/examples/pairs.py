"""Sentence pairs: which spans of the store are segments A and B, by Google's algorithm.

Google walks a document with a generator: where a chunk starts depends on all draws before it. Here
the draws belong to the sentence at which a chunk would start. So every sentence's chunk is found
at once, in arrays, as if each were a start; then the chain of real starts is followed. A chunk
starts at a sentence at most once an epoch, so the draws of real chunks are independent, and the
distribution is Google's.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bertsmith.examples.hashing import Stream, integers, uniform
from bertsmith.examples.sentences import SentenceBlock, first_reaching, follow
from bertsmith.examples.settings import ExampleSettings
from bertsmith.examples.source import TokenSource
from bertsmith.examples.spans import ExampleSpans
from bertsmith.examples.trimming import trimmed_pairs

__all__ = ["plan_pairs"]

_RANDOM_DOCUMENT_TRIES = 10


@dataclass(frozen=True)
class _Chunks:
    """The chunks of a block that become examples; sentence indices of the store, [examples].

    Sentences [start, a_stop) are segment A, and [a_stop, stop) segment B unless it is random.
    """

    start: NDArray[np.int64]
    a_stop: NDArray[np.int64]
    stop: NDArray[np.int64]
    is_random: NDArray[np.bool_]
    document: NDArray[np.int64]
    target_length: NDArray[np.int64]


def plan_pairs(
    source: TokenSource,
    block: SentenceBlock,
    documents: NDArray[np.int64],
    settings: ExampleSettings,
    seed: int,
    epoch: int,
) -> ExampleSpans:
    """Cuts a block of documents into pairs (A, B).

    Sentences are gathered until the target length is reached or the document ends. A random number
    of them is A. Half of the time, and always if there is one sentence alone, B is random: the
    text from a random sentence of a random document on, and the sentences after A are used again.
    Else B is the rest of the chunk. The longer side is trimmed, token by token, front or back.

    **Source**: `create_instances_from_document` of google-research/bert.

    Args:
        source: the token store.
        block: sentences of some of the documents.
        documents: ids of all documents that a random B may come from, [documents].
        settings: lengths and probabilities.
        seed: the run's seed.
        epoch: number of the pass, from 0.
    """
    chunks = _cut(source.sentence_offsets, block, seed, epoch)
    b_start, b_stop = chunks.a_stop.copy(), chunks.stop.copy()
    random = np.flatnonzero(chunks.is_random)
    b_start[random], b_stop[random] = _random_segments(
        source, chunks, random, documents, seed, epoch
    )

    return trimmed_pairs(
        source.sentence_offsets,
        (chunks.start, chunks.a_stop),
        (b_start, b_stop),
        chunks.is_random,
        settings.max_text_tokens,
        (seed, epoch, chunks.start),
    )


def _cut(offsets: NDArray[np.int64], block: SentenceBlock, seed: int, epoch: int) -> _Chunks:
    start = block.sentence
    stop = first_reaching(offsets, start, block.target_length, block.document_stop)
    length = stop - start
    # One sentence alone is A: `integers(1, 2)` is 1.
    num_a = integers(1, np.maximum(length, 2), seed, Stream.SEGMENT_SPLIT, epoch, start)
    coin = uniform(seed, Stream.NEXT_SENTENCE, epoch, start) < 0.5
    is_random = coin | (length == 1)
    used = follow(np.where(is_random, num_a, length))
    return _Chunks(
        start[used],
        start[used] + num_a[used],
        stop[used],
        is_random[used],
        block.document[used],
        block.target_length[used],
    )


def _random_segments(
    source: TokenSource,
    chunks: _Chunks,
    random: NDArray[np.int64],
    documents: NDArray[np.int64],
    seed: int,
    epoch: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First sentence of a random B for each of the chunks `random`, and one past its last."""
    offsets, start = source.sentence_offsets, chunks.start[random]
    document = _random_documents(documents, chunks.document[random], start, seed, epoch)
    first, stop = source.document_offsets[document], source.document_offsets[document + 1]
    b_start = integers(first, stop, seed, Stream.RANDOM_SENTENCE, epoch, start)
    a_length = offsets[chunks.a_stop[random]] - offsets[start]
    # A can be longer than the target; B has a sentence all the same.
    room = np.maximum(chunks.target_length[random] - a_length, 1)
    return b_start, first_reaching(offsets, b_start, room, stop)


def _random_documents(
    documents: NDArray[np.int64],
    own: NDArray[np.int64],
    start: NDArray[np.int64],
    seed: int,
    epoch: int,
) -> NDArray[np.int64]:
    """A random one of `documents` for every chunk; ten tries to find one that isn't its own."""

    def draw(which: NDArray[np.int64], attempt: int) -> NDArray[np.int64]:
        chosen = integers(
            0, len(documents), seed, Stream.RANDOM_DOCUMENT, epoch, start[which], attempt
        )
        return documents[chosen]

    again = np.arange(len(own))
    chosen = np.empty_like(own)
    for attempt in range(_RANDOM_DOCUMENT_TRIES):
        chosen[again] = draw(again, attempt)
        again = again[chosen[again] == own[again]]
    return chosen
