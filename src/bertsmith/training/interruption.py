"""Ctrl-C, SIGTERM and a closed terminal: finish the step, save, say how to go on."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from bertsmith._process import heard_stops, leave_closed_terminal

__all__ = ["BrokenOff", "Interrupted", "StopRequest", "stop_on_signals"]


class Interrupted(Exception):  # noqa: N818 - it is no error
    """The run was asked to stop; its state has been saved.

    Args:
        step: the optimizer update that it stopped after.
        saved_at: the checkpoint's folder.
        signal_number: what asked: SIGINT (Ctrl-C), SIGTERM or SIGHUP (a closed terminal).
    """

    def __init__(self, step: int, saved_at: str, signal_number: int = signal.SIGINT) -> None:
        super().__init__(f"stopped after step {step}; saved at {saved_at}")
        self.step, self.saved_at, self.signal_number = step, saved_at, signal_number

    @property
    def exit_code(self) -> int:
        """What a shell expects: 130 after Ctrl-C, 143 after SIGTERM, 129 after SIGHUP."""
        return 128 + self.signal_number


class BrokenOff(BaseException):
    """What `StopRequest.breaking_off` ends its body with; no error that anybody may handle."""


class StopRequest:
    """Becomes `wanted` when the user or the system asks the run to stop.

    Args:
        at_once: handles a second Ctrl-C, by raising what ends the program.

    Attributes:
        wanted: whether a signal has come.
        signal_number: the first that came.
    """

    def __init__(self, at_once: Callable[..., Any] = signal.default_int_handler) -> None:
        self._at_once = at_once
        self._breaks_off = False
        self.wanted = False
        self.signal_number: int = signal.SIGINT

    def __call__(self, signal_number: int, frame: FrameType | None) -> None:
        """Handles a signal; a second Ctrl-C stops at once, without saving."""
        if signal_number == signal.SIGHUP:
            leave_closed_terminal()
        if self.wanted and signal_number == signal.SIGINT:
            self._at_once(signal_number, frame)
        if not self.wanted:
            self.wanted, self.signal_number = True, signal_number
            if self._breaks_off:
                raise BrokenOff

    @contextmanager
    def breaking_off(self) -> Iterator[None]:
        """Lets a signal end the body with `BrokenOff`, where what it does can be done later."""
        self._breaks_off = True
        try:
            if self.wanted:
                raise BrokenOff
            yield
        finally:
            self._breaks_off = False


@contextmanager
def stop_on_signals(*, is_one_of_several: bool = False) -> Iterator[StopRequest]:
    """Turns SIGINT, SIGTERM and SIGHUP into a `StopRequest` while the body runs.

    Outside the main thread, where Python allows no signal handlers, nothing is changed. What is
    ignored stays so, see `heard_stops`.

    Args:
        is_one_of_several: whether a launcher sends SIGTERM when one of its processes has ended.
            Then it has no effect on one where the body failed: that ends by itself, and may be
            the one that says why.
    """
    before = signal.getsignal(signal.SIGINT)
    request = StopRequest(before) if callable(before) else StopRequest()
    previous = {}
    try:
        for number in heard_stops():
            previous[number] = signal.signal(number, request)
    except ValueError:
        pass
    try:
        yield request
    except Exception:
        if is_one_of_several:
            previous.pop(signal.SIGTERM, None)
        raise
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
