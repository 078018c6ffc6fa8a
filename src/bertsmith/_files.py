"""Writing that is whole or absent: beside, synced, renamed."""

import errno
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from threading import Lock
from typing import IO, Any

__all__ = [
    "atomic_file",
    "atomic_folder",
    "atomic_json_lines",
    "is_store",
    "locked",
    "make_folder",
    "remove",
    "sha256_of_file",
    "sync",
    "tidy",
]

_asking = Lock()
_TEMPORARY, _REPLACED = ".tmp", ".old"


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yields a temporary path beside `path`; on success it takes `path`'s place in one step.

    If the body raises, the temporary file is removed and whatever stood at `path` stays. An
    `OSError` that names no file, such as that of a full disk, names `path` then.
    """
    make_folder(path.parent)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=_TEMPORARY)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        sync(temporary)
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
        sync(path.parent)
    except OSError as error:
        if error.filename is None:
            error.filename = str(path)
        raise
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_json_lines(path: Path) -> Iterator[Callable[[Any], None]]:
    """Yields what writes a value as a line of JSON; see `atomic_file`.

    Half a character (a lone surrogate), which JSON may hold, is written as JSON has it.
    """
    with (
        atomic_file(path) as temporary,
        temporary.open("w", encoding="utf-8", errors="backslashreplace") as file,
    ):
        yield lambda value: print(json.dumps(value, ensure_ascii=False), file=file)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yields a temporary folder beside `path`; on success it is synced and renamed to `path`.

    A folder that already stands at `path` is replaced only when the new one is whole, and it is
    deleted last. If the body raises, nothing at `path` has changed. What a killed process leaves,
    `tidy` sets right.
    """
    make_folder(path.parent)
    beside = partial(tempfile.mkdtemp, dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(beside(suffix=_TEMPORARY))
    try:
        yield temporary
        for file in sorted(temporary.rglob("*")):
            sync(file)
        sync(temporary)
        temporary.chmod(0o777 & ~_umask())
        if path.exists():
            old = Path(beside(suffix=_REPLACED))
            path.replace(old)
            try:
                temporary.replace(path)
            except BaseException:
                old.replace(path)
                raise
            shutil.rmtree(old, ignore_errors=True)
        else:
            temporary.replace(path)
        sync(path.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def tidy(folder: Path) -> None:
    """Sets right what killed processes left in a folder, where none writes any more.

    What they hadn't finished is deleted, and so is what had been replaced; where its successor
    hadn't got to its place yet, it comes back. What can't be deleted is in no way.
    """
    for old in folder.glob(f".*{_REPLACED}"):
        place = old.with_name(old.name[1:].rsplit(".", 2)[0])
        if not (place.exists() or place.is_symlink()):
            with suppress(OSError):
                old.replace(place)
                sync(folder)
    for pattern in (_TEMPORARY, _REPLACED):
        for path in folder.glob(f".*{pattern}"):
            remove(path)


def remove(path: Path) -> None:
    """Deletes a file or a folder with all that is in it, as far as that can be done."""
    is_folder = path.is_dir() and not path.is_symlink()
    with suppress(OSError):
        shutil.rmtree(path, ignore_errors=True) if is_folder else path.unlink(missing_ok=True)


def make_folder(path: Path) -> list[Path]:
    """Makes a folder and those above it; their names are on the disk when this returns.

    Returns:
        Those that weren't there before, the innermost first.
    """
    made = [folder for folder in [path, *path.parents] if not folder.exists()]
    path.mkdir(parents=True, exist_ok=True)
    for folder in made:
        with suppress(PermissionError):  # one may make folders where one may not list them
            sync(folder.parent)
    return made


def sha256_of_file(path: Path) -> str:
    """Returns the SHA-256 of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync(path: Path) -> None:
    """Waits until a file's content, or a folder's list of names, is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        try:
            os.fsync(descriptor)
        except OSError as error:  # a disk of another machine may not know it of folders
            if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP) or not path.is_dir():
                raise
        if hasattr(fcntl, "F_FULLFSYNC"):  # on macOS it may be in the disk's own memory yet
            with suppress(OSError):  # a disk of another machine knows no such thing
                fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
    finally:
        os.close(descriptor)


@contextmanager
def locked(path: Path, warn: Callable[[str], None] | None = None) -> Iterator[bool]:
    """Tries to hold a lock file while the body runs; yields whether nobody else holds it.

    The lock ends with the process, however that ends. Who holds it may delete the file. Some disks
    of several machines have no locks; there nobody is known to hold any.

    Args:
        path: the lock file.
        warn: is told where there are no locks.
    """
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            is_ours = _is_open_at(file, path)
        except BlockingIOError:
            is_ours = False
        except OSError as error:
            if error.errno not in (errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK):
                raise
            is_ours = True
            if warn is not None:
                warn(f"{path.parent}: this disk has no locks; let nothing else write there")
        yield is_ours


def _is_open_at(file: IO[str], path: Path) -> bool:
    """Whether an open file still stands at its path, and wasn't deleted by who held it before."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def is_store(folder: Path) -> bool:
    """Whether `bertsmith prepare` made the folder: nothing in it is text, or to be replaced.

    Of a folder that may not be looked into the answer is no; reading it tells that it may not.
    """
    try:
        return (folder / "manifest.json").is_file() and any(folder.glob("shard-*.arrow"))
    except PermissionError:
        return False


def _umask() -> int:
    """What the process takes from the permissions of new files.

    To ask the system's call is to set it, for all threads. Linux tells it otherwise too.
    """
    with suppress(OSError, StopIteration, ValueError):
        lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
        told = next(line for line in lines if line.startswith("Umask:"))
        return int(told.removeprefix("Umask:"), 8)
    with _asking:  # else what one thread sets, the other takes for the process's, and leaves it so
        mask = os.umask(0)
        os.umask(mask)
    return mask
