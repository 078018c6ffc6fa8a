"""Plain text: Google's form, paragraphs or a whole document."""

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import PurePath
from typing import BinaryIO

from bertsmith.corpus.compression import strip_compression
from bertsmith.corpus.document import RawDocument
from bertsmith.corpus.gutenberg import without_licence
from bertsmith.corpus.lines import read_lines
from bertsmith.corpus.source import Source
from bertsmith.corpus.text_form import are_json_lines, guess_text_form
from bertsmith.errors import CorpusError

__all__ = ["read"]

_SAMPLE_CHARS = 64 * 2**10

_Lines = Iterable[tuple[int, str]]


def read(stream: BinaryIO, source: Source) -> Iterator[RawDocument]:
    """Yields the documents of a text file; `CorpusSettings.text_form` says how it is laid out.

    Project Gutenberg's header and licence are left out. A file that is one document is titled by
    its name. JSON lines are refused, unless the form is given.

    **Source**: google-research/bert, create_pretraining_data.py, for one sentence a line.
    """
    lines: _Lines = without_licence(_universal(read_lines(stream, source)), source.counts)
    form = source.settings.text_form
    if form == "auto":
        sample = _sample(lines)
        if are_json_lines(text for _, text in sample):
            raise _json_error(source)
        form = guess_text_form(
            (text[:_SAMPLE_CHARS] for _, text in sample), source.settings.language
        )
        lines = chain(sample, lines)
    if form == "document":
        lines = _joined(lines, source.settings.max_document_chars)
        name = PurePath(strip_compression(source.where)[0]).stem
        # A name in another encoding than UTF-8 has half characters, which no store can hold.
        name = name.encode(errors="replace").decode()
        title = name if name != "standard input" else ""
        return _documents(lines, source, title, sentences_given=False, blank_line_ends=False)
    return _documents(lines, source, "", sentences_given=form == "sentences", blank_line_ends=True)


def _universal(lines: _Lines) -> Iterator[tuple[int, str]]:
    """Ends lines as Windows and old Macs do; lines that a lone CR ends share a number."""
    for number, text in lines:
        if "\r" in text:
            for part in text.removesuffix("\r").split("\r"):
                yield number, part
        else:
            yield number, text


def _sample(lines: _Lines) -> list[tuple[int, str]]:
    sample, size = [], 0
    for number, text in lines:
        sample.append((number, text))
        size += len(text) + 1
        if size >= _SAMPLE_CHARS:
            break
    return sample


def _json_error(source: Source) -> CorpusError:
    name, compression = strip_compression(source.where)
    if name == "standard input":
        fix = "give --standard-input-format jsonl"
    else:
        fix = f"let its name end in .jsonl{compression}"
    return CorpusError(
        "holds JSON lines, not plain text",
        where=source.where,
        fix=f"{fix}, or --text-form sentences to read them as text",
    )


def _joined(lines: _Lines, max_chars: int) -> Iterator[tuple[int, str]]:
    """One line for each paragraph: its lines joined by a space, with the first one's number."""
    first, parts, size = 0, list[str](), 0
    for number, line in lines:
        text = line.strip()
        if parts and (not text or size + len(text) > max_chars):
            yield first, " ".join(parts)
            parts, size = [], 0
        if text:
            first = first if parts else number
            parts.append(text)
            size += len(text) + 1
    if parts:
        yield first, " ".join(parts)


def _documents(
    lines: _Lines, source: Source, title: str, *, sentences_given: bool, blank_line_ends: bool
) -> Iterator[RawDocument]:
    first, parts, size, limit = 0, list[str](), 0, source.settings.max_document_chars
    for number, line in lines:
        text = line.strip()
        too_long = size + len(text) > limit
        if parts and (too_long or (blank_line_ends and not text)):
            yield RawDocument(title, "\n".join(parts), sentences_given, source.at(first))
            parts, size = [], 0
            if text:
                source.counts["documents_cut"] += 1
        if text:
            first = first if parts else number
            parts.append(text)
            size += len(text) + 1
    if parts:
        yield RawDocument(title, "\n".join(parts), sentences_given, source.at(first))
