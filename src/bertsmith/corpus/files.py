"""Paths, folders and globs → the files of a corpus, checked before anything is read."""

import glob
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from bertsmith._files import is_store
from bertsmith.corpus.formats import format_names, needs_seeking
from bertsmith.corpus.settings import CorpusSettings
from bertsmith.corpus.source import Source
from bertsmith.corpus.text_file import (
    STANDARD_INPUT,
    TextFile,
    format_of,
    known_extensions,
    required_format,
)
from bertsmith.errors import CorpusError

__all__ = ["find_files"]

# A scheme of one letter would be a drive.
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")


def find_files(
    paths: Sequence[str | Path], settings: CorpusSettings, counts: Counter[str]
) -> list[TextFile]:
    """Finds the files of a corpus.

    Args:
        paths: files, folders (searched with the folders in them, sorted by name; hidden files
            are left out), globs, "-" for standard input, addresses (`https://`, `s3://`, ...:
            any scheme of fsspec) and data sets (`hf://name[:config][@split][#column]`), in the
            order to read them.
        settings: how to read.
        counts: where to count empty files (with `errors="replace"`) and files in folders that
            have no extension of a text format ("files_ignored").

    Raises:
        CorpusError: what is named isn't there, can't be read or isn't text.
    """
    if not paths or "" in paths:
        raise CorpusError("no text was given", fix="name files or folders with text")
    found = [file for path in paths for file in _find(str(path), settings, counts)]
    seen = set[str]()
    for file in found:
        local = isinstance(file.path, Path) and file.path != STANDARD_INPUT
        name = os.path.realpath(file.path) if local else str(file.path)
        if name in seen:
            raise CorpusError("is given twice", where=file.path, fix="name every file once")
        seen.add(name)
    filled = []
    for file in found:
        if file.num_bytes or not file.size_is_known:
            filled.append(file)
        else:
            source = Source(str(file.path), settings, counts)
            source.fault("empty_files", "is empty", fix="give a file with text", instead="skip it")
    if not filled:
        raise CorpusError("is empty", where=paths[0], fix="give a file with text")
    return filled


def _find(name: str, settings: CorpusSettings, counts: Counter[str]) -> Iterator[TextFile]:
    url = _URL.match(name)
    if url and url[1].lower() != "file":
        yield from _find_url(name, counts)
        return
    local = name[url.end() :] if url else name
    path = Path(local)
    try:
        if path == STANDARD_INPUT:
            yield _standard_input(settings)
        elif path.is_dir():
            yield from _folder(path, counts)
        elif glob.has_magic(local) and not path.exists():
            matches = sorted(glob.glob(local, recursive=True))  # noqa: PTH207 (absolute patterns too)
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


def _find_url(url: str, counts: Counter[str]) -> Iterator[TextFile]:
    if url.startswith("hf://") and not url.startswith(("hf://datasets/", "hf://buckets/")):
        from bertsmith.corpus.data_sets import find_data_set

        return find_data_set(url, counts)
    from bertsmith.corpus.remote import find_remote

    return find_remote(url, counts)


def _standard_input(settings: CorpusSettings) -> TextFile:
    name = settings.standard_input_format
    if name not in format_names() or needs_seeking(name):
        usable = ", ".join(other for other in format_names() if not needs_seeking(other))
        raise CorpusError(
            f"cannot be read as {name!r}", where="standard input", fix=f"use one of {usable}"
        )
    return TextFile(STANDARD_INPUT, name, "", 0, size_is_known=False)


def _folder(folder: Path, counts: Counter[str]) -> Iterator[TextFile]:
    if is_store(folder):
        raise CorpusError(
            "is a token store, not text", where=folder, fix="name the text that it was made of"
        )
    found = False
    for path in sorted(_walk(folder, set())):
        if format_of(path.name) is None:
            counts["files_ignored"] += 1
        else:
            found = True
            yield _text_file(path)
    if not found:
        raise CorpusError("has no text in it", where=folder, fix=f"put in {known_extensions()}")


def _walk(folder: Path, above: set[str]) -> Iterator[Path]:
    """All files below, links followed (those that lead nowhere too), never round in a circle.

    Token stores among the folders are passed over.
    """
    real = os.path.realpath(folder)
    if real in above:
        return
    for path in folder.iterdir():
        if path.name.startswith("."):
            continue
        if path.is_dir():
            if not is_store(path):
                yield from _walk(path, above | {real})
        elif path.is_file() or path.is_symlink():
            yield path


def _text_file(path: Path) -> TextFile:
    if not path.exists():
        path.stat()  # raises the error that says why, such as a link that points to itself
    name, compression = required_format(path.name, str(path))
    if not path.is_file():
        raise CorpusError("is no regular file", where=path, fix='pipe it in and name it "-"')
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
    return TextFile(path, name, compression, size)
