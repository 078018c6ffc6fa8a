"""Which files of a folder hold which split, and a dev split where there is none."""

import hashlib
import re
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path
from typing import TypeVar

from bertsmith._words import counted
from bertsmith.errors import DataError

__all__ = ["files_of_split", "find_files", "hold_out"]

Item = TypeVar("Item")

_NAMES = {
    "train": ("train", "training"),
    "dev": ("dev", "devel", "valid", "validation", "val", "testa"),
    "test": ("test", "testb"),
}
_WORD = re.compile("[a-z]+")


def files_of_split(
    folder: Path, split: str, extensions: Sequence[str], extra_stems: Sequence[str] = ()
) -> list[Path]:
    """The files of a split, found by their names; none if the folder has none.

    A file belongs to a split if its whole stem is one of the split's names (`dev.tsv`), or, where
    there is no such file, if one of the words of its name is (`eng.testa`, `dev-v1.1.json`,
    `train.char.bmes`, `train-00.jsonl`). Several files of one ending are all read, in the order
    of their names.

    Args:
        folder: where to look, not in its sub-folders.
        split: `train`, `dev` or `test`, with more words after `_` that the name must hold too
            (`dev_matched`).
        extensions: endings that the task reads, with their dots.
        extra_stems: further names of this split's file.

    Raises:
        DataError: the files found differ in their endings, so that one may be a copy of another.
    """
    kind, *qualifiers = split.split("_")
    candidates = sorted(
        path
        for path in folder.iterdir()
        if path.is_file() and path.suffix in extensions and not path.name.startswith(".")
    )
    stems = {"_".join([name, *qualifiers]) for name in _NAMES[kind]} | set(extra_stems)
    found = [path for path in candidates if path.stem in stems]
    if not found:
        found = [path for path in candidates if _has_words(path, _NAMES[kind], qualifiers)]
    if len({path.suffix for path in found}) > 1:
        names = ", ".join(path.name for path in found)
        raise DataError(
            f"holds several {split} files of different forms: {names}",
            where=folder,
            fix="leave one form",
        )
    return found


def find_files(
    folder: Path, split: str, extensions: Sequence[str], extra_stems: Sequence[str] = ()
) -> list[Path]:
    """Like `files_of_split`, but a split without a file is an error.

    Raises:
        DataError: the folder is missing or has no such file; the message says which names were
            looked for and what there is.
    """
    require_folder(folder)
    found = files_of_split(folder, split, extensions, extra_stems)
    if found:
        return found
    kind, *qualifiers = split.split("_")
    stems = ["_".join([name, *qualifiers]) for name in _NAMES[kind]] + list(extra_stems)
    there = sorted(path.name for path in folder.iterdir())
    listing = ", ".join(there[:8]) + (", …" if len(there) > 8 else "") if there else "no files"
    raise DataError(
        f"no {split} file: looked for names with {' | '.join(stems)} "
        f"and an ending of {' '.join(extensions)}; there is: {listing}",
        where=folder,
        fix="rename or add the file",
    )


def require_folder(folder: Path) -> None:
    """Raises `DataError` unless `folder` is a folder."""
    if not folder.exists():
        raise DataError("does not exist", where=folder, fix="give a data file or folder")
    if not folder.is_dir():
        raise DataError("is not a folder", where=folder, fix="give a data file or folder")


def hold_out(
    items: Sequence[Item], key: Callable[[Item], Hashable] | None = None
) -> tuple[list[Item], list[Item]]:
    """Splits a tenth off for development, the same tenth every time.

    Of n groups, those whose index has one of the ⌈n/10⌉ lowest SHA-256 values go to dev, so that
    neither order nor sorting of the file matters and no random generator is involved.

    Args:
        items: all examples, in file order.
        key: examples with the same key stay on one side (questions about one text); by default
            every example is its own group.

    Returns:
        (train, dev), both in file order, both with at least one example.

    Raises:
        DataError: there are fewer than two groups.

    Example:
        >>> train, dev = hold_out(list(range(20)))
        >>> len(train), dev
        (18, [8, 9])
    """
    keys = [key(item) for item in items] if key else list(range(len(items)))
    groups = {name: index for index, name in enumerate(dict.fromkeys(keys))}
    if len(groups) < 2:
        verb = "is" if len(items) == 1 else "are"
        raise DataError(
            f"{counted(len(items), 'example')} {verb} too few to hold a tenth out",
            fix="add a dev file",
        )
    ranked = sorted(range(len(groups)), key=lambda i: hashlib.sha256(str(i).encode()).digest())
    dev_groups = set(ranked[: -(-len(groups) // 10)])
    is_dev = [groups[name] in dev_groups for name in keys]
    train = [item for item, held in zip(items, is_dev, strict=True) if not held]
    dev = [item for item, held in zip(items, is_dev, strict=True) if held]
    return train, dev


def _has_words(path: Path, names: Sequence[str], qualifiers: Sequence[str]) -> bool:
    words = set(_WORD.findall(path.name.lower()))
    return not words.isdisjoint(names) and words.issuperset(qualifiers)
