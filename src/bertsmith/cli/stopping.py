"""Ctrl-C, SIGTERM and SIGHUP, from the command line's first line to the end of the process."""

import os
import signal
import sys
from contextlib import suppress
from types import FrameType
from typing import Any

from bertsmith._process import heard_stops, leave_closed_terminal

__all__ = [
    "Stopped",
    "exit_code",
    "leave_at_once",
    "raise_on_signals",
    "stop_before",
    "stop_behind",
]

# How long what swallowed a stop is given to come to its end.
_AGAIN_SECONDS = 0.01
# An exit code above it tells of a signal.
_SIGNALLED = 128


class Stopped(KeyboardInterrupt):
    """The user or the system asks the command to stop.

    It isn't KeyboardInterrupt itself, which Python takes for unhandled wherever it has passed
    through code that is run from a string, as the making of every dataclass is: caught or not, the
    process would end by signal 2 instead of its exit code.

    Args:
        signal_number: what asked: SIGINT (Ctrl-C), SIGTERM or SIGHUP (a closed terminal).
    """

    def __init__(self, signal_number: int) -> None:
        super().__init__()
        self.signal_number = signal_number


def exit_code(stop: KeyboardInterrupt) -> int:
    """What a shell expects: 130 after Ctrl-C, 143 after SIGTERM, 129 after SIGHUP.

    Example:
        >>> exit_code(Stopped(signal.SIGTERM)), exit_code(KeyboardInterrupt())
        (143, 130)
    """
    return _SIGNALLED + (stop.signal_number if isinstance(stop, Stopped) else signal.SIGINT)


def leave_at_once(code: int) -> None:
    """Ends a stopped process for whose threads Python would wait, if there are any.

    One that writes a checkpoint, say. It can't be a daemon: Python up to 3.13 throws daemons out
    where they next need the interpreter, and in the middle of PyTorch's C++ that aborts the process
    ("FATAL: exception not rethrown").

    Args:
        code: the exit code; one that isn't a stop's waits.
    """
    import threading  # not above: whoever is stopped early needn't have it

    others = (each for each in threading.enumerate() if each is not threading.main_thread())
    if code > _SIGNALLED and any(not each.daemon for each in others):
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):  # nobody reads it any more
                stream.flush()
        os._exit(code)


def stop_behind(error: BaseException | None) -> KeyboardInterrupt | None:
    """The stop that an exception tells of, if it does.

    Python 3.11 makes a RuntimeError of what is raised while a class is made; and pydantic an error
    of its own of what is raised while it builds a schema, which keeps the other's name alone.

    Example:
        >>> stop_behind(RuntimeError()), stop_behind(KeyboardInterrupt())
        (None, KeyboardInterrupt())
    """
    seen = set[int]()
    while error is not None and not isinstance(error, KeyboardInterrupt):
        if id(error) in seen:  # its own cause
            return None
        seen.add(id(error))
        if _latest is not None and f"{Stopped.__name__}:" in str(error):
            return _latest
        error = error.__cause__
    return error


def stop_before(error: BaseException) -> KeyboardInterrupt | None:
    """The stop that somebody passed over before something broke, if there was one.

    PyTorch, while it is imported, takes whatever is raised in NumPy for a NumPy that is missing;
    and half of NumPy stays behind. An error that says what a user did wrong is none of that kind.

    Example:
        >>> stop_before(ValueError("a setting that can't be"))
    """
    is_broken = isinstance(error, (ImportError, AttributeError, NameError, TypeError))
    return _latest if is_broken else None


def raise_on_signals() -> None:
    """Lets Ctrl-C, SIGTERM and SIGHUP raise `Stopped`, which is lost nowhere.

    Ending at once would leave temporary files and worker processes. Pre-training has handlers of
    its own.
    """
    for number in heard_stops():
        signal.signal(number, _stop)
    if sys.unraisablehook is not _raise_again:
        global _hook_before
        _hook_before, sys.unraisablehook = sys.unraisablehook, _raise_again


_hook_before = sys.unraisablehook
_latest: Stopped | None = None  # what a signal raised last


def _stop(signal_number: int, _: FrameType | None) -> None:
    if signal_number == signal.SIGHUP:
        leave_closed_terminal()
    global _latest
    _latest = Stopped(signal_number)
    raise _latest


def _raise_again(unraisable: Any) -> None:
    """Python prints and forgets what is raised in a callback or in a `__del__`, a stop too."""
    if not isinstance(unraisable.exc_value, Stopped):
        _hook_before(unraisable)
    elif not sys.is_finalizing():
        import threading

        # Not now: this too is called where nothing can be raised.
        arguments = os.getpid(), unraisable.exc_value.signal_number
        again = threading.Timer(_AGAIN_SECONDS, os.kill, arguments)
        again.daemon = True
        again.start()
