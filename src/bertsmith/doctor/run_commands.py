"""The commands that findings about a run name: how it goes on, or is made again otherwise."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bertsmith.doctor.learning_rates import hidden_size, highest_rate, sound_rate
from bertsmith.training import RunFolder, RunLog, launcher

__all__ = ["FEW_UPDATES", "RunCommands"]

# In fewer the rate is hardly up, and no embedding moves from where it was drawn.
_FEWEST_UPDATES = 100
_WARMUP, _FROZEN = "training.warmup_ratio", "training.freeze_layers"
#: Where fresh weights have mostly left the plateau; with fewer a run is short.
FEW_UPDATES = 5_000


class RunCommands:
    """A run, and the commands that make such a run again.

    Args:
        run: its recipe and log.
    """

    def __init__(self, run: RunLog) -> None:
        self.run = run

    @property
    def is_pretraining(self) -> bool:
        """Whether it is a pre-training run."""
        return self.run.is_pretraining

    @property
    def learning_rate(self) -> float:
        """The peak learning rate of the recipe."""
        return float(self.run.setting("training.learning_rate", 0.0))

    @property
    def highest_rate(self) -> float:
        """The peak learning rate over which such a run rarely learns anything."""
        return highest_rate(self.run)

    @property
    def sound_rate(self) -> float:
        """A peak learning rate with which such a run mostly learns."""
        return sound_rate(self.run)

    @property
    def hidden_size(self) -> int:
        """The hidden size that the recipe of a pre-training run gives."""
        return hidden_size(self.run)

    def fact(self, name: str) -> Any:
        """What the log says about the start; None where it doesn't."""
        return self.run.facts.get(name)

    def go_on(self) -> str:
        """The command with which the run goes on."""
        return self._command(self._start(), (), self.run.path)

    def again(self, *changes: str) -> str:
        """The command that makes such a run with other settings, each `path=value`."""
        return self._command(self._start(), [*self._mended(changes), *changes])

    def _start(self) -> list[str]:
        if self.is_pretraining:
            init = self.run.of_run("init")
            start = ["pretrain", self.store, *([] if init is None else ["--init", str(init)])]
        else:
            source = str(self.run.of_run("model.source") or "MODEL")
            files = list(self.run.of_run("data") or {"DATA": ""})
            start = ["finetune", str(self.run.task), "--model", source]
            # Of a single file a tenth is held out, the same one whether it or its folder is given.
            start += ["--data", files[0] if len(files) == 1 else str(Path(files[0]).parent)]
            start += ["--from-scratch"] if self.run.of_run("from_scratch") else []
        return start

    def without_pairs(self) -> str:
        """The command that makes such a pre-training run of single segments."""
        order = self.run.setting("examples.pair_labels") == "order"
        further = ("examples.pair_labels=random",) if order else ()  # single ones have no order
        return self.again("examples.next_sentence=false", *further)

    @property
    def enough_updates(self) -> int:
        """How many updates findings advise, all of them the same, where more are needed.

        Ten times as many as there were, but no fewer than tell whether the model learns, and no
        more than are needed for that.
        """
        done = self.run.step
        return max(FEW_UPDATES, min(10 * done, 10 * FEW_UPDATES), 2 * done)

    def longer(self, num_steps: int | None = None) -> str:
        """The command that makes such a pre-training run of so many updates, or of enough.

        A run that will have enough of them needs only to go on.
        """
        if num_steps is None and self.is_under_way:
            return self.go_on()
        num_steps = num_steps or self.enough_updates
        warmup = self.run.setting("training.num_warmup_steps") or 0
        fits = () if warmup <= num_steps / 2 else self._unset("training.num_warmup_steps")
        return self.again(*fits, f"training.num_steps={num_steps}", "training.budget_seconds=null")

    def slower(self, divisor: float, *changes: str) -> str:
        """The command that makes such a run with a lower learning rate, one that trains.

        Args:
            divisor: what the rate is divided by, unless it is over all that such runs bear.
            *changes: other settings, each `path=value`.
        """
        return self.again(self._lower(divisor), *changes)

    def pretrained(self) -> str:
        """The command that makes such a fine-tuning run from the model's own weights."""
        return self.again().replace(" --from-scratch ", " ", 1)

    def with_other_seed(self) -> str:
        """The command that makes such a run with another seed."""
        return self.again(f"training.seed={self.run.setting('training.seed', 0) + 1}")

    def warmed_up(self) -> str:
        """The command that makes such a run with the learning rate rising at first."""
        return self.again(*self._unset("training.num_warmup_steps"), f"{_WARMUP}=0.05")

    def lengthened(self, max_seq_length: int) -> str:
        """The command that goes on from this run's model with examples of another length.

        A tenth of all updates, as in the paper, but some hundred at least. A run that was stopped
        has no model: then it is from the newest checkpoint, and without one, or where what was
        learned is of no use, from the start.
        """
        changes = (
            "phases=null",
            f"examples.max_seq_length={max_seq_length}",
            *self._unset("examples.max_predictions_per_seq"),
            *self._unset(_FROZEN),  # the positions are among what is frozen
            *self._fitting(max_seq_length),
        )
        model = self._model()
        if model is None or self.is_useless:
            return self.again(*changes)
        if self.run.setting("model.position_init") == "sinusoidal":  # the model brings its own
            changes += ("model.position_init=normal",)
        changes += (
            *self._unset("training.num_warmup_steps"),
            *self._unset("training.budget_seconds"),
            f"training.num_steps={max(_FEWEST_UPDATES, self.run.step // 9)}",
        )
        start = ["pretrain", self.store, "--init", str(model)]
        return self._command(start, [*self._mended(changes), *changes])

    def _fitting(self, max_seq_length: int) -> tuple[str, ...]:
        """Micro-batches of as many tokens as before, where sequences get longer."""
        micro = int(self.run.setting("training.micro_batch_size", 32))
        length = int(self.run.setting("examples.max_seq_length", max_seq_length))
        phases: list[Mapping[str, Any]] = self.run.setting("phases") or [{}]
        tokens = max(
            (phase.get("micro_batch_size") or micro) * (phase.get("max_seq_length") or length)
            for phase in phases
        )
        fitting = max(1, tokens // max_seq_length)
        return (f"training.micro_batch_size={fitting}",) if fitting < micro else ()

    @property
    def longest(self) -> int | None:
        """The most tokens that an example may have, in any phase."""
        phases = self.run.setting("phases") or []
        lengths = [phase.get("max_seq_length") for phase in phases]
        lengths.append(self.run.setting("examples.max_seq_length"))
        return max((length for length in lengths if length), default=None)

    def _model(self) -> Path | None:
        """Where the newest weights are that `--init` takes."""
        if (self.run.path / "config.json").exists():
            return self.run.path
        return next(iter(RunFolder(self.run.path).checkpoints()), None)

    @property
    def is_under_way(self) -> bool:
        """Whether the run will have enough updates if it goes on; told by measures."""
        return False

    @property
    def is_useless(self) -> bool:
        """Whether no weights of the run are of use, nor its learning rate; told by measures."""
        return False

    @property
    def is_timid(self) -> bool:
        """Whether the learning rate is so low that nothing was learned; told by measures."""
        return False

    @property
    def lacks_warmup(self) -> bool:
        """Whether fresh weights met a high rate in their first update; told by measures."""
        return False

    def _mended(self, changes: Sequence[str]) -> list[str]:
        """What else was wrong with the run's rate, or was frozen: no command repeats that."""
        chosen = {change.partition("=")[0] for change in changes}
        mended = []
        if "training.learning_rate" not in chosen:
            if self.is_useless:
                mended.append(self._lower(3))
            elif self.is_timid:
                mended.append(f"training.learning_rate={self.sound_rate:.2g}")
        if self.lacks_warmup and not chosen & {"training.num_warmup_steps", _WARMUP}:
            mended += [*self._unset("training.num_warmup_steps"), f"{_WARMUP}=0.05"]
        if self.has_fresh_layers and _FROZEN not in chosen:
            mended += self._unset(_FROZEN)
        return mended

    @property
    def has_fresh_layers(self) -> bool:
        """Whether the run started from weights that no other run had trained."""
        if self.is_pretraining:
            return self.run.of_run("init") is None
        return bool(self.run.of_run("from_scratch"))

    def _lower(self, divisor: float) -> str:
        rate = self.learning_rate
        lower = self.sound_rate if rate > self.highest_rate else rate / divisor
        return f"training.learning_rate={lower:.2g}"

    def _unset(self, path: str) -> tuple[str, ...]:
        return () if self.run.setting(path) is None else (f"{path}=null",)

    def _command(
        self, start: Sequence[str], changes: Sequence[str], folder: Path | None = None
    ) -> str:
        changes = sorted(changes)  # the same settings are the same command, whatever found them
        options = [part for change in changes for part in ("--set", change)]
        recipe = ["--recipe", str(self.run.path / "recipe.yaml")]
        words = shlex.join([*start, *recipe, *options, "-o", str(folder or self._beside(changes))])
        return f"{launcher(self.fact('processes') or 1)} {words}"

    def _beside(self, changes: Sequence[str]) -> Path:
        """A folder beside the run's, named by what is otherwise: no two commands share one."""
        path = self.run.path if self.run.path.name not in ("", "..") else self.run.path.resolve()
        words = [path.name]
        for change in changes:
            setting, _, value = change.partition("=")
            words += [setting.rpartition(".")[2], value] if value != "null" else []
        return path.with_name("-".join(words if len(words) > 1 else [*words, "again"]))

    @property
    def store(self) -> str:
        """The store's folder."""
        return str(self.fact("store") or "STORE")
