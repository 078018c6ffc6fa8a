"""A remote file as a stream that goes on where a connection was cut."""

import io
import time
from typing import Any, BinaryIO, cast

from bertsmith.corpus.remote_errors import is_final, remote_error
from bertsmith.errors import CorpusError

__all__ = ["open_remote"]

_BLOCK_BYTES = 8 * 2**20
_WAITS_SECONDS = (0.5, 1.0, 4.0)


def open_remote(filesystem: Any, path: str, where: str, size: int | None) -> BinaryIO:
    """Opens a file through fsspec, to be read a few MB at a time; nothing is stored here.

    Where a read fails, the file is opened again at the same place, three times with growing
    pauses. Where the server can't start in the middle of a file, it is read in one go, and a cut
    connection is an error.

    Args:
        filesystem: fsspec's file system.
        path: the file, as it names it.
        where: its address, for messages.
        size: its size in bytes, None where that isn't known.

    Raises:
        CorpusError: it can't be opened; later, that it can't be read on.
    """
    return cast(BinaryIO, _RemoteStream(filesystem, path, where, size))


class _RemoteStream(io.RawIOBase):
    def __init__(self, filesystem: Any, path: str, where: str, size: int | None) -> None:
        self._filesystem, self._path = filesystem, path
        self._where, self._size = where, size
        self._position, self._in_one_go = 0, False
        self._file: Any = None
        try:
            self._file = self._opened()
        except Exception as error:  # each backend has errors of its own
            raise remote_error(error, where) from error

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return not self._in_one_go and self._size is not None

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size or 0}[whence]
        if self._in_one_go and start + offset != self._position:
            raise CorpusError(
                "the server cannot start in the middle of a file, which Parquet needs",
                where=self._where,
                fix="download the file first",
            )
        self._position = start + offset
        if self._file is not None:
            self._file.seek(self._position)
        return self._position

    def readinto(self, buffer: "memoryview") -> int:  # type: ignore[override]
        data = self._read(len(buffer))
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._drop()
        super().close()

    def _read(self, size: int) -> bytes:
        for wait in (*_WAITS_SECONDS, None):
            try:
                if self._file is None:
                    self._file = self._opened()
                data = bytes(self._file.read(size))
                if size and not data and self._size is not None and self._position < self._size:
                    raise ConnectionError(f"only {self._position:,} of {self._size:,} bytes came")
                return data
            except Exception as error:  # each backend has errors of its own
                self._drop()
                if self._is_without_ranges(error):
                    self._in_one_go = True
                elif wait is None or is_final(error) or (self._in_one_go and self._position):
                    raise self._failed(error) from error
                else:
                    time.sleep(wait)
        raise CorpusError("cannot be read", where=self._where)

    def _opened(self) -> Any:
        if self._in_one_go:
            file = self._filesystem.open(self._path, "rb", block_size=0)
            left = self._position
            while left and (skipped := file.read(min(left, _BLOCK_BYTES))):
                left -= len(skipped)
            return file
        file = self._filesystem.open(
            self._path, "rb", block_size=_BLOCK_BYTES, cache_type="readahead"
        )
        if getattr(file, "size", 0) is None:
            self._in_one_go = True
        elif self._position:
            file.seek(self._position)
        return file

    def _is_without_ranges(self, error: Exception) -> bool:
        """Some servers say that they have ranges, and send the whole file all the same."""
        return not self._in_one_go and "range requests" in str(error)

    def _failed(self, error: Exception) -> CorpusError:
        failure = remote_error(error, self._where)
        return CorpusError(
            f"{failure.what} after {self._position:,} bytes", where=self._where, fix=failure.fix
        )

    def _drop(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            try:
                file.close()
            except Exception:  # a broken connection may fail to close; it is gone either way
                return
