"""Getting the next items ready in a background thread."""

from collections.abc import Generator, Iterable
from dataclasses import dataclass
from queue import Empty, Full, Queue
from threading import Event, Thread
from typing import TypeVar

__all__ = ["prefetched"]

T = TypeVar("T")

# How long a producer that waits for room sleeps before it looks whether it shall stop.
_WAIT_SECONDS = 0.1


@dataclass(frozen=True)
class _End:
    """The last thing in the queue: what the source raised, or None."""

    error: BaseException | None


def prefetched(items: Iterable[T], depth: int) -> Generator[T, None, None]:
    """Yields `items` in their order while a thread makes up to `depth` of them ahead.

    What the source raises is raised here, after the items before it. The thread ends when the
    source does, or when this generator is closed or dropped.

    Args:
        items: the source; only the thread touches it.
        depth: how many items may wait, at least 1.

    Example:
        >>> list(prefetched(range(3), depth=2))
        [0, 1, 2]
    """
    ready: Queue[T | _End] = Queue(maxsize=depth)
    stop = Event()
    thread = Thread(target=_produce, args=(items, ready, stop), name="prefetch", daemon=True)
    thread.start()
    try:
        while not isinstance(item := ready.get(), _End):
            yield item
        if item.error is not None:
            raise item.error
    finally:
        stop.set()
        _empty(ready)
        thread.join()


def _produce(items: Iterable[T], ready: "Queue[T | _End]", stop: Event) -> None:
    error: BaseException | None = None
    try:
        for item in items:
            if not _put(item, ready, stop):
                return
    except BaseException as caught:
        error = caught
    _put(_End(error), ready, stop)


def _put(item: T | _End, ready: "Queue[T | _End]", stop: Event) -> bool:
    """Puts an item in the queue, or returns False if nobody wants it any more."""
    while not stop.is_set():
        try:
            ready.put(item, timeout=_WAIT_SECONDS)
        except Full:
            continue
        return True
    return False


def _empty(ready: "Queue[T | _End]") -> None:
    """Wakes a producer that waits for room."""
    try:
        while True:
            ready.get_nowait()
    except Empty:
        return
