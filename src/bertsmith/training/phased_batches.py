"""The batches of a pre-training run, phase after phase."""

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bertsmith.batches import PretrainingBatch, PretrainingBatches, rank_share
from bertsmith.errors import RecipeError
from bertsmith.examples import TokenSource
from bertsmith.training.distributed import Ranks
from bertsmith.training.phases import Phase, phase_at

__all__ = ["PhasedBatches"]


class PhasedBatches:
    """Pre-training batches in the form that the loop asks for.

    Every phase begins with its own step 0. When it begins is up to the loop: with a number of
    steps at a fixed one, with a budget when the time has come.

    Args:
        source: the token store.
        documents: ids of the documents to train on.
        phases: in their order, at least one.
        seed: the run's seed; each phase has another, so that none repeats the one before it.
        ranks: the processes that share each global batch.

    Raises:
        RecipeError: a phase's global batch can't be divided evenly, or no text is enough for one.

    Attributes:
        phase: the phase that the last batch was of.
    """

    def __init__(
        self,
        source: TokenSource,
        documents: NDArray[np.int64],
        phases: Sequence[Phase],
        seed: int,
        ranks: Ranks | None = None,
    ) -> None:
        self._ranks = ranks or Ranks()
        self._source, self._documents, self._phases, self._seed = source, documents, phases, seed
        for phase in phases:  # the last one's error must not wait until its time has come
            rank_share(phase.global_batch_size, self._ranks.world_size)
            self._refuse_too_large(phase.global_batch_size)
        self._before: tuple[int, int] | None = None
        self._enter(0, first_step=0, epochs_before=0.0)

    def steps(
        self, first_step: int, fraction: Callable[[], float]
    ) -> Generator[list[PretrainingBatch], None, None]:
        """Yields the micro-batches of one optimizer update after another, see `StepBatches`."""
        step = first_step
        while True:
            number = self.phase_at(fraction())
            if number != self._number:
                self._before = self._first_step, self._number
                self._enter(number, first_step=step, epochs_before=self.epochs(step))
            batches = self._batches.steps(
                step - self._first_step,
                micro_batch_size=self.phase.micro_batch_size,
                rank=self._ranks.rank,
                world_size=self._ranks.world_size,
                pin_memory=self._ranks.device.type == "cuda",
            )
            with closing(batches):
                for micro_batches in batches:
                    yield micro_batches
                    step += 1
                    if self.phase_at(fraction()) != number:
                        break

    def phase_at(self, fraction: float) -> int:
        """The number of the phase that an update belongs to, see `StepBatches`."""
        return phase_at(self._phases, fraction)

    @property
    def epoch_length(self) -> int:
        """Examples of an epoch of this phase."""
        return self._batches.epoch_length

    def begins_phase(self, step: int) -> bool:
        """Whether the step is the first of its phase, and that isn't the run's first."""
        return 0 < step == self._first_step

    def is_whole_on_all(self, step: int) -> bool:
        """Never: all global batches can be divided."""
        return False

    def epochs(self, step: int) -> float:
        """How often the text has been gone through after `step` updates, over all phases."""
        num_steps = step - self._first_step
        if num_steps == 0:  # the length of an epoch needn't be known
            return self._epochs_before
        return self._epochs_before + num_steps * self.phase.global_batch_size / self.epoch_length

    def examples(self, step: int) -> list[tuple[int, int]]:
        """Which examples a step of this phase, or of the one before, has: (epoch, index)."""
        first_step, batches = self._first_step, self._batches
        if step < first_step and self._before is not None:
            first_step, number = self._before
            batches = self._batches_of(number)  # anew: what they have planned takes much memory
        return [(epoch, i) for epoch, i in batches.global_indices(step - first_step).tolist()]

    def state(self) -> dict[str, Any]:
        """Which phase the run is in, when it began and after how many epochs, and the position."""
        return {
            **self._batches.state(),
            "phase": self._number,
            "phase_first_step": self._first_step,
            "epochs_before": self._epochs_before,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Takes up what `state` returned.

        Raises:
            CheckpointError: it comes from other documents, settings or another seed.
        """
        self._enter(
            state.get("phase", 0),
            first_step=state.get("phase_first_step", 0),
            epochs_before=state.get("epochs_before", 0.0),
        )
        self._batches.restore(state)

    def _refuse_too_large(self, global_batch_size: int) -> None:
        """Refuses what is never made: all of an update's examples are, before the first is used."""
        num_tokens = int(self._source.sentence_offsets[-1])
        if global_batch_size > num_tokens:
            raise RecipeError(
                f"{global_batch_size:,} sequences in an update are more than the text has tokens, "
                f"{num_tokens:,}",
                where="training.global_batch_size",
                fix="give fewer",
            )

    def _enter(self, number: int, first_step: int, epochs_before: float) -> None:
        self._number, self._first_step = number, first_step
        self._epochs_before = epochs_before
        self.phase = self._phases[number]
        self._batches = self._batches_of(number)

    def _batches_of(self, number: int) -> PretrainingBatches:
        phase = self._phases[number]
        return PretrainingBatches(
            self._source,
            self._documents,
            phase.examples,
            global_batch_size=phase.global_batch_size,
            seed=(self._seed + number) % 2**63,
        )
