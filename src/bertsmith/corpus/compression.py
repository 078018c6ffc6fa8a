"""Compressed files as streams of bytes, found by extension."""

import bz2
import io
import lzma
import zlib
from collections.abc import Callable
from pathlib import PurePath
from typing import BinaryIO, Protocol

import zstandard

from bertsmith.corpus.packing import NUM_FIRST_BYTES, is_packed_as_named
from bertsmith.corpus.source import Source

__all__ = ["COMPRESSIONS", "decompressed", "strip_compression"]

# A few bytes can stand for a great many. Little is fed at a time, so that a block of zeros (or an
# archive made to fill the memory) never unpacks to more than about 100 MB at once. That isn't
# enough for bzip2, where 40 bytes can stand for 46 MB: it is told to stop after a part.
_FEED_BYTES = 4096
_PART_BYTES = 2**20


class _Decompressor(Protocol):
    """What the decompressor objects of zlib, bz2, lzma and zstandard have in common."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, /) -> bytes: ...


class _ByParts:
    """Hands out at most `_PART_BYTES` at a time; the next ones come for an empty input."""

    def __init__(self, decompressor: bz2.BZ2Decompressor | lzma.LZMADecompressor) -> None:
        self._decompressor = decompressor

    @property
    def eof(self) -> bool:
        return self._decompressor.eof

    @property
    def unused_data(self) -> bytes:
        return self._decompressor.unused_data

    def decompress(self, data: bytes, /) -> bytes:
        return self._decompressor.decompress(data, _PART_BYTES)


COMPRESSIONS: dict[str, Callable[[], _Decompressor]] = {
    ".gz": lambda: zlib.decompressobj(wbits=31),
    ".bz2": lambda: _ByParts(bz2.BZ2Decompressor()),
    ".xz": lambda: _ByParts(lzma.LZMADecompressor(format=lzma.FORMAT_XZ)),
    ".zst": lambda: zstandard.ZstdDecompressor(max_window_size=2**31).decompressobj(),
}


def strip_compression(name: str) -> tuple[str, str]:
    """Splits a file name into the name without a compression's extension, and that extension.

    Example:
        >>> strip_compression("wiki.jsonl.zst"), strip_compression("wiki.txt")
        (('wiki.jsonl', '.zst'), ('wiki.txt', ''))
    """
    suffix = PurePath(name).suffix.lower()
    return (name[: -len(suffix)], suffix) if suffix in COMPRESSIONS else (name, "")


def decompressed(stream: BinaryIO, compression: str, source: Source) -> BinaryIO:
    """Returns a stream of the unpacked bytes.

    Files of several members or frames one after another are read to the end; NUL bytes between
    and after them are padding.

    Args:
        stream: the packed bytes.
        compression: a key of `COMPRESSIONS`, or "" for bytes that aren't packed.
        source: the file that they are of. Where errors aren't strict, data that is cut off or
            corrupt ends the stream early and is counted as "truncated_files", what isn't packed as
            the name says is left out and counted as "broken_files".

    Raises:
        CorpusError: on reading, where errors are strict and the data is cut off or corrupt.
    """
    if not compression:
        return stream
    return io.BufferedReader(_Unpacked(stream, compression, source), buffer_size=2**18)


class _Unpacked(io.RawIOBase):
    """Unpacks as it is read, and knows a cut-off file from one that ends."""

    def __init__(self, stream: BinaryIO, compression: str, source: Source) -> None:
        self._stream, self._compression, self._source = stream, compression, source
        self._decompressor: _Decompressor | None = None
        self._left, self._is_part = b"", False
        self._pending = memoryview(b"")
        self._num_bytes, self._ended, self._is_first = 0, False, True

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview") -> int:  # type: ignore[override]
        while not self._pending and not self._ended:
            if self._is_part:
                self._pending = memoryview(self._unpack(b""))
                continue
            data = self._left or self._stream.read(_FEED_BYTES)
            self._left = b""
            if not data:
                if self._decompressor is not None:
                    self._broken("ends too early")
                self._ended = True
                return 0
            self._pending = memoryview(self._unpack(data))
        size = min(len(buffer), len(self._pending))
        buffer[:size] = self._pending[:size]
        self._pending = self._pending[size:]
        self._num_bytes += size
        return size

    def _as_named(self, data: bytes) -> bytes:
        """The first bytes, enough of them to tell what they are: a server may send few at once."""
        while len(data) < NUM_FIRST_BYTES and (more := self._stream.read(_FEED_BYTES)):
            data += more
        self._ended = not is_packed_as_named(data, self._compression, self._source)
        return data

    def _unpack(self, data: bytes) -> bytes:
        if self._decompressor is None:
            data = data.lstrip(b"\0")
            if not data:
                return b""
            if self._is_first:
                self._is_first, data = False, self._as_named(data)
                if self._ended:
                    return b""
            self._decompressor = COMPRESSIONS[self._compression]()
        try:
            unpacked = self._decompressor.decompress(data)
        except (zlib.error, OSError, lzma.LZMAError, zstandard.ZstdError, EOFError):
            self._broken("is corrupt")
            self._ended = True
            return b""
        self._is_part = len(unpacked) == _PART_BYTES and not self._decompressor.eof
        if self._decompressor.eof:
            self._left = self._decompressor.unused_data
            self._decompressor = None
        return unpacked

    def _broken(self, how: str) -> None:
        self._source.fault(
            "truncated_files",
            f"the {self._compression} data {how} ({self._num_bytes:,} bytes of text before that "
            "are good)",
            fix="copy or download the file again",
            instead="keep what is good",
        )
