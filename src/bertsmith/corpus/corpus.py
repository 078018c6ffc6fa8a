"""A corpus: files read one after another, as documents."""

import io
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, cast

from bertsmith.corpus.compression import decompressed
from bertsmith.corpus.document import Document, RawDocument
from bertsmith.corpus.files import STANDARD_INPUT, TextFile, find_files
from bertsmith.corpus.formats import find_format
from bertsmith.corpus.settings import CorpusSettings
from bertsmith.corpus.source import Source
from bertsmith.corpus.splitting import split
from bertsmith.errors import CorpusError

__all__ = ["Corpus", "open_corpus"]


def open_corpus(
    paths: str | Path | Sequence[str | Path], settings: CorpusSettings | None = None
) -> "Corpus":
    """Finds the files of a corpus and checks that they are there; reads none of them yet.

    Args:
        paths: files, folders (with the folders in them), globs, "-" for standard input.
        settings: how to read; the defaults where None.

    Raises:
        CorpusError: a file that is missing, empty, not permitted or of an unknown extension, or
            a folder without text.
    """
    settings = settings or CorpusSettings()
    counts = Counter[str]()
    listed = [paths] if isinstance(paths, str | Path) else list(paths)
    return Corpus(find_files(listed, settings, counts), settings, counts)


class Corpus:
    """Text files as one series of documents. Every iteration reads them anew, in order.

    Attributes:
        settings: how they are read.
        counts: what the last iteration mended or left out, name → number: `bad_bytes`,
            `nul_bytes`, `lone_surrogates`, `long_lines_cut`, `long_records_dropped`,
            `broken_records`, `empty_documents`, `empty_files`, `documents_cut` (too long for one),
            `files_ignored` (of other extensions). Only those that happened are there.
        num_bytes: size of all files on disk, in bytes; 0 if it comes from standard input alone.

    Example:
        >>> import pathlib, tempfile
        >>> folder = pathlib.Path(tempfile.mkdtemp())
        >>> _ = (folder / "a.txt").write_text("It rains. We stay in. Why not?")
        >>> list(open_corpus(folder).documents())
        [Document(title='', sentences=['It rains.', 'We stay in.', 'Why not?'])]
    """

    def __init__(
        self, files: Sequence[TextFile], settings: CorpusSettings, counts: Counter[str]
    ) -> None:
        self._files, self.settings = tuple(files), settings
        self._counts_at_opening = Counter(counts)
        self.counts = Counter(counts)
        self.num_bytes = sum(file.num_bytes for file in self._files)
        self._bytes_done = 0
        self._open_file: _Counted | None = None
        self._standard_input_read = False

    @property
    def files(self) -> tuple[Path, ...]:
        """The files, in the order in which they are read."""
        return tuple(file.path for file in self._files)

    @property
    def bytes_read(self) -> int:
        """How far the iteration has got, in bytes on disk, out of `num_bytes`."""
        open_file = self._open_file
        now = min(open_file.num_bytes, open_file.size) if open_file else 0
        return self._bytes_done + now

    def documents(self) -> Iterator[Document]:
        """Yields the documents, cut into sentences."""
        for raw in self:
            document = split(raw, self.settings.language)
            if document is not None:
                yield document

    def __iter__(self) -> Iterator[RawDocument]:
        """Yields the documents as they are read.

        Raises:
            CorpusError: text that is not what it should be; see `CorpusSettings.errors`.
        """
        self.counts = Counter(self._counts_at_opening)
        self._bytes_done = 0
        any_text = False
        for file in self._files:
            for document in self._read(file):
                any_text = True
                yield document
            self._bytes_done += file.num_bytes
        if not any_text:
            raise CorpusError(
                "no text is left",
                where=self.files[0],
                fix="look at what was left out: " + ", ".join(self.counts),
            )

    def _read(self, file: TextFile) -> Iterator[RawDocument]:
        where = "standard input" if file.path == STANDARD_INPUT else str(file.path)
        source = Source(where, self.settings, self.counts)
        faults = self.counts.total()
        any_text = False
        try:
            with _Counted(self._open(file), file.num_bytes) as self._open_file:
                stream = decompressed(cast(BinaryIO, self._open_file), file.compression, where)
                for document in find_format(file.format).read(stream, source):
                    any_text = True
                    yield document
        except OSError as error:
            raise CorpusError(
                f"cannot be read ({error.strerror or error})", where=where, fix="check the disk"
            ) from error
        finally:
            self._open_file = None
        if not any_text and self.counts.total() == faults:
            source.fault("empty_files", "holds no text", fix="leave it out", instead="skip it")

    def _open(self, file: TextFile) -> BinaryIO:
        if file.path != STANDARD_INPUT:
            return file.path.open("rb")
        if self._standard_input_read:
            raise CorpusError(
                "can be read only once", where="standard input", fix="save the text in a file"
            )
        self._standard_input_read = True
        return sys.stdin.buffer


class _Counted(io.RawIOBase):
    """A file that knows how much of it was read."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file, self.size, self.num_bytes = file, size, 0

    def readinto(self, buffer: "memoryview") -> int:  # type: ignore[override]
        data = self._file.read(len(buffer))
        buffer[: len(data)] = data
        self.num_bytes += len(data)
        return len(data)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self._file.seekable()

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def close(self) -> None:
        if not self.closed and self._file is not sys.stdin.buffer:
            self._file.close()
        super().close()
