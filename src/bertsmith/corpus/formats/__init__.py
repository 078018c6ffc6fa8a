"""Text formats: one file a format, named for its extension and found by that name.

A format is a module with

    def read(stream: BinaryIO, source: Source) -> Iterator[RawDocument]

that yields documents as it reads and raises nothing but `CorpusError`. A module whose files can't
be read from front to back says `NEEDS_SEEKING = True`; such files can't be compressed from outside
or come from standard input.
"""

import importlib
import pkgutil
from collections.abc import Iterator
from functools import cache
from typing import BinaryIO, Protocol, cast

from bertsmith.corpus.document import RawDocument
from bertsmith.corpus.source import Source

__all__ = ["TextFormat", "find_format", "format_names", "needs_seeking"]


class TextFormat(Protocol):
    """A module of this package."""

    def read(self, stream: BinaryIO, source: Source) -> Iterator[RawDocument]:
        """Yields the documents of a file."""
        ...


@cache
def format_names() -> tuple[str, ...]:
    """The formats that there are, by extension without the dot.

    Example:
        >>> "txt" in format_names()
        True
    """
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__)))


def find_format(name: str) -> TextFormat:
    """Imports a format, one of `format_names()`."""
    return cast(TextFormat, importlib.import_module(f"{__name__}.{name}"))


def needs_seeking(name: str) -> bool:
    """Whether a format's files can only be read where one can seek in them."""
    return bool(getattr(find_format(name), "NEEDS_SEEKING", False))
