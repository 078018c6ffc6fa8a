"""What the training loop asks of those who use it: batches by step, and how to evaluate."""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from bertsmith.model.packing import PackedSequences

__all__ = ["Evaluation", "StepBatches"]


class StepBatches(Protocol):
    """Where the loop gets its micro-batches from."""

    def steps(
        self, first_step: int, fraction: Callable[[], float]
    ) -> Generator[Sequence[PackedSequences], None, None]:
        """Yields, from `first_step` on, the micro-batches of one optimizer update after another.

        Args:
            first_step: number of the first update.
            fraction: tells how much of the run is done, in [0, 1]; the batches may follow it.
        """
        ...

    def phase_at(self, fraction: float) -> int:
        """The number of the phase, from 0, that an update belongs to.

        Figures of two phases are never mixed or compared.

        Args:
            fraction: share of the run that is done before the update, in [0, 1].
        """
        ...

    def examples(self, step: int) -> list[tuple[int, int]]:
        """Which examples a step's global batch has: (epoch, index in the epoch) each."""
        ...

    def begins_phase(self, step: int) -> bool:
        """Whether the step, which was yielded last, is the first with examples of another kind."""
        ...

    def is_whole_on_all(self, step: int) -> bool:
        """Whether every rank gets the whole of a step's global batch, which can't be divided."""
        ...

    def epochs(self, step: int) -> float:
        """How often the data have been gone through after `step` updates."""
        ...

    def state(self) -> dict[str, Any]:
        """What helps a resumed run to find its place; plain JSON values, kept in checkpoints."""
        ...

    def restore(self, state: dict[str, Any]) -> None:
        """Takes up what `state` returned."""
        ...


@dataclass(frozen=True)
class Evaluation:
    """How, how often and to what end a run is evaluated.

    Attributes:
        run: evaluates the model as it stands and returns scores by name.
        times: how many evaluations the run has, evenly spread; the last is at its end.
        best: the score (higher is better) by which the model to keep is chosen, or None to keep
            the last.
        best_checkpoint: the loss (lower is better) whose best value's checkpoint is kept whatever
            its age, or None to keep the newest alone. Of the latest phase: losses of different
            phases aren't compared.
        num_updates: tells about how many updates of the phase take as long as one evaluation; by
            that a run by the clock knows whether it has the time for its first one. 0 where that
            isn't known.
    """

    run: Callable[[], dict[str, float]]
    times: int
    best: str | None = None
    best_checkpoint: str | None = None
    num_updates: Callable[[], float] = float
