"""Ctrl-C and SIGTERM: finish the step, save, say how to go on."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["Interrupted", "StopRequest", "stop_on_signals"]


class Interrupted(Exception):  # noqa: N818 - it is no error
    """The run was asked to stop; its state has been saved.

    Args:
        step: the optimizer update that it stopped after.
        saved_at: the checkpoint's folder.
    """

    def __init__(self, step: int, saved_at: str) -> None:
        super().__init__(f"stopped after step {step}; saved at {saved_at}")
        self.step, self.saved_at = step, saved_at


class StopRequest:
    """Becomes `wanted` when the user or the system asks the run to stop."""

    def __init__(self) -> None:
        self.wanted = False

    def __call__(self, signal_number: int, frame: FrameType | None) -> None:
        """Handles a signal; a second Ctrl-C stops at once, without saving."""
        if self.wanted and signal_number == signal.SIGINT:
            raise KeyboardInterrupt
        self.wanted = True


@contextmanager
def stop_on_signals() -> Iterator[StopRequest]:
    """Turns SIGINT and SIGTERM into a `StopRequest` while the body runs.

    Outside the main thread, where Python allows no signal handlers, nothing is changed.
    """
    request = StopRequest()
    previous = {}
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            previous[number] = signal.signal(number, request)
    except ValueError:
        pass
    try:
        yield request
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
