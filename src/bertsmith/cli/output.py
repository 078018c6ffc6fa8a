"""What commands print, for people and for machines, and where they may write."""

import glob
import json
import os
import re
import stat
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bertsmith._files import is_store
from bertsmith._process import speaks
from bertsmith.errors import RecipeError

__all__ = ["check_output", "columns", "emit_json", "parse_duration", "say", "table", "warn"]

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def say(text: str = "") -> None:
    """Prints a line for people on standard output; of several processes one does."""
    if speaks():
        try:
            sys.stdout.write(text + "\n")
        except UnicodeEncodeError:
            # Half a character, which JSON may hold, is written as JSON has it.
            encoding = sys.stdout.encoding
            sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")
        sys.stdout.flush()


def warn(text: str) -> None:
    """Prints a line on standard error; of several processes one does."""
    if speaks():
        sys.stderr.write(f"bertsmith: {text}\n")


def emit_json(value: Any) -> None:
    """Prints a value as one line of JSON on standard output."""
    say(json.dumps(value, ensure_ascii=False))


def table(rows: Sequence[tuple[str, str]]) -> None:
    """Prints names and values in two columns.

    Example:
        >>> table([("steps", "120"), ("held-out MLM accuracy", "31.0 %")])
          steps                  120
          held-out MLM accuracy  31.0 %
    """
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        say(f"  {name:<{width}}  {value}")


def columns(rows: Sequence[Sequence[str]]) -> None:
    """Prints any number of columns.

    Example:
        >>> columns([("word", "pieces", "count"), ("sepsis", "sep ##sis", "12")])
          word    pieces     count
          sepsis  sep ##sis  12
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))
        say("  " + "  ".join(cells).rstrip())


def parse_duration(text: str) -> float:
    """Reads "90s", "20m", "1.5h" or "2d" as seconds.

    Raises:
        RecipeError: it is none of these.

    Example:
        >>> parse_duration("20m")
        1200.0
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", text.strip())
    if match is None or float(match[1]) == 0:
        raise RecipeError("is no length of time", where=f"--budget {text}", fix="write 90s or 20m")
    return float(match[1]) * _UNITS[match[2]]


def check_output(
    path: Path, *, inputs: Sequence[str | Path], overwrite: bool, option: str = "-o"
) -> None:
    """Refuses a file that can't be written, or must not be, before the work rather than after it.

    Args:
        path: the file that the command will write.
        inputs: what it reads: files, folders, globs; addresses are passed over, and "-" is
            standard input. They are never replaced, not even with `overwrite`.
        overwrite: whether a file that stands there may be replaced.
        option: what the user named the file with.

    Raises:
        RecipeError: it is no file's name, a folder, a device, an input, part of a token store or
            there already, or its folder can't be written to.
    """
    another = f"name another file with {option}"
    if str(path) == "-":
        raise RecipeError("is no file", where=path, fix=f"give a file name with {option}")
    found = _status(path)
    if found is not None:
        if stat.S_ISDIR(found.st_mode):
            fix = f"give the name of a file with {option}"
            raise RecipeError("is a folder", where=path, fix=fix)
        if not stat.S_ISREG(found.st_mode):
            raise RecipeError("is a device or a pipe, no regular file", where=path, fix=another)
        if _is_input(found, inputs):
            raise RecipeError("is read by this command", where=path, fix=another)
    for folder in Path(os.path.realpath(path)).parents:
        if is_store(folder):
            raise RecipeError(f"is in the token store {folder}", where=path, fix=another)
    if os.path.lexists(path) and not overwrite:
        fix = f"give --overwrite, or {another}"
        raise RecipeError("is there already", where=path, fix=fix)
    _check_folder(path, another)


def _status(file: str | int | Path) -> os.stat_result | None:
    try:
        return os.stat(file)  # noqa: PTH116 (a number is an open file's)
    except OSError:
        return None


def _is_input(found: os.stat_result, inputs: Sequence[str | Path]) -> bool:
    files: list[str | int] = []
    for name in map(str, inputs):
        if name == "-":
            files.append(0)  # standard input
        elif os.path.lexists(name):
            files.append(name)
        else:
            files += glob.glob(name, recursive=True)  # noqa: PTH207 (absolute patterns too)
    # An input that isn't there is told by what reads it.
    return any(os.path.samestat(found, one) for file in files if (one := _status(file)))


def _check_folder(path: Path, fix: str) -> None:
    folder = path.absolute().parent
    while not os.path.lexists(folder):
        folder = folder.parent
    if not folder.is_dir():
        raise RecipeError(f"{folder} is no folder", where=path, fix=fix)
    # Permissions don't tell of a read-only disk, /proc or a name that is too long; trying does.
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=f".{path.name}.", suffix=".tmp"):
            pass
    except OSError as error:
        what = f"cannot be written in {folder} ({error.strerror})"
        raise RecipeError(what, where=path, fix=fix) from error
