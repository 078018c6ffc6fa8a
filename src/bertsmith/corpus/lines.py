"""Bytes → decoded lines, in blocks, so that no file and no line is ever wholly in memory."""

from collections.abc import Iterator
from typing import BinaryIO

from bertsmith.corpus.source import Source

__all__ = ["read_lines"]

_BLOCK_BYTES = 2**20
_BOM = b"\xef\xbb\xbf"


def read_lines(
    stream: BinaryIO, source: Source, *, cut_long: bool = True
) -> Iterator[tuple[int, str]]:
    r"""Yields every line's number, counted from 1, and its text without the line feed.

    Args:
        stream: the decompressed bytes.
        source: the file that they are of; it says what happens to bad bytes and long lines.
        cut_long: with `errors="replace"`, whether a line over `max_line_bytes` is cut at white
            space into several (which then share its number), or dropped.

    Raises:
        CorpusError: see `Source.fault`.

    Example:
        >>> import io
        >>> from collections import Counter
        >>> from bertsmith.corpus.settings import CorpusSettings
        >>> source = Source("a.txt", CorpusSettings(), Counter())
        >>> list(read_lines(io.BytesIO(b"one\ntwo"), source))
        [(1, 'one'), (2, 'two')]
    """
    return _LineReader(source, cut_long).read(stream)


class _LineReader:
    """Where in the file the reader stands.

    Attributes:
        number: number of the line that comes next.
        offset: where it (or what is left of it) starts in the decompressed text, in bytes.
        inside_long: whether the first part of that line was cut off already.
    """

    def __init__(self, source: Source, cut_long: bool) -> None:
        self.source, self.cut_long = source, cut_long
        self.limit = source.settings.max_line_bytes
        self.number, self.offset, self.inside_long = 1, 0, False

    def read(self, stream: BinaryIO) -> Iterator[tuple[int, str]]:
        rest = self._after_bom(stream)
        while rest:
            end = rest.rfind(b"\n") + 1
            yield from self._whole_lines(rest[:end])
            rest = rest[end:]
            while len(rest) > self.limit:
                piece, rest = self._cut(rest)
                yield from self._line(piece)
            block = stream.read(_BLOCK_BYTES)
            if not block:
                break
            rest += block
        if rest:
            yield from self._last(rest)

    def _after_bom(self, stream: BinaryIO) -> bytes:
        """The first block but for a byte order mark, which a server may send by itself."""
        start = b""
        while len(start) < len(_BOM) and (block := stream.read(len(_BOM) - len(start))):
            start += block
        if start == _BOM:
            self.offset, start = len(_BOM), b""
        return start + stream.read(_BLOCK_BYTES)

    def _whole_lines(self, data: bytes) -> Iterator[tuple[int, str]]:
        """Lines that all end with a line feed; mostly they are sound and decoded in one go."""
        lines = data.split(b"\n")[:-1]
        sound = not self.inside_long and len(max(lines, key=len, default=b"")) <= self.limit
        if sound and b"\0" not in data:
            try:
                texts = data.decode().split("\n")[:-1]
            except UnicodeDecodeError:
                pass
            else:
                yield from enumerate(texts, self.number)
                self.number += len(texts)
                self.offset += len(data)
                return
        for line in lines:
            yield from self._last(line)
            self.number, self.offset, self.inside_long = self.number + 1, self.offset + 1, False

    def _last(self, line: bytes) -> Iterator[tuple[int, str]]:
        """One line, or what is left of a long one, without its line feed."""
        while len(line) > self.limit:
            piece, line = self._cut(line)
            yield from self._line(piece)
        yield from self._line(line)

    def _line(self, piece: bytes) -> Iterator[tuple[int, str]]:
        if not self.inside_long or (self.cut_long and piece):
            yield self.number, self.source.decode(piece, line=self.number, offset=self.offset)
        self.offset += len(piece)

    def _cut(self, line: bytes) -> tuple[bytes, bytes]:
        """Cuts a line over the limit in two: at white space, or at least between characters."""
        if not self.inside_long:
            self.source.fault(
                "long_lines_cut" if self.cut_long else "long_records_dropped",
                f"the line is longer than {self.limit:,} bytes",
                line=self.number,
                fix="break it into shorter ones",
                instead="cut it at white space" if self.cut_long else "drop it",
            )
        self.inside_long = True
        end = max(line.rfind(b" ", 0, self.limit), line.rfind(b"\t", 0, self.limit)) + 1
        if not end:
            end = self.limit
            while end > self.limit - 4 and line[end] & 0xC0 == 0x80:
                end -= 1
        return line[:end], line[end:]
