"""When a run's checkpoints are taken, how they get to the disk, and which of them stay."""

import time
from collections.abc import Mapping
from functools import partial
from types import TracebackType
from typing import Self

import torch
from torch import Tensor, nn

from bertsmith.errors import CheckpointError
from bertsmith.training.background import Background
from bertsmith.training.checkpoint import SaveModel, write_checkpoint
from bertsmith.training.distributed import Ranks
from bertsmith.training.run_folder import RunFolder
from bertsmith.training.settings import LoopSettings
from bertsmith.training.snapshot import Snapshot, Snapshots, TrainingState

__all__ = ["CheckpointSaver"]


class CheckpointSaver:
    """Takes a run's checkpoints: copies everything at once, and writes it in the background.

    One checkpoint at a time: where the last one is still being written, the next waits. An error
    of the writer is raised by the next call here. Leaving the context waits for the writer.

    Args:
        run: where checkpoints stand.
        settings: how often they are taken, and how many stay.
        save_model: writes the model folder.
        ranks: the processes of the run; the first one writes.
    """

    def __init__(
        self,
        run: RunFolder,
        settings: LoopSettings,
        save_model: SaveModel,
        ranks: Ranks | None = None,
    ) -> None:
        self.ranks = ranks or Ranks()
        self.run, self.settings, self.save_model = run, settings, save_model
        self._snapshots = Snapshots(self.ranks)
        self._background = Background("checkpoint")
        self._last = time.monotonic()

    def is_due(self) -> bool:
        """Whether it is time for the next checkpoint.

        Raises:
            CheckpointError: the last one couldn't be written.
        """
        self._background.check()
        return time.monotonic() - self._last >= self.settings.checkpoint_every_seconds

    def save(
        self,
        state: TrainingState,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        further: Mapping[str, Tensor],
        *,
        is_awaited: bool = False,
    ) -> None:
        """Copies a checkpoint's content and has it written while training goes on.

        Args:
            state: where the run is.
            model: what is trained.
            optimizer: of the model.
            further: other tensors that the run needs to go on.
            is_awaited: whether training goes on only when it is written, or not at all.

        Raises:
            CheckpointError: the last one couldn't be written.
        """
        self._background.wait()
        snapshot = self._snapshots.take(state, model, optimizer, further)
        if self.ranks.is_first:
            job = partial(self._write, snapshot, self.run.texts())
            self._background.start(job, is_awaited=is_awaited)
        self._last = time.monotonic()

    def wait(self) -> None:
        """Waits until the last checkpoint is on the disk.

        Raises:
            CheckpointError: it couldn't be written.
        """
        self._background.wait()

    def _write(self, snapshot: Snapshot, texts: Mapping[str, bytes]) -> None:
        folder = self.run.checkpoint_path(snapshot.state.step)
        try:
            self.run.sync_log()  # a checkpoint never knows of more than the log
            write_checkpoint(folder, snapshot, self.save_model, texts)
        except OSError as error:
            kept = "; earlier checkpoints are untouched" if self.run.checkpoints() else ""
            raise CheckpointError(
                f"cannot be written ({error.strerror or error}){kept}",
                where=folder,
                fix=f"make room and {self.run.way_on()}",
            ) from error
        self.run.keep_checkpoints(self.settings.keep_checkpoints, snapshot.state.best_step)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None:
            self._background.wait()
        elif not issubclass(kind, KeyboardInterrupt):  # a second Ctrl-C doesn't want to wait
            self._background.join()
