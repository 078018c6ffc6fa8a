"""Which process of a run speaks, and where: under torchrun there are several, and one is enough."""

import errno
import os
import signal
from contextlib import suppress

__all__ = ["heard_stops", "is_decided", "leave_closed_terminal", "let_speak", "speaks"]

_decided: bool | None = None


def speaks() -> bool:
    """Whether this process prints and shows progress: the one of rank 0, or the only one.

    Launchers such as torchrun say in the environment which process this is.
    """
    if _decided is not None:
        return _decided
    return "WORLD_SIZE" not in os.environ or os.environ.get("RANK", "0") == "0"


def is_decided() -> bool:
    """Whether the processes of a run have agreed on which of them speaks, see `let_speak`."""
    return _decided is not None


def let_speak(wanted: bool) -> None:
    """Decides it otherwise: where a process fails, the one that knows why has the word."""
    global _decided
    _decided = wanted


def heard_stops() -> list[signal.Signals]:
    """The signals that ask this process to stop: SIGTERM, and of SIGINT and SIGHUP what it hears.

    A shell lets jobs in the background ignore SIGINT (Ctrl-C), and nohup SIGHUP, the end of the
    terminal; they stay ignored.
    """
    can_be_ignored = (signal.SIGINT, signal.SIGHUP)
    heard = [each for each in can_be_ignored if signal.getsignal(each) != signal.SIG_IGN]
    return [signal.SIGTERM, *heard]


def leave_closed_terminal() -> None:
    """Lets what is printed go nowhere from here on, where the terminal is no more.

    A line that can't be written is an error, which would end the process before it has saved.
    """
    import termios  # not above: it is for the rare process that gets a SIGHUP

    for number in (1, 2):
        try:
            termios.tcgetattr(number)
        except termios.error as error:
            if error.args[0] == errno.EIO:  # a file or a pipe is no terminal: ENOTTY
                with suppress(OSError):
                    nowhere = os.open(os.devnull, os.O_WRONLY)
                    os.dup2(nowhere, number)
                    os.close(nowhere)
