"""Updates that were skipped: told with their batch, counted, and too many of them stop the run."""

import math
from collections.abc import Callable, Sequence
from itertools import groupby

from bertsmith._words import counted
from bertsmith.errors import TrainingError
from bertsmith.training.checkpoint import is_sound
from bertsmith.training.checkpoint_folders import step_of
from bertsmith.training.distributed import Ranks
from bertsmith.training.guard import SkippedUpdate, Verdict, skipped_updates
from bertsmith.training.interfaces import StepBatches
from bertsmith.training.run_folder import RunFolder
from bertsmith.training.snapshot import TrainingState

__all__ = ["SkipRecord"]

#: How many examples of a batch a line names; the log has all.
_SHOWN = 8


class SkipRecord:
    """What becomes of updates that the guard rejected.

    Args:
        run: where they are logged, as records of kind "skipped".
        batches: says which examples a step had.
        limit: how many a run may have.
        ranks: the processes of the run. All of them note the same; the first one knows what
            stands on the disk, and what is still being written.
        warn: is told about each in one line.
        settle: waits until the checkpoint that is being written stands.

    Attributes:
        last: the step of the last one of this sitting; 0 if there was none.
    """

    def __init__(
        self,
        run: RunFolder,
        batches: StepBatches,
        limit: int,
        ranks: Ranks,
        *,
        warn: Callable[[str], None],
        settle: Callable[[], None],
    ) -> None:
        self.run, self.batches, self.limit, self.ranks = run, batches, limit, ranks
        self.warn, self.settle = warn, settle
        self.last = self._first_of_row = 0

    def note(self, verdicts: Sequence[Verdict], first_step: int, state: TrainingState) -> None:
        """Tells and counts those among some updates that were skipped.

        Args:
            verdicts: of one update after another.
            first_step: the number of the first.
            state: where they are counted.

        Raises:
            TrainingError: there were too many; the message names the last good checkpoint.
        """
        for update in skipped_updates(verdicts, first_step):
            state.num_skipped += 1
            if update.step != self.last + 1:
                self._first_of_row = update.step
            self.last = update.step
            self._tell(update, state)
            if state.num_skipped > self.limit:
                verb = "was" if state.num_skipped == 1 else "were"
                raise TrainingError(
                    f"{counted(state.num_skipped, 'update')} {verb} skipped, the last at step "
                    f"{update.step} "
                    f"({update.reason}), and training.max_skipped_updates is {self.limit}",
                    where=self.run.path,
                    fix=self.way_on(self._first_of_row),
                )

    def way_on(self, first_bad_step: int) -> str:
        """What to do about a run that went astray; all ranks must ask.

        Args:
            first_bad_step: the first update that couldn't be made. A checkpoint is good if an
                update was made from it.
        """
        return self.ranks.on_first(lambda: self._way_on(first_bad_step))

    def _way_on(self, first_bad_step: int) -> str:
        self.settle()
        older = (p for p in self.run.checkpoints() if step_of(p) < first_bad_step - 1)
        good = next(filter(is_sound, older), None)
        if good is None:
            return (
                "there is no good checkpoint; start anew in another output folder with a lower "
                "training.learning_rate"
            )
        return (
            f"the last good checkpoint is {good}: start from it in another output folder "
            "(pretrain --init, finetune --model) with a lower training.learning_rate"
        )

    def _tell(self, update: SkippedUpdate, state: TrainingState) -> None:
        examples = self.batches.examples(update.step - 1)
        self.run.log(
            "skipped",
            update.step,
            reason=update.reason,
            loss=_plain(update.loss),
            grad_norm=_plain(update.grad_norm),
            examples=examples,
            seconds=round(state.seconds, 3),
        )
        epochs = [
            f"epoch {epoch}, examples {' '.join(str(index) for _, index in members)}"
            for epoch, members in groupby(examples[:_SHOWN], key=lambda example: example[0])
        ]
        more = f" ... (all {len(examples)} in {self.run.metrics_path})"
        self.warn(
            f"step {update.step}: the update is skipped ({update.reason}); its batch is "
            f"{'; '.join(epochs)}{more if len(examples) > _SHOWN else ''}"
        )


def _plain(value: float) -> float | str:
    """JSON knows no NaN."""
    return value if math.isfinite(value) else str(value)
