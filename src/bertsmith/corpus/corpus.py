"""A corpus: files read one after another, as documents."""

import io
import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, cast

from bertsmith._parallel import Workers
from bertsmith.corpus.cleaning_checks import check_cleaning
from bertsmith.corpus.compression import decompressed
from bertsmith.corpus.document import Document, RawDocument
from bertsmith.corpus.files import find_files
from bertsmith.corpus.findings import Findings
from bertsmith.corpus.formats import find_format, needs_seeking
from bertsmith.corpus.left_out import fix_for_nothing_left
from bertsmith.corpus.packing import not_packed
from bertsmith.corpus.position import CorpusPosition
from bertsmith.corpus.refining import Refiner
from bertsmith.corpus.settings import CorpusSettings
from bertsmith.corpus.source import Source
from bertsmith.corpus.survey import survey
from bertsmith.corpus.text_file import STANDARD_INPUT, TextFile
from bertsmith.errors import CorpusError

__all__ = ["Corpus", "open_corpus"]


def open_corpus(
    paths: str | Path | Sequence[str | Path], settings: CorpusSettings | None = None
) -> "Corpus":
    """Finds the files of a corpus and checks that they are there; reads none of them yet.

    Args:
        paths: files, folders (with the folders in them), globs, "-" for standard input, addresses
            (`https://`, `s3://`, ...), data sets (`hf://name[:config][@split][#column]`).
        settings: how to read; the defaults where None.

    Raises:
        CorpusError: a file that is missing, empty, not permitted or of an unknown extension, or
            a folder without text; or something that cleaning needs isn't there.
    """
    settings = settings or CorpusSettings()
    counts = Counter[str]()
    listed = [paths] if isinstance(paths, str | Path) else list(paths)
    files = find_files(listed, settings, counts)
    has_standard_input = any(file.path == STANDARD_INPUT for file in files)
    check_cleaning(settings.cleaning, has_standard_input=has_standard_input)
    return Corpus(files, settings, counts)


