"""Worker processes start while a command reads its settings and loads what it works with."""

import functools
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

__all__ = ["starts_workers_early"]


def starts_workers_early(module: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Lets the processes of a command start before it does anything itself.

    Args:
        module: where the job is that the command first gives to them.

    Returns:
        A decorator for a command with the parameters `corpus`, `workers` and `dask`.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def with_workers(**values: Any) -> None:
            with _early(values["corpus"], values["workers"], values["dask"], module):
                command(**values)

        return with_workers

    return decorate


def _early(
    corpus: Sequence[str], num_workers: int | None, dask: str | None, module: str
) -> AbstractContextManager[None]:
    if dask is not None:
        return nullcontext()
    from bertsmith._parallel import LITTLE_BYTES, Workers, started_early

    if num_workers is None and not any(_size(path) >= LITTLE_BYTES for path in corpus):
        return nullcontext()  # it may be little text, for which there will be no processes
    return started_early(Workers(num_workers), module)


def _size(path: str) -> int:
    """Bytes of a file; 0 where it is none, or nobody knows without looking further."""
    try:
        return Path(path).stat().st_size if Path(path).is_file() else 0
    except (OSError, ValueError):
        return 0
