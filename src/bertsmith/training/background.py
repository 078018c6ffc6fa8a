"""One piece of work at a time, done by a thread beside the training loop."""

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from threading import Thread, get_native_id

__all__ = ["Background"]


# A third of what a training thread gets. With the lowest priority that there is, a checkpoint took
# minutes beside other programs, and a thread can't raise its own when the run is to stop.
_NICE = 5
# Who waits for a thread to end hears of no signal meanwhile, so it waits a moment at a time.
_HEARING_SECONDS = 0.2


class Background:
    """Runs one job in the background; the next one waits for it.

    What a job raises is raised in the caller's thread at its next call. A process that ends waits
    for the job, unless it leaves by `os._exit`. On Linux the thread has a lower priority: where
    training keeps every core busy, a thread beside it makes all of them wait for the one that it
    disturbs.

    Example:
        >>> done = []
        >>> background = Background("adding")
        >>> background.start(lambda: done.append(1))
        >>> background.wait()
        >>> done
        [1]
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._thread: Thread | None = None
        self._error: BaseException | None = None

    def start(self, job: Callable[[], None], *, is_awaited: bool = False) -> None:
        """Starts a job, after the one before is done.

        Args:
            job: what to do.
            is_awaited: whether the caller will do nothing but wait for it.
        """
        self.wait()
        arguments = job, 0 if is_awaited else _NICE
        self._thread = Thread(target=self._run, args=arguments, name=self._name)
        self._thread.start()

    def check(self) -> None:
        """Raises what the last job raised, without waiting for one that is under way."""
        if self._thread is not None and not self._thread.is_alive():
            self.wait()

    def wait(self) -> None:
        """Waits for the job under way, and raises what it raised."""
        self.join()
        error, self._error = self._error, None
        if error is not None:
            raise error

    def join(self) -> None:
        """Waits for the job under way, whatever comes of it."""
        while self._thread is not None and self._thread.is_alive():
            self._thread.join(_HEARING_SECONDS)
        self._thread = None

    def _run(self, job: Callable[[], None], more_nice: int) -> None:
        if sys.platform == "linux" and more_nice:  # elsewhere threads have no priority of their own
            with suppress(OSError):
                nice = os.getpriority(os.PRIO_PROCESS, 0) + more_nice
                os.setpriority(os.PRIO_PROCESS, get_native_id(), nice)
        try:
            job()
        except BaseException as error:
            self._error = error
