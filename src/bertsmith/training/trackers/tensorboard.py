"""TensorBoard: event files under the run's folder, `tensorboard --logdir RUN`."""

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from bertsmith.training.trackers.base import Ending, TrackedRun, Tracker, numbers

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

__all__ = ["PACKAGE", "start"]

PACKAGE = "tensorboard"
_FLUSH_SECONDS = 10


def start(run: TrackedRun) -> Tracker:
    """Opens event files under `tensorboard/`.

    Where a run goes on, points after its checkpoint are taken back, so that no curve doubles.
    """
    from torch.utils.tensorboard import SummaryWriter

    folder = run.path / "tensorboard"
    goes_on = folder.is_dir() and any(folder.iterdir())
    writer = SummaryWriter(
        str(folder), purge_step=run.first_step + 1 if goes_on else None, flush_secs=_FLUSH_SECONDS
    )
    if not goes_on:
        rows = [f"| {name} | {value} |" for name, value in run.settings().items()]
        writer.add_text("recipe", "\n".join(["| setting | value |", "|---|---|", *rows]), 0)
    return _TensorBoard(writer)


class _TensorBoard:
    def __init__(self, writer: "SummaryWriter") -> None:
        self.writer = writer
        self._hook_before = threading.excepthook
        threading.excepthook = self._hook = self._pass_over

    def log(self, kind: str, step: int, values: Mapping[str, Any]) -> None:
        for name, value in numbers(values).items():
            self.writer.add_scalar(f"{kind}/{name}", value, step)

    def close(self, ending: Ending) -> None:
        try:
            self.writer.close()
        finally:
            if threading.excepthook is self._hook:
                threading.excepthook = self._hook_before

    def _pass_over(self, raised: threading.ExceptHookArgs) -> None:
        """Leaves what the writer's thread can't write to the next call, which raises it too."""
        if getattr(raised.thread, "exception", None) is not raised.exc_value:
            self._hook_before(raised)
