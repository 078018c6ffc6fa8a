"""Batches of a finite set of examples, shuffled anew in every epoch."""

from collections.abc import Callable, Generator, Sequence
from typing import Any, Generic, TypeVar

import numpy as np

from bertsmith.errors import RecipeError
from bertsmith.examples import epoch_order
from bertsmith.model.packing import PackedSequences

__all__ = ["EpochBatches"]

Feature = TypeVar("Feature")


class EpochBatches(Generic[Feature]):
    """Micro-batches by step: a pure function of features, sizes, seed and step.

    The last batch of an epoch is smaller where the sizes don't divide; no batch spans two epochs.
    Every rank gets an equal part of a batch. Where the last one can't be divided, all ranks get the
    whole of it: sums and counts then grow alike, and the mean is the same.

    Args:
        features: what is trained on, at least one.
        collate: features to a packed batch.
        global_batch_size: features per optimizer update, over all ranks.
        micro_batch_size: features per forward pass.
        seed: decides the order.
        rank: number of this process, in [0, world_size).
        world_size: number of processes.

    Raises:
        RecipeError: the global batch can't be divided evenly.

    Example:
        >>> batches = EpochBatches([[2, 5, 3], [2, 6, 3], [2, 7, 3]], PackedSequences.from_lists,
        ...                        global_batch_size=2, micro_batch_size=2, seed=0)
        >>> batches.steps_per_epoch
        2
        >>> [batch.batch_size for batch in batches.micro_batches(0) + batches.micro_batches(1)]
        [2, 1]
    """

    def __init__(
        self,
        features: Sequence[Feature],
        collate: Callable[[list[Feature]], PackedSequences],
        *,
        global_batch_size: int,
        micro_batch_size: int,
        seed: int,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        if global_batch_size % world_size:
            raise RecipeError(
                f"{global_batch_size} sequences can't be divided over {world_size} processes",
                where="training.global_batch_size",
                fix=f"use a multiple of {world_size}",
            )
        self.features, self.collate = features, collate
        self.global_batch_size, self.micro_batch_size = global_batch_size, micro_batch_size
        self.seed, self.rank, self.world_size = seed, rank, world_size
        self._order: tuple[int, np.ndarray] | None = None

    @property
    def steps_per_epoch(self) -> int:
        """Optimizer updates in one pass over the features."""
        return -(-len(self.features) // self.global_batch_size)

    def steps(
        self, first_step: int, fraction: Callable[[], float]
    ) -> Generator[list[PackedSequences], None, None]:
        """Yields the micro-batches of one step after another, without end."""
        step = first_step
        while True:
            yield self.micro_batches(step)
            step += 1

    def phase_at(self, fraction: float) -> int:
        """Always 0: the run is one phase."""
        return 0

    def examples(self, step: int) -> list[tuple[int, int]]:
        """Which features a step's global batch has: (epoch, index among the features) each."""
        epoch, place = divmod(step, self.steps_per_epoch)
        if self._order is None or self._order[0] != epoch:
            self._order = (epoch, epoch_order(len(self.features), self.seed, epoch))
        start = place * self.global_batch_size
        chosen = self._order[1][start : start + self.global_batch_size].tolist()
        return [(epoch, index) for index in chosen]

    def begins_phase(self, step: int) -> bool:
        """Never: all steps are alike."""
        return False

    def is_whole_on_all(self, step: int) -> bool:
        """Whether the batch can't be divided, as the last of an epoch may be."""
        return len(self.examples(step)) % self.world_size > 0

    def epochs(self, step: int) -> float:
        """How often the features have been gone through after `step` updates."""
        return step / self.steps_per_epoch

    def state(self) -> dict[str, Any]:
        """Nothing: any step is found by arithmetic."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Does nothing, see `state`."""

    def micro_batches(self, step: int) -> list[PackedSequences]:
        """This rank's part of a step's global batch."""
        chosen = [index for _, index in self.examples(step)]
        if not self.is_whole_on_all(step):
            share = len(chosen) // self.world_size
            chosen = chosen[self.rank * share : (self.rank + 1) * share]
        return [
            self.collate([self.features[i] for i in chosen[at : at + self.micro_batch_size]])
            for at in range(0, len(chosen), self.micro_batch_size)
        ]
