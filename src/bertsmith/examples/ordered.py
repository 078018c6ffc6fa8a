"""Pairs for sentence-order prediction: two segments that follow each other, or are swapped."""

import numpy as np
from numpy.typing import NDArray

from bertsmith.examples.hashing import Stream, integers, uniform
from bertsmith.examples.sentences import SentenceBlock, first_reaching, follow
from bertsmith.examples.settings import ExampleSettings
from bertsmith.examples.source import TokenSource
from bertsmith.examples.spans import ExampleSpans
from bertsmith.examples.trimming import trimmed_pairs

__all__ = ["plan_ordered"]


def plan_ordered(
    source: TokenSource,
    block: SentenceBlock,
    documents: NDArray[np.int64],
    settings: ExampleSettings,
    seed: int,
    epoch: int,
) -> ExampleSpans:
    """Cuts a block of documents into pairs (A, B) of text in a row, half of them swapped.

    Sentences are gathered until the target length is reached or the document ends, and cut in two
    at a random sentence. By a fair coin the two halves are swapped, which is label 1. Then they are
    trimmed as `plan_pairs` does it.

    **Source**: Lan et al., "ALBERT", 2020, section 3.1; `create_instances_from_document` of
    google-research/albert without `random_next_sentence`.
    **Differs**: where one sentence alone is gathered, ALBERT's code gives it a random second
    segment and label 1, as if it were swapped. Here label 1 always means swapped: at least two
    sentences are gathered, a last sentence that would be left over goes to the ones before it, and
    a document of one sentence is left out.

    Args:
        source: the token store.
        block: sentences of some of the documents.
        documents: not used; the signature is that of `plan_pairs`.
        settings: lengths and probabilities.
        seed: the run's seed.
        epoch: number of the pass, from 0.
    """
    offsets, start = source.sentence_offsets, block.sentence
    stop = first_reaching(offsets, start, block.target_length, block.document_stop)
    stop = np.minimum(np.maximum(stop, start + 2), block.document_stop)
    stop = np.where(block.document_stop - stop == 1, block.document_stop, stop)
    used = follow(stop - start)
    start, stop = start[used], stop[used]
    # What is left of a document is never one sentence, so this is a document of one.
    is_pair = stop - start > 1
    start, stop = start[is_pair], stop[is_pair]

    middle = start + integers(1, stop - start, seed, Stream.SEGMENT_SPLIT, epoch, start)
    is_swapped = uniform(seed, Stream.SENTENCE_ORDER, epoch, start) < 0.5
    a = np.where(is_swapped, middle, start), np.where(is_swapped, stop, middle)
    b = np.where(is_swapped, start, middle), np.where(is_swapped, middle, stop)
    draw = seed, epoch, start
    return trimmed_pairs(offsets, a, b, is_swapped, settings.max_text_tokens, draw)
