"""Which documents a key stands in: noted on disk, so that memory doesn't grow with the corpus."""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from bertsmith.errors import CorpusError

__all__ = ["Documents", "Keys", "Occurrences", "notes_file", "room_for_notes", "runs"]

Keys = npt.NDArray[np.uint64]
Documents = npt.NDArray[np.uint32]

_RECORD = np.dtype([("key", "<u8"), ("document", "<u4")])


class Occurrences:
    """Pairs of a 64-bit key and a document's number; added in any order, read sorted.

    A pair takes 12 bytes in files without a name, which are gone when this process ends. They are
    split by the key's first bits, so that one of them at a time is sorted in memory.

    Args:
        num_parts: how many files, a power of two. Memory while reading is about four times the
            size of one.

    Example:
        >>> notes = Occurrences(2)
        >>> notes.add(np.array([7, 2**63, 7], np.uint64), np.array([0, 0, 1], np.uint32))
        >>> [(keys.tolist(), documents.tolist()) for keys, documents in notes.parts()]
        [([7, 7], [0, 1]), ([9223372036854775808], [0])]
        >>> notes.close()
    """

    def __init__(self, num_parts: int) -> None:
        self._files = [notes_file() for _ in range(num_parts)]
        self._shift = np.uint64(64 - (num_parts.bit_length() - 1))

    def add(self, keys: Keys, documents: Documents) -> None:
        """Notes pairs.

        Args:
            keys: the keys [n].
            documents: the number of the document in which each stands [n].
        """
        # A shift by 64 bits, for one part, is undefined.
        parts = keys >> self._shift if len(self._files) > 1 else np.zeros_like(keys)
        order = np.argsort(parts, kind="stable")
        records = np.empty(len(keys), _RECORD)
        records["key"], records["document"] = keys[order], documents[order]
        ends = np.searchsorted(parts[order], np.arange(1, len(self._files)))
        with room_for_notes():
            for file, part in zip(self._files, np.split(records, ends), strict=True):
                file.write(part.tobytes())

    def parts(self) -> Iterator[tuple[Keys, Documents]]:
        """Yields keys and documents, sorted by key and then by document, a part at a time."""
        for file in self._files:
            with room_for_notes():
                file.seek(0)
                records = np.frombuffer(file.read(), _RECORD)
            keys, documents = records["key"], records["document"]
            order = np.lexsort((documents, keys))
            yield keys[order], documents[order]

    def close(self) -> None:
        """Gives the disk's room back."""
        with ExitStack() as stack:
            for file in self._files:
                stack.callback(file.close)


def runs(
    keys: npt.NDArray[np.unsignedinteger[Any]],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Finds where equal keys stand together.

    Returns:
        The index at which each run starts, and how long it is.

    Example:
        >>> [array.tolist() for array in runs(np.array([3, 3, 5], np.uint64))]
        [[0, 2], [2, 1]]
    """
    is_start = np.ones(len(keys), np.bool_)
    is_start[1:] = keys[1:] != keys[:-1]
    starts = np.flatnonzero(is_start)
    return starts, np.diff(starts, append=len(keys))


def notes_file() -> IO[bytes]:
    """A temporary file without a name."""
    with room_for_notes():
        return tempfile.TemporaryFile(prefix="bertsmith-")


@contextmanager
def room_for_notes() -> Iterator[None]:
    """Says in one line where notes can't be kept.

    Raises:
        CorpusError: instead of an OSError of the body.
    """
    try:
        yield
    except OSError as error:
        raise CorpusError(
            f"cannot keep notes about the corpus ({error.strerror or error})",
            where=tempfile.gettempdir(),
            fix="make room there, or name another folder in TMPDIR",
        ) from error
