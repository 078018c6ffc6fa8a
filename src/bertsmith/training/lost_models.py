"""The model in a run's folder: whether it is still there, and may stay."""

import shutil
from collections.abc import Callable
from pathlib import Path

from bertsmith._files import atomic_file
from bertsmith.errors import TrainingError
from bertsmith.model.hub import SMALL_FILES
from bertsmith.training.checkpoint import is_sound
from bertsmith.training.done_again import comes_again, keeps_lost_model
from bertsmith.training.model_stamp import ModelStamp
from bertsmith.training.run_folder import RunFolder

__all__ = ["is_over", "replaces_model", "restore_small_files"]


def is_over(run: RunFolder, warn: Callable[[str], None]) -> bool:
    """Whether nothing is left to do: the run has ended, and its model is there.

    Where the weights are gone the run is opened again, to make them from its last checkpoint.

    Args:
        run: the run's folder.
        warn: is told so, or that the model is made again.

    Raises:
        TrainingError: the model is gone, and there is no checkpoint to make it from.
    """
    if not run.is_finished:
        return False
    stamp = run.stamp
    if stamp is not None and (lost := stamp.what_is_lost(run.path)):
        checkpoints = run.checkpoints()
        if not any(map(is_sound, checkpoints)):
            names = ", ".join(checkpoint.name for checkpoint in checkpoints)
            why = f"all are damaged ({names})" if names else "none is left"
            raise TrainingError(
                f"this run is finished, but {lost}, and of the checkpoints to make it from {why}",
                where=run.path,
                fix="copy it back from elsewhere, or give another output folder",
            )
        warn(f"{run.path}: this run is finished, but {lost}: it is made again")
        run.note(stamp.ended(is_last=False))
        if run.metrics_path.exists():
            run.keep_old_log()
        return False
    if run.read_metrics():
        warn(f"{run.path}: this run is finished; its result is shown again")
    if stamp is not None and not stamp.is_of(run.path):
        what = "isn't as the run wrote it: changed since, or damaged"
        warn(f"{run.path / 'model.safetensors'}: {what}")
    for checkpoint in run.checkpoints()[:1]:
        restore_small_files(run.path, checkpoint, warn)
    return True


def restore_small_files(run: Path, checkpoint: Path, warn: Callable[[str], None]) -> None:
    """Takes what a model lacks beside its weights from a checkpoint of its run, if that is whole.

    Args:
        run: the run's folder.
        checkpoint: its small files are those of all checkpoints of the run.
        warn: is told.
    """
    small = [file for pattern in SMALL_FILES for file in checkpoint.glob(pattern)]
    lost = [file for file in small if not _has(run / file.name)]
    if not lost or not is_sound(checkpoint):
        return
    for file in lost:
        with atomic_file(run / file.name) as temporary:
            shutil.copyfile(file, temporary)
        warn(f"{run / file.name}: is missing or empty; taken from {checkpoint.name}")


def _has(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 0


def replaces_model(
    run: RunFolder, step: int, warn: Callable[[str], None], *, evaluates_again: bool
) -> bool:
    """Whether the model that was kept in the folder can't stay, however good it was.

    It is of what is done again, or a crash came while it was saved, or it was lost since. Until
    another one is kept every sitting will say so.

    Args:
        run: the run's folder.
        step: the last that isn't done again.
        warn: is told what was lost.
        evaluates_again: whether the run begins with the evaluation of that step.
    """
    stamp = run.stamp
    lost = ModelStamp.what_is_lost(run.path)
    if stamp is None:  # of an older version, or left behind when the run was copied
        again = keeps_lost_model(run.read_metrics(), step, evaluates_again=evaluates_again)
    else:
        again = comes_again(stamp.step, step, evaluates_again=evaluates_again)
    if not (again or lost) and (stamp is None or stamp.is_of(run.path)):
        return False
    if not again and (stamp is None or stamp.sha256):
        what = lost or "model.safetensors isn't as the run wrote it"
        warn(f"{run.path}: {what}: the next evaluation keeps another model than the best so far")
    run.note(ModelStamp(step, sha256=""))
    return True
