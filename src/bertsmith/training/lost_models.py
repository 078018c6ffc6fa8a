"""The model in a run's folder: whether it is still there, and may stay."""

from collections.abc import Callable

from bertsmith.errors import TrainingError
from bertsmith.training.done_again import comes_again
from bertsmith.training.model_stamp import ModelStamp
from bertsmith.training.run_folder import RunFolder

__all__ = ["is_over", "replaces_model"]


def is_over(run: RunFolder, warn: Callable[[str], None]) -> bool:
    """Whether nothing is left to do: the run has ended, and its model is there.

    Args:
        run: the run's folder.
        warn: is told so, or that the model is made again.

    Raises:
        TrainingError: the model is gone, and there is no checkpoint to make it from.
    """
    if not run.is_finished:
        return False
    stamp = ModelStamp.read(run.path)
    lost = stamp and stamp.lost_file(run.path)
    if lost and run.checkpoints():
        warn(f"{run.path}: this run is finished, but {lost}: it is made again")
        return False
    if lost:
        raise TrainingError(
            f"this run is finished, but {lost}, and no checkpoint is left to make it from",
            where=run.path,
            fix="copy it back from elsewhere, or give another output folder",
        )
    if run.metrics_path.exists():
        warn(f"{run.path}: this run is finished; its result is shown again")
    if stamp and (other := stamp.other_file(run.path)):
        warn(f"{run.path / other}: isn't as the run wrote it: changed since, or damaged")
    return True


def replaces_model(
    run: RunFolder, step: int, warn: Callable[[str], None], *, evaluates_again: bool
) -> bool:
    """Whether the model that was kept in the folder can't stay, however good it was.

    It is of what is done again, or a crash came while it was saved, or it was lost since.

    Args:
        run: the run's folder.
        step: the last that isn't done again.
        warn: is told what was lost.
        evaluates_again: whether the run begins with the evaluation of that step.
    """
    stamp = ModelStamp.read(run.path)
    if stamp is None:  # kept by an older version
        return False
    if lost := stamp.lost_file(run.path):
        warn(
            f"{run.path}: {lost}, of the model that was kept after step {stamp.step}; the next "
            "evaluation keeps another"
        )
    again = comes_again(stamp.step, step, evaluates_again=evaluates_again)
    return again or stamp.other_file(run.path) is not None
