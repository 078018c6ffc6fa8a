"""Parts of a long benchmark, so that one that fails, or comes too late, leaves the others."""

import sys
import time
import traceback
from collections.abc import Callable

__all__ = ["Attempts"]


class Attempts:
    """Does one part after the other until the time is up.

    Args:
        deadline: after this moment of `time.monotonic` nothing new is begun.

    Attributes:
        failed: names of the parts that failed.
    """

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self.failed = list[str]()

    def __call__(self, name: str, work: Callable[[], object]) -> None:
        """Does a part; what it raises is printed and kept in mind."""
        if time.monotonic() > self.deadline:
            print(f"{name}: left out, the time is up", file=sys.stderr, flush=True)
            return
        print(f"measuring: {name}", file=sys.stderr, flush=True)
        try:
            work()
        except Exception:
            traceback.print_exc()
            self.failed.append(name)
