"""The training loop: the same for pre-training and for every fine-tuning task."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from itertools import chain
from pathlib import Path

from torch import nn

from bertsmith._progress import progress
from bertsmith.model import PackedSequences
from bertsmith.model.triton_ops import why_no_triton
from bertsmith.objectives import Objective
from bertsmith.training.agreement import Agreement
from bertsmith.training.checkpoint import SaveModel, load_training_state
from bertsmith.training.conditions import changed_conditions
from bertsmith.training.course import Course
from bertsmith.training.cpu import keep_freed_memory, slowness
from bertsmith.training.distributed import Ranks
from bertsmith.training.evaluator import Evaluator
from bertsmith.training.full_tensors import whole
from bertsmith.training.interfaces import Evaluation, StepBatches
from bertsmith.training.interruption import BrokenOff, Interrupted, stop_on_signals
from bertsmith.training.lost_models import replaces_model, restore_small_files
from bertsmith.training.meter import Meter, shown_machine
from bertsmith.training.model_stamp import ModelStamp
from bertsmith.training.random_states import seed_rank
from bertsmith.training.replicas import reunite
from bertsmith.training.run_folder import RunFolder
from bertsmith.training.saver import CheckpointSaver
from bertsmith.training.schedule import Horizon
from bertsmith.training.settings import LoopSettings
from bertsmith.training.skips import SkipRecord
from bertsmith.training.snapshot import TrainingState
from bertsmith.training.trackers import TrackedRun, tracking
from bertsmith.training.update import Updater
from bertsmith.training.window import Window, shown_means

__all__ = ["Trainer"]


class Trainer:
    """Trains a model on an objective until its horizon, and can be stopped and resumed anywhere.

    Args:
        model: what is trained, on the device where it shall train.
        objective: model and micro-batch to measures.
        batches: micro-batches by step.
        settings: optimizer, schedule, precision, logging.
        horizon: when the run ends.
        run: the run's folder.
        save_model: writes the model folder (weights, config, tokenizer).
        evaluation: how often the model is evaluated.
        description: what the progress bar says.
        warn: is told, in one line each, about what goes wrong or makes it slow.
        facts: gives what else the log says about the run when it starts.
        ranks: the processes that train together; they agree on time and on when to stop.
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
        save_model: SaveModel,
        evaluation: Evaluation,
        description: str,
        warn: Callable[[str], None],
        facts: Callable[[], Mapping[str, float | int | str]] = dict,
        ranks: Ranks | None = None,
    ) -> None:
        self.ranks, self.warn = ranks or Ranks(), warn
        self.model, self.batches = model, batches
        self.settings, self.run, self.description = settings, run, description
        self.save_model = save_model
        self.course = Course(settings, horizon, evaluation.times)
        self.update = Updater(model, objective, settings, self.ranks)
        self.saver = CheckpointSaver(run, settings, save_model, self.ranks)
        self.skips = SkipRecord(
            run,
            batches,
            settings.max_skipped_updates,
            self.ranks,
            warn=warn,
            settle=self.saver.wait,
        )
        self.evaluator = Evaluator(
            evaluation,
            self.course,
            run,
            keep_model=self._save_model,
            keep_time=self._keep_time,
            way_on=self.skips.way_on,
        )
        self.meter = Meter(model, objective, self.update.device, self.update.precision)
        self.facts = facts
        self.state = TrainingState()
        if not self.ranks.is_first:  # dropout must not be the same everywhere
            seed_rank(settings.seed, 0, self.ranks)

    def resume(self, checkpoint: Path) -> None:
        """Restores optimizer, random states and position; the model was loaded from there."""
        self.state, tensors = load_training_state(
            checkpoint, self.model, self.update.optimizer, self.ranks, seed=self.settings.seed
        )
        self.update.guard.restore(tensors)
        self.batches.restore(self.state.batches)
        self.update.scaler.restore(self.state.loss_scaler)
        step, due = self.state.step, self.state.due_evaluation is not None
        if self.state.best_score is not None and self.ranks.on_first(
            lambda: self._replaces_model(checkpoint, step, evaluates_again=due)
        ):
            self.state.best_score = None  # any is better
            self._evaluate_at_the_end()
        best = self.state.best_step
        if best is not None and not self.ranks.on_first(self.run.checkpoint_path(best).exists):
            # It was deleted, or a later one had taken its place, and is lost.
            self.warn(
                f"{self.run.checkpoint_path(best)}: the best checkpoint is gone; the next "
                "evaluation names another"
            )
            self.state.best_step = self.state.best_loss = None
            self._evaluate_at_the_end()
        self.run.take_log_from(checkpoint, self.warn)
        due = self.state.due_evaluation is not None
        self.run.forget_after(step, evaluates_again=due)
        if not self.ranks.on_first(lambda: self._is_evaluated(step)):
            self._evaluate_at_the_end()

    def _replaces_model(self, checkpoint: Path, step: int, *, evaluates_again: bool) -> bool:
        if replaces_model(self.run, step, self.warn, evaluates_again=evaluates_again):
            return True
        restore_small_files(self.run.path, checkpoint, self.warn)
        return False

    def _is_evaluated(self, step: int) -> bool:
        evaluated = (r["step"] for r in self.run.read_metrics() if r["kind"] == "evaluation")
        return step in evaluated

    def _evaluate_at_the_end(self) -> None:
        """Has a run evaluate once more that needs it, where no update is left to come before."""
        if self._fraction() >= 1.0 and self.state.due_evaluation is None:
            self.state.due_evaluation = self.state.batches.get("phase", 0)

    def train(self) -> TrainingState:
        """Runs to the horizon and leaves the model in the run's folder.

        Raises:
            Interrupted: a signal asked to stop; a checkpoint was written.
            TrainingError: too many updates had to be skipped, or the model gives no numbers.
            CheckpointError: a checkpoint couldn't be written.
        """
        if self.update.device.type == "cpu":
            keep_freed_memory()
            if note := slowness(self.update.precision):
                self.warn(note)
        elif self.update.device.type == "cuda" and (reason := why_no_triton()):
            self.warn(f"training goes without Triton's kernels, more slowly: {reason}")
        facts = {**self.facts(), **self.meter.facts(), "processes": self.ranks.world_size}
        self._tell_of_other_conditions(facts)
        tracked = TrackedRun(self.run.path, self.run.read_recipe(), self.state.step)
        with (
            tracking(self.settings.trackers, tracked, self.warn) as self.run.listeners,
            stop_on_signals(is_one_of_several=self.ranks.world_size > 1) as stop,
            self.saver,
            progress(
                self.description,
                total=self.course.horizon.total,
                unit=self.course.horizon.unit,
                done=self.course.done(self.state),
            ) as bar,
            # A batch that is being made when the process ends would abort it, see `leave_at_once`.
            closing(self.batches.steps(self.state.step, self._fraction)) as batches,
        ):
            self.agreed = Agreement(self.ranks, stop, self.saver.is_due, self._started())
            self.ranks.wait()
            self.run.log("start", self.state.step, seconds=round(self.state.seconds, 3), **facts)
            if self.state.due_evaluation is not None:
                # Before a batch is taken: with it the next phase may begin.
                is_best = self._evaluate(self.state.due_evaluation)
                self._checkpoint(Window(self.state.step + 1), self._fraction(), is_best)
                self._keep_time()
            steps = self._compiled(batches)
            self.ranks.wait()  # from here on a signal to any of them saves
            self.agreed.started = self._started()  # compilers' time is none of the run's
            window, fraction = Window(self.state.step + 1), self._fraction()
            for micro_batches in self.meter.timed(steps):
                if self._fraction() >= 1.0:
                    break
                before, fraction = fraction, self._fraction()
                phase = self.batches.phase_at(fraction)
                if self.batches.begins_phase(self.state.step):
                    self.update.guard.forget()  # longer sequences have losses of their own
                    self._compile(micro_batches[0], window)
                factor = self.course.learning_rate_factor(fraction)
                window.is_counted = self._counts(self.state.step)
                try:
                    self.update(micro_batches, factor, window, self.agreed.is_stopped)
                except BrokenOff:
                    seconds = self.state.seconds
                    self._keep_time()
                    self.state.seconds = seconds  # an update that wasn't made takes none of them
                    self._checkpoint(window, before, is_best=False)
                self.meter.count(micro_batches)
                if window.is_counted:
                    window.num_tokens += sum(batch.num_tokens for batch in micro_batches)
                self.state.step += 1
                self._keep_time()
                bar.reach(self.course.done(self.state))
                is_due = self.evaluator.is_due(self.state, fraction, self._fraction())
                ends_phase = self.batches.phase_at(self._fraction()) != phase
                is_full = self.state.step % self.settings.log_every_steps == 0
                if is_due or ends_phase or is_full:
                    bar.update(**self._flush(window, fraction))
                    window = Window(self.state.step + 1)
                is_best = False
                if is_due:
                    is_best = self._evaluate(phase)
                    window.started = time.monotonic()
                if self.agreed.must_stop or is_best or self.agreed.must_save:
                    window = self._checkpoint(window, fraction, is_best)
            self.saver.wait()
            self._finish()
            self._keep_time()
            bar.reach(self.course.done(self.state))
        if self.agreed.must_stop:
            raise Interrupted(self.state.step, str(self.run.path), self.agreed.signal_number)
        return self.state

    def _started(self) -> float:
        """When the run would have begun without a stop, by the monotonic clock."""
        return time.monotonic() - self.state.seconds

    def _counts(self, step: int) -> bool:
        """Whether this rank's part of a global batch is no other's too."""
        return self.ranks.is_first or not self.batches.is_whole_on_all(step)

    def _compiled(
        self, batches: Iterator[Sequence[PackedSequences]]
    ) -> Iterator[Sequence[PackedSequences]]:
        """The same batches, when compilers are done with what takes them: see `Updater.warm_up`."""
        if not self.update.compiles or self._fraction() >= 1.0:
            return batches
        first = next(batches)
        self.update.warm_up(first[0])
        return chain([first], batches)

    def _compile(self, batch: PackedSequences, window: Window) -> None:
        """Has compilers do what another phase's sequences need, in none of the run's time."""
        if self.update.compiles:
            started = time.monotonic()
            self.update.warm_up(batch)
            self.ranks.wait()  # another may have more to do
            spent = time.monotonic() - started
            self.agreed.started += spent
            window.started += spent

    def _tell_of_other_conditions(self, facts: Mapping[str, float | int | str]) -> None:
        if self.ranks.is_first:
            on_cpu = self.update.device.type == "cpu"
            log = self.run.read_metrics()
            if note := changed_conditions(log, self.state.step, facts, on_cpu=on_cpu):
                self.warn(note)

    def _flush(self, window: Window, fraction: float) -> dict[str, str]:
        """Writes the window to the log and returns what the progress bar shows."""
        self.skips.note(window.verdicts, window.first_step, self.state)
        means = window.means(self.ranks)
        rate = window.tokens_per_second(self.ranks)
        machine = self.meter.take(time.monotonic() - window.started, is_logged=bool(means))
        if not means:  # all were skipped
            return {}
        self.run.log(
            "train",
            self.state.step,
            **{name: round(value, 6) for name, value in means.items()},
            learning_rate=self.settings.learning_rate * self.course.learning_rate_factor(fraction),
            epochs=round(self.batches.epochs(self.state.step), 4),
            tokens_per_second=round(rate, 1),
            **self.update.scaler.log_values(),
            **machine,
            **self._phase_of_line(self.batches.phase_at(fraction)),
            seconds=round(self.state.seconds, 3),
        )
        return {**shown_means(means), "tokens/s": f"{rate:,.0f}", **shown_machine(machine)}

    def _evaluate(self, phase: int) -> bool:
        """Evaluates the model; returns whether this is a checkpoint to keep."""
        self._reunite()
        line = self._phase_of_line(phase)
        return self.evaluator.evaluate(self.model, self.state, self.agreed, phase, line)

    def _reunite(self) -> None:
        """Has the replicas of all ranks the same again, and tells where they weren't."""
        if others := reunite(self.model, self.update.optimizer, self.ranks):
            which = ", ".join(map(str, others))
            self.warn(
                f"the weights of rank {which} weren't rank 0's to the bit any more after step "
                f"{self.state.step}: its processor rounds otherwise, or its memory fails; all go "
                "on with rank 0's"
            )

    def _phase_of_line(self, phase: int) -> dict[str, int]:
        """What a line says of its phase, where there are several: no clock tells it exactly."""
        return {"phase": phase} if self.batches.phase_at(1.0) > 0 else {}

    def _checkpoint(self, window: Window, fraction: float, is_best: bool) -> Window:
        """Saves, and ends the run if it was asked to stop; returns the window to go on with."""
        if window.verdicts:
            self._flush(window, fraction)
            window = Window(self.state.step + 1)
        if self.skips.last == self.state.step and not (self.agreed.must_stop or is_best):
            return window  # the weights may be at fault: the next update will show
        self._reunite()  # who goes on from here has the first rank's
        self.state.batches = self.batches.state()
        self.state.loss_scaler = self.update.scaler.state()
        guard = self.update.guard.tensors()
        stops = self.agreed.must_stop
        self.saver.save(self.state, self.model, self.update.optimizer, guard, is_awaited=stops)
        window.started = time.monotonic()  # it is empty: what comes next doesn't pay for this
        if stops:
            self.saver.wait()
            folder = self.run.checkpoint_path(self.state.step)
            raise Interrupted(self.state.step, str(folder), self.agreed.signal_number)
        return window

    def _save_model(self) -> None:
        weights = {}
        for name, value in self.model.state_dict().items():
            complete = whole(value)  # of shards one at a time: not all may fit on a device
            if self.ranks.is_first:
                weights[name] = complete.cpu()
        if self.ranks.is_first:
            with self.run.writing(self.run.path):
                self.save_model(self.run.path, weights)
            self.run.note(ModelStamp.of_model_in(self.run.path, self.state.step))

    def _finish(self) -> None:
        self.model.eval()
        if self.evaluator.evaluation.best is None:
            self._save_model()
        self.run.log("end", self.state.step, seconds=round(self.state.seconds, 3))
        self.run.sync_log()
        if stamp := self.run.stamp:
            self.run.note(stamp.ended())

    def _keep_time(self) -> None:
        self.state.seconds = self.agreed.seconds()

    def _fraction(self) -> float:
        return self.course.fraction(self.state)
