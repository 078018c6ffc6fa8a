"""The training loop: the same for pre-training and for every fine-tuning task."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from torch import nn

from bertsmith._progress import progress
from bertsmith.errors import TrainingError
from bertsmith.model.packing import PackedSequences
from bertsmith.objectives import Objective
from bertsmith.training.checkpoint import TrainingState, load_training_state, save_checkpoint
from bertsmith.training.cpu import keep_freed_memory
from bertsmith.training.interruption import Interrupted, StopRequest, stop_on_signals
from bertsmith.training.run_folder import RunFolder
from bertsmith.training.schedule import ClockHorizon, Horizon, StepHorizon, learning_rate_factor
from bertsmith.training.settings import LoopSettings
from bertsmith.training.update import Updater
from bertsmith.training.window import Window

__all__ = ["Evaluation", "StepBatches", "Trainer"]


class StepBatches(Protocol):
    """Where the loop gets its micro-batches from."""

    def steps(self, first_step: int) -> Iterator[Sequence[PackedSequences]]:
        """Yields, from `first_step` on, the micro-batches of one optimizer update after another."""
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
    """

    run: Callable[[], dict[str, float]]
    times: int
    best: str | None = None


class Trainer:
    """Trains a model on an objective until its horizon, and can be stopped and resumed anywhere.

    Args:
        model: what is trained, on the device where it shall train.
        objective: model and micro-batch to measures.
        batches: micro-batches by step.
        settings: optimizer, schedule, precision, logging.
        horizon: when the run ends.
        run: the run's folder.
        save_model: writes the model folder (weights, config, tokenizer) into a given folder.
        evaluation: how often the model is evaluated.
        description: what the progress bar says.
    """

    def __init__(
        self,
        model: nn.Module,
        objective: Objective,
        batches: StepBatches,
        settings: LoopSettings,
        horizon: Horizon,
        run: RunFolder,
        *,
        save_model: Callable[[Path], None],
        evaluation: Evaluation,
        description: str,
    ) -> None:
        self.model, self.batches = model, batches
        self.settings, self.horizon, self.run = settings, horizon, run
        self.save_model, self.evaluation, self.description = save_model, evaluation, description
        self.update = Updater(model, objective, settings)
        self.state = TrainingState()

    def resume(self, checkpoint: Path) -> None:
        """Restores optimizer, random states and position; the model was loaded from there."""
        self.state = load_training_state(checkpoint, self.model, self.update.optimizer)
        self.batches.restore(self.state.batches)
        self.run.forget_after(self.state.step)

    def train(self) -> TrainingState:
        """Runs to the horizon and leaves the model in the run's folder.

        Raises:
            Interrupted: a signal asked to stop; a checkpoint was written.
            TrainingError: the loss is no number any more.
        """
        if self.update.device.type == "cpu":
            keep_freed_memory()
        self._started = time.monotonic() - self.state.seconds
        self._last_checkpoint = time.monotonic()
        window = Window()
        with (
            stop_on_signals() as stop,
            progress(
                self.description, total=self._total(), unit=self._unit(), done=self._done()
            ) as bar,
        ):
            for micro_batches in self.batches.steps(self.state.step):
                if self._fraction() >= 1.0:
                    break
                before, fraction = self._done(), self._fraction()
                self.update(micro_batches, self._learning_rate_factor(fraction), window)
                self.state.step += 1
                self._keep_time()
                bar.advance(self._done() - before)
                is_due = self._evaluation_is_due(fraction)
                if is_due or self.state.step % self.settings.log_every_steps == 0:
                    bar.update(**self._flush(window, fraction))
                    window = Window()
                if is_due:
                    self._evaluate()
                    window.started = time.monotonic()
                self._checkpoint_if_due(stop, window, fraction)
            self._finish()
        if stop.wanted:
            raise Interrupted(self.state.step, str(self.run.path))
        return self.state

    def _flush(self, window: Window, fraction: float) -> dict[str, str]:
        """Writes the window to the log and returns what the progress bar shows."""
        means = window.means()
        self._require_numbers(means)
        rate = window.tokens_per_second()
        self.run.log(
            "train",
            self.state.step,
            **{name: round(value, 6) for name, value in means.items()},
            learning_rate=self.settings.learning_rate * self._learning_rate_factor(fraction),
            tokens_per_second=round(rate, 1),
            seconds=round(self.state.seconds, 3),
        )
        shown = {
            name.replace("_", " "): f"{value:.1%}" if "accuracy" in name else f"{value:.3f}"
            for name, value in means.items()
        }
        return {**shown, "tokens/s": f"{rate:,.0f}"}

    def _evaluate(self) -> None:
        self.model.eval()
        scores = self.evaluation.run()
        self._require_numbers(scores)
        self._keep_time()
        self.run.log("evaluation", self.state.step, **scores, seconds=round(self.state.seconds, 3))
        if self.evaluation.best is not None:
            score = scores[self.evaluation.best]
            if self.state.best_score is None or score > self.state.best_score:
                self.state.best_score = score
                self.save_model(self.run.path)

    def _require_numbers(self, values: dict[str, float]) -> None:
        """Stops the run before weights that are no numbers are saved anywhere."""
        if all(math.isfinite(value) for value in values.values()):
            return
        checkpoints = self.run.checkpoints()
        last = f" (--init {checkpoints[0]} starts from its last checkpoint)" if checkpoints else ""
        raise TrainingError(
            f"the loss is no number any more at step {self.state.step}",
            where=self.run.path,
            fix=f"lower training.learning_rate and give another output folder{last}",
        )

    def _checkpoint_if_due(self, stop: StopRequest, window: Window, fraction: float) -> None:
        since = time.monotonic() - self._last_checkpoint
        if not stop.wanted and since < self.settings.checkpoint_every_seconds:
            return
        folder = self.run.checkpoint_path(self.state.step)
        if window.sums:
            self._flush(window, fraction)
            window.sums.clear()
            window.counts.clear()
            window.num_tokens, window.started = 0, time.monotonic()
        self.state.batches = self.batches.state()
        save_checkpoint(folder, self.model, self.update.optimizer, self.state, self.save_model)
        self.run.remove_old_checkpoints(self.settings.keep_checkpoints)
        self._last_checkpoint = time.monotonic()
        if stop.wanted:
            raise Interrupted(self.state.step, str(folder))

    def _finish(self) -> None:
        self.model.eval()
        if self.evaluation.best is None:
            self.save_model(self.run.path)
        self.run.log("end", self.state.step, seconds=round(self.state.seconds, 3))

    def _keep_time(self) -> None:
        self.state.seconds = time.monotonic() - self._started

    def _fraction(self) -> float:
        return self.horizon.fraction(self.state.step, self.state.seconds)

    def _evaluation_is_due(self, fraction_before: float) -> bool:
        times = self.evaluation.times
        reached = math.floor(self._fraction() * times + 1e-9)
        return reached > math.floor(fraction_before * times + 1e-9)

    def _learning_rate_factor(self, fraction: float) -> float:
        return learning_rate_factor(fraction, self.settings.warmup_ratio, self.settings.schedule)

    def _unit(self) -> str:
        return "s" if isinstance(self.horizon, ClockHorizon) else "steps"

    def _total(self) -> float:
        if isinstance(self.horizon, ClockHorizon):
            return self.horizon.num_seconds
        if isinstance(self.horizon, StepHorizon):
            return self.horizon.num_steps
        raise TypeError(f"unknown horizon {type(self.horizon).__name__}")

    def _done(self) -> float:
        is_clock = isinstance(self.horizon, ClockHorizon)
        return min(self.state.seconds, self._total()) if is_clock else self.state.step
