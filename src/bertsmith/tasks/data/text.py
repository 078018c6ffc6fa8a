"""Reading a data file's text, with an error that names the byte where it is not text."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bertsmith.errors import DataError

__all__ = ["numbered_lines", "parse_json", "read_text"]


def read_text(path: Path) -> str:
    """Reads a whole UTF-8 file, without its byte-order mark if it has one.

    Raises:
        DataError: the file is missing, unreadable, empty, not UTF-8 (with the offset of the first
            bad byte) or holds a NUL byte.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(
            f"cannot be read ({error.strerror})", where=path, fix="check the path"
        ) from None
    nul = content.find(b"\0")
    if nul >= 0:
        raise DataError(
            f"holds a NUL byte at offset {nul}", where=path, fix="give a text file in UTF-8"
        )
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(
            f"is not UTF-8 at byte {error.start} (0x{content[error.start]:02x})",
            where=path,
            fix="convert it to UTF-8",
        ) from None
    text = text.removeprefix("\ufeff")
    if not text.strip():
        raise DataError("is empty", where=path, fix="give a file with examples")
    return text


def numbered_lines(text: str) -> Iterator[tuple[int, str]]:
    r"""Yields the lines with their numbers from 1, without their line ends.

    Lines end at ``\n`` or ``\r\n`` alone: other characters that Unicode calls line breaks are
    part of the text, as in the official data.

    Example:
        >>> list(numbered_lines("a\u2028b\r\nc\n"))
        [(1, 'a\u2028b'), (2, 'c')]
    """
    lines = text.split("\n")
    if not lines[-1]:
        lines.pop()
    for number, line in enumerate(lines, start=1):
        yield number, line.removesuffix("\r")


def parse_json(text: str, where: str) -> Any:
    """Parses JSON.

    Raises:
        DataError: it is broken; the message says at which line and column.
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(
            f"is not JSON at line {error.lineno}, column {error.colno}: {error.msg}",
            where=where,
            fix="repair or re-download it",
        ) from None
    except RecursionError:
        raise DataError("is JSON nested too deeply", where=where) from None
