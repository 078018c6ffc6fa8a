"""Pre-training batches by step, and the fixed batches of held-out evaluation."""

from collections.abc import Generator, Iterator
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bertsmith.batches.prefetch import prefetched
from bertsmith.batches.pretraining_batch import PretrainingBatch
from bertsmith.batches.stream import ExampleStream
from bertsmith.errors import RecipeError, StoreError
from bertsmith.examples import (
    ExampleSettings,
    TokenSource,
    build_examples,
    epoch_order,
    plan_epoch,
)

__all__ = ["PretrainingBatches", "evaluation_batches", "rank_share"]


class PretrainingBatches:
    """The global batch of any step, whole or as one rank's micro-batches.

    Step `s` has examples `s·G` up to `(s + 1)·G` of the endless stream over epochs, whatever the
    number of ranks: so a run can be resumed at any step, and on another number of ranks.

    Args:
        source: the token store.
        documents: ids of the documents to train on.
        settings: how examples are made.
        global_batch_size: examples per optimizer update G, over all ranks.
        seed: the run's seed.
    """

    def __init__(
        self,
        source: TokenSource,
        documents: NDArray[np.int64],
        settings: ExampleSettings,
        *,
        global_batch_size: int,
        seed: int,
    ) -> None:
        self._stream = ExampleStream(source, documents, settings, seed)
        self.global_batch_size = global_batch_size

    @property
    def epoch_length(self) -> int:
        """Examples of an epoch; for them epoch 0 is planned, if it wasn't yet."""
        return self._stream.epoch_length

    def global_indices(self, step: int) -> NDArray[np.int64]:
        """The global batch of a step as (epoch, index in the epoch's plan), [G, 2]."""
        parts = self._stream.locate(step * self.global_batch_size, self.global_batch_size)
        return np.concatenate(
            [np.stack([np.full_like(indices, epoch), indices], axis=1) for epoch, indices in parts]
        )

    def micro_batches(
        self, step: int, micro_batch_size: int, rank: int = 0, world_size: int = 1
    ) -> list[PretrainingBatch]:
        """One rank's part of a step's global batch.

        Every rank gets equally many batches, so that no collective operation waits for ever.

        Args:
            step: number of the optimizer update, from 0.
            micro_batch_size: most examples in a batch; the last of a step may have fewer.
            rank: number of this process, in [0, world_size).
            world_size: number of processes.

        Raises:
            RecipeError: the global batch can't be divided evenly.
        """
        share = rank_share(self.global_batch_size, world_size)
        first = step * self.global_batch_size + rank * share
        return [
            PretrainingBatch.from_examples(
                self._stream.build(first + start, min(micro_batch_size, share - start))
            )
            for start in range(0, share, micro_batch_size)
        ]

    def steps(
        self,
        first_step: int,
        *,
        micro_batch_size: int,
        rank: int = 0,
        world_size: int = 1,
        prefetch: int = 4,
        pin_memory: bool = False,
    ) -> Generator[list[PretrainingBatch], None, None]:
        """Yields `micro_batches` of `first_step`, of the next step, and so on without end.

        A background thread works `prefetch` steps ahead; it ends when the generator is closed or
        dropped.

        Args:
            first_step: the step to begin with.
            micro_batch_size: see `micro_batches`.
            rank: number of this process.
            world_size: number of processes.
            prefetch: how many steps may wait.
            pin_memory: whether the batches stand ready for copies to a GPU.
        """

        def source() -> Iterator[list[PretrainingBatch]]:
            for step in count(first_step):
                batches = self.micro_batches(step, micro_batch_size, rank, world_size)
                yield [batch.pin_memory() for batch in batches] if pin_memory else batches

        return prefetched(source(), prefetch)

    def state(self) -> dict[str, Any]:
        """What spares a resumed run the planning of past epochs; plain JSON values."""
        return self._stream.state()

    def restore(self, state: dict[str, Any]) -> None:
        """Takes up what `state` returned.

        Raises:
            CheckpointError: it comes from other documents, settings or another seed.
        """
        self._stream.restore(state)


def rank_share(global_batch_size: int, world_size: int) -> int:
    """How many examples of a global batch each of some processes gets.

    Raises:
        RecipeError: it can't be divided evenly.

    Example:
        >>> rank_share(256, world_size=8)
        32
    """
    share, rest = divmod(global_batch_size, world_size)
    if rest:
        raise RecipeError(
            f"{global_batch_size} sequences can't be divided over {world_size} processes",
            where="training.global_batch_size",
            fix=f"use a multiple of {world_size}",
        )
    return share


def evaluation_batches(
    source: TokenSource,
    documents: NDArray[np.int64],
    settings: ExampleSettings,
    *,
    num_examples: int,
    micro_batch_size: int,
    seed: int,
) -> list[PretrainingBatch]:
    """Batches of held-out documents, the same at every call: a shuffled sample of their epoch 0.

    Args:
        source: the token store.
        documents: ids of the held-out documents, at least one.
        settings: how examples are made.
        num_examples: most examples, over all batches.
        micro_batch_size: most examples in a batch.
        seed: decides pairs, masks and the sample.

    Raises:
        StoreError: no document is held out.
    """
    if not len(documents):
        raise StoreError(
            "no document is held out for evaluation", fix="give a corpus of two documents or more"
        )
    plan = plan_epoch(source, documents, settings, seed, epoch=0)
    sample = epoch_order(len(plan), seed, epoch=0)[:num_examples]
    return [
        PretrainingBatch.from_examples(
            build_examples(source, plan, sample[start : start + micro_batch_size])
        )
        for start in range(0, len(sample), micro_batch_size)
    ]