class Corpus:
    """Text files as one series of documents. Every iteration reads them anew, in order.

    Attributes:
        settings: how they are read.
        counts: what the last iteration mended or left out, name → number: `bad_bytes`,
            `nul_bytes`, `lone_surrogates`, `long_lines_cut`, `long_records_dropped`,
            `broken_records`, `empty_documents`, `empty_files`, `documents_cut` (too long for one),
            `files_ignored` (of other extensions), `truncated_files` (kept as far as they are good),
            `broken_files`, `partial_splits`, `redirects_dropped`, `other_pages_dropped`,
            `pages_without_text`, `licence_lines_dropped`, `duplicate_documents`,
            `near_duplicate_documents`; `documents` adds what its `Refiner` counts. Only those that
            happened are there.
        fault_places: where the first few of each fault in `counts` are, and what is wrong there.
        num_bytes: size of all files on disk, in bytes; 0 if it comes from standard input alone.
        findings: what `survey` found; where cleaning needs it, it is made before the first use.
        position: where the iteration stands: what `read` takes to go on from there.

    Example:
        >>> import pathlib, tempfile
        >>> folder = pathlib.Path(tempfile.mkdtemp())
        >>> _ = (folder / "a.txt").write_text("It rains. We stay in. Why not?")
        >>> list(open_corpus(folder).documents())
        [Document(title='a', sentences=['It rains.', 'We stay in.', 'Why not?'])]
    """

    def __init__(
        self, files: Sequence[TextFile], settings: CorpusSettings, counts: Counter[str]
    ) -> None:
        self._files, self.settings = tuple(files), settings
        self._counts_at_opening = Counter(counts)
        self.counts = Counter(counts)
        self.fault_places: dict[str, list[tuple[str, str]]] = {}
        self.num_bytes = sum(file.num_bytes for file in self._files)
        self._bytes_done = 0
        self._open_file: _Counted | None = None
        self._standard_input_read = False
        self.findings: Findings | None = None
        self.position = CorpusPosition(counts=dict(counts))

    @property
    def files(self) -> tuple[Path | str, ...]:
        """The files, in the order in which they are read."""
        return tuple(file.path for file in self._files)

    def file_identities(self) -> list[str] | None:
        """Name, size and time of change of every file; None if there is standard input among them.

        Files whose identities are equal are taken to hold the same text.
        """
        if any(file.path == STANDARD_INPUT for file in self._files):
            return None
        return [
            f"{file.path} {file.num_bytes} {file.version or _time_of_change(file)}"
            for file in self._files
        ]

    @property
    def bytes_read(self) -> int:
        """How far the iteration has got, in bytes on disk, out of `num_bytes`."""
        open_file = self._open_file
        now = min(open_file.num_bytes, open_file.size) if open_file else 0
        return self._bytes_done + now

    def survey(self, workers: Workers | None = None) -> Findings:
        """Reads the whole corpus once, if cleaning needs that and it wasn't done before.

        Raises:
            CorpusError: as in reading; or standard input, which can be read only once.
        """
        if self.findings is None:
            # What is read while surveying is the corpus as it stands, with nothing found yet.
            self.findings = Findings()
            if self.settings.cleaning.needs_survey:
                try:
                    self.findings = survey(self, workers)
                except BaseException:
                    self.findings = None
                    raise
        return self.findings

    @property
    def refiner(self) -> Refiner:
        """What turns documents as they are read into documents as they are used."""
        return Refiner(self.settings, self.survey().boilerplate)

    def documents(self) -> Iterator[Document]:
        """Yields the documents, cleaned and cut into sentences."""
        refiner = self.refiner
        for raw in self:
            document = refiner.document(raw, self.counts)
            if document is not None:
                yield document

    def __iter__(self) -> Iterator[RawDocument]:
        """Yields the documents as they are read, without those that `survey` found to be dropped.

        Raises:
            CorpusError: text that is not what it should be; see `CorpusSettings.errors`.
        """
        return self.read()

    def read(self, start: CorpusPosition | None = None) -> Iterator[RawDocument]:
        """Yields the documents from a position on; files before it aren't opened.

        Args:
            start: a `position` of an earlier iteration over the same files; None for the start.

        Raises:
            CorpusError: text that is not what it should be; see `CorpusSettings.errors`.
        """
        dropped = self.survey().dropped
        start = start or CorpusPosition(counts=dict(self._counts_at_opening))
        self.counts = Counter(start.counts)
        self.fault_places = {}
        self._bytes_done = sum(file.num_bytes for file in self._files[: start.file])
        number, any_text = start.number - start.document, start.number > 0
        for index, file in enumerate(self._files[start.file :], start.file):
            skipped = start.document if index == start.file else 0
            at_file = CorpusPosition(index, 0, number, dict(self.counts))
            for in_file, document in enumerate(self._read(file)):
                number += 1
                reason = dropped.get(number - 1)
                if reason is not None:
                    self.counts[reason] += 1
                if reason is None and in_file >= skipped:
                    self.position = replace(at_file, document=in_file + 1, number=number)
                    any_text = True
                    yield document
            self._bytes_done += file.num_bytes
        if not any_text:
            fix = fix_for_nothing_left(self.counts)
            raise CorpusError("no text is left", where=self.files[0], fix=fix)

    def _read(self, file: TextFile) -> Iterator[RawDocument]:
        where = "standard input" if file.path == STANDARD_INPUT else str(file.path)
        settings = self.settings
        if file.text_column is not None:
            settings = settings.model_copy(update={"text_column": file.text_column})
        source = Source(where, settings, self.counts, self.fault_places)
        faults = self.counts.total()
        any_text = False
        try:
            with _Counted(self._open(file), file.num_bytes) as self._open_file:
                stream = cast(BinaryIO, self._open_file)
                if file.compression:
                    stream = decompressed(stream, file.compression, source)
                elif not needs_seeking(file.format):
                    stream = not_packed(stream, source)
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
            return file.open()
        if self._standard_input_read:
            raise CorpusError(
                "can be read only once", where="standard input", fix="save the text in a file"
            )
        if sys.stdin is None:
            raise CorpusError("is closed", where="standard input", fix="pipe text in")
        self._standard_input_read = True
        return sys.stdin.buffer


def _time_of_change(file: TextFile) -> int:
    try:
        return os.stat(file.path).st_mtime_ns  # noqa: PTH116 (the path may be a URL)
    except OSError:
        return 0


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
        if not self.closed and self._file is not getattr(sys.stdin, "buffer", None):
            self._file.close()
        super().close()
