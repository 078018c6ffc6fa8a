"""Where an epoch's examples lie in the store."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bertsmith.errors import StoreError
from bertsmith.examples.ordered import plan_ordered
from bertsmith.examples.pairs import plan_pairs
from bertsmith.examples.sentences import sentence_blocks
from bertsmith.examples.settings import ExampleSettings
from bertsmith.examples.singles import plan_singles
from bertsmith.examples.source import TokenSource
from bertsmith.examples.spans import ExampleSpans

__all__ = ["PairPlan", "plan_epoch"]

_PLANS = {"random": plan_pairs, "order": plan_ordered, None: plan_singles}


@dataclass(frozen=True)
class PairPlan:
    """All examples of one epoch, as spans of the store, in the order of its documents.

    Attributes:
        settings: the settings it was made with.
        seed: the seed it was made with.
        epoch: the epoch, from 0.
        spans: the segments, [examples].
    """

    settings: ExampleSettings
    seed: int
    epoch: int
    spans: ExampleSpans

    def __len__(self) -> int:
        """Number of examples in the epoch."""
        return len(self.spans)


def plan_epoch(
    source: TokenSource,
    documents: NDArray[np.int64],
    settings: ExampleSettings,
    seed: int,
    epoch: int,
) -> PairPlan:
    """Cuts documents into the examples of one epoch: a pure function of its arguments.

    **Source**: `create_instances_from_document` of google-research/bert, in distribution.
    **Differs**: random second segments come from all of `documents`, not from one file of them.

    Args:
        source: the token store.
        documents: ids of the documents to use (one side of `split_documents`), [documents].
        settings: how examples are cut.
        seed: the run's seed.
        epoch: number of the pass over the documents, from 0; every epoch is cut anew.

    Raises:
        StoreError: there are no documents, or one is without a sentence, or a sentence without a
            token; or no document has the two sentences that `pair_labels=order` needs.
    """
    documents = np.asarray(documents, dtype=np.int64)
    _check(source, documents)
    plan = _PLANS[settings.pair_labels if settings.next_sentence else None]
    blocks = sentence_blocks(source, documents, settings, seed, epoch)
    parts = [plan(source, block, documents, settings, seed, epoch) for block in blocks]
    spans = ExampleSpans.concatenate(parts)
    if not len(spans):
        raise StoreError(
            "no document has two sentences, which pair_labels=order needs",
            fix="give longer documents, or set pair_labels=random or next_sentence=false",
        )
    return PairPlan(settings, seed, epoch, spans)


def _check(source: TokenSource, documents: NDArray[np.int64]) -> None:
    if not len(documents):
        raise StoreError("no document to make examples from", fix="give a corpus with more text")
    fix = "prepare the store again"
    if np.any(source.document_offsets[documents + 1] <= source.document_offsets[documents]):
        raise StoreError("a document without a sentence", fix=fix)
    if np.any(np.diff(source.sentence_offsets) < 1):
        raise StoreError("a sentence without a token", fix=fix)
