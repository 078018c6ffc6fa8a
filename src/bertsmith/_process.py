"""Which process of a run speaks: under torchrun there are several, and one is enough."""

import os

__all__ = ["let_speak", "speaks"]

_decided: bool | None = None


def speaks() -> bool:
    """Whether this process prints and shows progress: the one of rank 0, or the only one.

    Launchers such as torchrun say in the environment which process this is.
    """
    if _decided is not None:
        return _decided
    return "WORLD_SIZE" not in os.environ or os.environ.get("RANK", "0") == "0"


def let_speak(wanted: bool) -> None:
    """Decides it otherwise: where a process fails, the one that knows why has the word."""
    global _decided
    _decided = wanted
