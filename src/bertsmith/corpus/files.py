"""Paths, folders and globs → the files of a corpus, checked before anything is read."""

import glob
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bertsmith.corpus.compression import COMPRESSIONS, strip_compression
from bertsmith.corpus.formats import format_names, needs_seeking
from bertsmith.corpus.settings import CorpusSettings
from bertsmith.corpus.source import Source
from bertsmith.errors import CorpusError

__all__ = ["STANDARD_INPUT", "TextFile", "find_files"]

STANDARD_INPUT = Path("-")


@dataclass(frozen=True)
class TextFile:
    """A file of a corpus.

    Attributes:
        path: where it is; `STANDARD_INPUT` for standard input.
        format: its format, one of `format_names()`.
        compression: ".gz" and the like, or "".
        num_bytes: its size on disk, 0 for standard input.
    """

    path: Path
    format: str
    compression: str
    num_bytes: int


def find_files(
    paths: Sequence[str | Path], settings: CorpusSettings, counts: Counter[str]
) -> list[TextFile]:
    """Finds the files of a corpus.

    Args:
        paths: files, folders (searched with the folders in them, sorted by name; hidden files
            are left out), globs, and "-" for standard input, in the order to read them.
        settings: how to read.
        counts: where to count empty files (with `errors="replace"`) and files in folders that
            have no extension of a text format ("files_ignored").

    Raises:
        CorpusError: what is named isn't there, can't be read or isn't text.
    """
    if not paths:
        raise CorpusError("no text was given", fix="name files or folders with text")
    found = [file for path in paths for file in _find(str(path), settings, counts)]
    seen = set[str]()
    for file in found:
        name = os.path.realpath(file.path) if file.path != STANDARD_INPUT else "-"
        if name in seen:
            raise CorpusError("is given twice", where=file.path, fix="name every file once")
        seen.add(name)
    filled = []
    for file in found:
        if file.path == STANDARD_INPUT or file.num_bytes:
            filled.append(file)
        else:
            source = Source(str(file.path), settings, counts)
            source.fault("empty_files", "is empty", fix="give a file with text", instead="skip it")
    if not filled:
        raise CorpusError("is empty", where=paths[0], fix="give a file with text")
    return filled


def _find(name: str, settings: CorpusSettings, counts: Counter[str]) -> Iterator[TextFile]:
    path = Path(name)
    try:
        if path == STANDARD_INPUT:
            yield _standard_input(settings)
        elif path.is_dir():
            yield from _folder(path, counts)
        elif glob.has_magic(name) and not path.exists():
            matches = sorted(glob.glob(name, recursive=True))  # noqa: PTH207 (absolute patterns too)
            if not matches:
                raise CorpusError("no file matches", where=name, fix="check the pattern")
            for match in matches:
                yield from _find(match, settings, counts)
        else:
            yield _text_file(path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise CorpusError(
            f"cannot be opened ({reason})",
            where=getattr(error, "filename", None) or name,
            fix="check the path and its permissions",
        ) from error


def _standard_input(settings: CorpusSettings) -> TextFile:
    name = settings.standard_input_format
    if name not in format_names() or needs_seeking(name):
        usable = ", ".join(other for other in format_names() if not needs_seeking(other))
        raise CorpusError(
            f"cannot be read as {name!r}", where="standard input", fix=f"use one of {usable}"
        )
    return TextFile(STANDARD_INPUT, name, "", 0)


def _folder(folder: Path, counts: Counter[str]) -> Iterator[TextFile]:
    found = False
    for path in sorted(_walk(folder, set())):
        if _format_of(path) is None:
            counts["files_ignored"] += 1
        else:
            found = True
            yield _text_file(path)
    if not found:
        raise CorpusError("has no text in it", where=folder, fix=f"put in {_known()} files")


def _walk(folder: Path, above: set[str]) -> Iterator[Path]:
    """All files below, links followed, but never round in a circle."""
    real = os.path.realpath(folder)
    if real in above:
        return
    for path in folder.iterdir():
        if path.name.startswith("."):
            continue
        if path.is_dir():
            yield from _walk(path, above | {real})
        elif path.is_file():
            yield path


def _format_of(path: Path) -> str | None:
    extension = Path(strip_compression(path.name)[0]).suffix.lower().removeprefix(".")
    return extension if extension in format_names() else None


def _text_file(path: Path) -> TextFile:
    if not path.exists():
        path.stat()  # raises the error that says why, such as a link that points to itself
    name, (_, compression) = _format_of(path), strip_compression(path.name)
    if name is None:
        raise CorpusError(
            "its extension is not one of a text format", where=path, fix=f"give {_known()} files"
        )
    if not path.is_file():
        raise CorpusError("is no regular file", where=path, fix='pipe it in and name it "-"')
    if compression and needs_seeking(name):
        raise CorpusError(
            f"a .{name} file cannot be read through {compression}",
            where=path,
            fix=f"unpack it first (.{name} files are compressed inside)",
        )
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
    return TextFile(path, name, compression, size)


def _known() -> str:
    names = " ".join(f".{name}" for name in format_names())
    return f"{names} (or with {' '.join(COMPRESSIONS)})"
