"""Batches: packed tensors of examples, by step and resumable."""

from bertsmith.batches.grouping import length_sorted_batches
from bertsmith.batches.labelled_batch import LabelledBatch
from bertsmith.batches.prefetch import prefetched
from bertsmith.batches.pretraining_batch import PretrainingBatch
from bertsmith.batches.pretraining_batches import (
    PretrainingBatches,
    evaluation_batches,
    rank_share,
)
from bertsmith.batches.stream import ExampleStream

__all__ = [
    "ExampleStream",
    "LabelledBatch",
    "PretrainingBatch",
    "PretrainingBatches",
    "evaluation_batches",
    "length_sorted_batches",
    "prefetched",
    "rank_share",
]
