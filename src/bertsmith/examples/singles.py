"""Single segments, for pre-training without next-sentence prediction."""

import numpy as np
from numpy.typing import NDArray

from bertsmith.examples.hashing import Stream, integers
from bertsmith.examples.sentences import SentenceBlock, follow
from bertsmith.examples.settings import ExampleSettings
from bertsmith.examples.source import TokenSource
from bertsmith.examples.spans import ExampleSpans

__all__ = ["plan_singles"]


def plan_singles(
    source: TokenSource,
    block: SentenceBlock,
    documents: NDArray[np.int64],
    settings: ExampleSettings,
    seed: int,
    epoch: int,
) -> ExampleSpans:
    """Cuts a block of documents into single segments of whole sentences.

    A segment has as many sentences of one document as fit into the target length, and at least
    one. Of a sentence longer than the maximum it has a window at a random place.

    **Source**: "doc-sentences" of Liu et al., "RoBERTa", 2019, section 4.2; Google's code has no
    such mode.

    Args:
        source: the token store.
        block: sentences of some of the documents.
        documents: not used; the signature is that of `plan_pairs`.
        settings: lengths and probabilities.
        seed: the run's seed.
        epoch: number of the pass, from 0.
    """
    offsets, sentence = source.sentence_offsets, block.sentence
    fitting = np.searchsorted(offsets, offsets[sentence] + block.target_length, side="right") - 1
    stop = np.clip(fitting, sentence + 1, block.document_stop)
    used = follow(stop - sentence)

    start = offsets[sentence[used]]
    length = offsets[stop[used]] - start
    kept = np.minimum(length, settings.max_text_tokens)
    shift = integers(0, length - kept + 1, seed, Stream.WINDOW, epoch, sentence[used])
    nothing = np.zeros(len(used), dtype=np.int64)
    return ExampleSpans(
        start + shift, kept.astype(np.int32), nothing, nothing.astype(np.int32), None
    )
