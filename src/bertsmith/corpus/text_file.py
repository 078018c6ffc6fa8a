"""A file of a corpus, wherever it is."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from bertsmith.corpus.compression import COMPRESSIONS, strip_compression
from bertsmith.corpus.formats import format_names, needs_seeking
from bertsmith.errors import CorpusError

__all__ = ["STANDARD_INPUT", "TextFile", "format_of", "known_extensions", "required_format"]

STANDARD_INPUT = Path("-")

# Other names that files of a format go by.
_ALIASES = {"ndjson": "jsonl", "jsonlines": "jsonl"}


@dataclass(frozen=True)
class TextFile:
    """A file of a corpus.

    Attributes:
        path: where it is: a path on this machine, `STANDARD_INPUT`, or a URL as a string.
        format: its format, one of `format_names()`.
        compression: ".gz" and the like, or "".
        num_bytes: its size as it is stored; 0 for standard input, and where a server doesn't tell.
        size_is_known: whether `num_bytes` says something.
        version: what changes when a remote file changes, as far as its server tells; or "".
        text_column: the column that holds the text, where this file has its own; None takes the
            one of the settings.
        open_remote: opens a remote file; None for one on this machine.
    """

    path: Path | str
    format: str
    compression: str
    num_bytes: int
    size_is_known: bool = True
    version: str = ""
    text_column: str | None = None
    open_remote: Callable[[], BinaryIO] | None = field(default=None, repr=False, compare=False)

    def open(self) -> BinaryIO:
        """Opens it for reading its bytes.

        Raises:
            OSError: a file on this machine that can't be opened.
            CorpusError: a remote one.
        """
        return self.open_remote() if self.open_remote else Path(self.path).open("rb")


def format_of(name: str) -> str | None:
    """The format of a file by its name; None if it is not one of a text format.

    Example:
        >>> format_of("wiki/a.JSONL.zst"), format_of("a.ndjson"), format_of("README.md")
        ('jsonl', 'jsonl', None)
    """
    extension = PurePosixPath(strip_compression(name)[0]).suffix.lower().removeprefix(".")
    extension = _ALIASES.get(extension, extension)
    return extension if extension in format_names() else None


def required_format(name: str, where: str) -> tuple[str, str]:
    """The format and compression of a file that was asked for.

    Args:
        name: the file's name.
        where: where it is, for messages.

    Raises:
        CorpusError: it is not one of a text format, or can't be read through its compression.
    """
    found, (_, compression) = format_of(name), strip_compression(name)
    if found is None:
        raise CorpusError(
            "its extension is not one of a text format",
            where=where,
            fix=_json_fix(name) or f"give {known_extensions()} files",
        )
    if compression and needs_seeking(found):
        raise CorpusError(
            f"a .{found} file cannot be read through {compression}",
            where=where,
            fix=f"unpack it first (.{found} files are compressed inside)",
        )
    return found, compression


def _json_fix(name: str) -> str:
    stem, compression = strip_compression(name)
    if PurePosixPath(stem).suffix.lower() != ".json":
        return ""
    return (
        f"rename it to .jsonl{compression} if there is an object on every line, or make JSON "
        "lines of an array with `jq -c '.[]'`"
    )


def known_extensions() -> str:
    """The extensions of text formats, for messages."""
    names = " ".join(f".{name}" for name in format_names())
    return f"{names} (or with {' '.join(COMPRESSIONS)})"
