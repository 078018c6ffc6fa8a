"""The evaluations of a run: when one is due, what the log says of it, and the model kept for it."""

import math
from collections.abc import Callable, Mapping

from torch import nn

from bertsmith.errors import TrainingError
from bertsmith.training.agreement import Agreement
from bertsmith.training.course import Course
from bertsmith.training.interfaces import Evaluation
from bertsmith.training.run_folder import RunFolder
from bertsmith.training.snapshot import TrainingState

__all__ = ["Evaluator"]


class Evaluator:
    """Evaluates a run's model, logs the scores, and keeps the model where they are the best.

    Args:
        evaluation: what is evaluated, how often, and to what end.
        course: where on the run's way evaluations are.
        run: the run's folder.
        keep_model: saves the model as it stands as the run's.
        keep_time: brings the state's time up to now, for all ranks.
        way_on: says what to do where the weights give no numbers any more, after so many updates.
    """

    def __init__(
        self,
        evaluation: Evaluation,
        course: Course,
        run: RunFolder,
        *,
        keep_model: Callable[[], None],
        keep_time: Callable[[], None],
        way_on: Callable[[int], str],
    ) -> None:
        self.evaluation, self.course, self.run = evaluation, course, run
        self.keep_model, self.keep_time, self.way_on = keep_model, keep_time, way_on
        self._seconds: float | None = None  # that the last one in this sitting took

    def is_due(self, state: TrainingState, before: float, now: float) -> bool:
        """Whether the model is to be evaluated.

        Args:
            state: how far the run is.
            before: the share of the run that was done before the last update.
            now: the share that is done.
        """
        if not self.course.is_evaluation_between(before, now):
            return False
        seconds = self._seconds
        if seconds is None:
            training = state.seconds - state.evaluating_seconds
            seconds = self.evaluation.num_updates() * training / state.step
        return self.course.can_afford_evaluation(state, seconds)

    def evaluate(
        self,
        model: nn.Module,
        state: TrainingState,
        agreed: Agreement,
        phase: int,
        line: Mapping[str, int],
    ) -> bool:
        """Evaluates the model; returns whether this is a checkpoint to keep.

        Who is asked to stop has seconds to save, perhaps, and an evaluation takes longer: it is
        left to the next sitting, which `state.due_evaluation` tells.

        Args:
            model: the model, which is in evaluation mode afterwards.
            state: how far the run is; its times, and what is best, are kept.
            agreed: tells whether somebody asked to stop.
            phase: the phase that the last update was of.
            line: what the log's line says beside the scores.

        Raises:
            TrainingError: the model gives no numbers.
        """
        model.eval()
        started = state.seconds
        scores = agreed.unless_stopped(self.evaluation.run)
        self.keep_time()
        seconds = state.seconds - started
        state.evaluating_seconds += seconds
        state.due_evaluation = phase if scores is None else None
        if scores is None:
            return False
        self._require_numbers(scores, state.step)
        self._seconds = seconds
        is_kept = self._is_best_score(scores, state)
        further = {**line, **({"is_kept": True} if is_kept else {})}
        self.run.log("evaluation", state.step, **scores, **further, seconds=round(state.seconds, 3))
        if is_kept:
            self.run.sync_log()  # whoever finds the model finds what it was kept for
            self.keep_model()
        loss = scores.get(self.evaluation.best_checkpoint or "")
        return loss is not None and state.notes_best(loss, phase)

    def _is_best_score(self, scores: Mapping[str, float], state: TrainingState) -> bool:
        """Notes the score by which a model is kept; returns whether it is the best so far."""
        if self.evaluation.best is None:
            return False
        score = scores[self.evaluation.best]
        if state.best_score is not None and score <= state.best_score:
            return False
        state.best_score = score
        return True

    def _require_numbers(self, scores: Mapping[str, float], step: int) -> None:
        """Stops the run before weights that give no numbers are saved anywhere."""
        if not all(math.isfinite(score) for score in scores.values()):
            raise TrainingError(
                f"the held-out loss is no number any more at step {step}",
                where=self.run.path,
                fix=self.way_on(step),
            )
