"""Wikipedia XML dumps (MediaWiki exports): a document for each article."""

import re
from collections.abc import Iterator
from typing import BinaryIO
from xml.parsers import expat

from bertsmith.corpus.document import RawDocument
from bertsmith.corpus.source import Source

__all__ = ["read"]

_BLOCK_BYTES = 2**17
# No tag, comment or nesting of a dump is as large; the parser would hold it all in memory.
_MAX_TAG_BYTES = 2**20
_MAX_DEPTH = 32

# Parent and name of the elements whose text is read.
_WANTED = {("page", "title"), ("page", "ns"), ("revision", "model"), ("revision", "text")}

# "#REDIRECT [[Rain]]" in any language.
_REDIRECT = re.compile(r"\s*+#[^\s:\[]++\s*+:?\s*+\[\[")
_NUMBER = re.compile(r"\s*-?[0-9]{1,9}\s*")


def read(stream: BinaryIO, source: Source) -> Iterator[RawDocument]:
    """Yields a document for each page of the namespaces in `CorpusSettings.xml_namespaces`.

    The text is left in mark-up, for `strip_wikitext`. Redirects and pages that aren't articles are
    dropped and counted; of several revisions the last one is read. `where` names the line on which
    a page starts.
    """
    dump = _Dump(source)
    line, offset, num_cut = 1, 0, source.counts["truncated_files"]
    for block in _blocks(stream):
        dump.feed(_decode(block, source, line, offset))
        line, offset = line + block.count(b"\n"), offset + len(block)
        yield from dump.pages
        dump.pages.clear()
        if dump.is_broken:
            return
    is_told = source.counts["truncated_files"] > num_cut
    if offset and not is_told:
        dump.end(offset)


def _blocks(stream: BinaryIO) -> Iterator[bytes]:
    """Blocks of bytes that end between two characters."""
    rest = b""
    while block := stream.read(_BLOCK_BYTES):
        block = rest + block
        end = _last_start(block)
        rest = block[end:]
        if end:
            yield block[:end]
    if rest:
        yield rest


def _last_start(block: bytes) -> int:
    """Where the last character starts, if it isn't whole; otherwise the block's end."""
    for back in range(1, min(4, len(block)) + 1):
        byte = block[-back]
        if byte >= 0xC0:
            length = 2 + (byte >= 0xE0) + (byte >= 0xF0)
            return len(block) - (back if back < length else 0)
        if byte < 0x80:
            break
    return len(block)


def _decode(block: bytes, source: Source, line: int, offset: int) -> str:
    try:
        text = block.decode()
    except UnicodeDecodeError:
        text = "\0"
    if "\0" not in text:
        return text
    pieces = list[str]()
    for number, piece in enumerate(block.split(b"\n"), line):
        pieces.append(source.decode(piece, line=number, offset=offset))
        offset += len(piece) + 1
    return "\n".join(pieces)


class _NoDumpError(Exception):
    """The file is XML, but no MediaWiki export."""


class _Dump:
    """Makes pages of the parser's events.

    Attributes:
        pages: those that are read and not yet handed on.
        is_broken: whether the rest of the file can't be read; where errors are strict, that is
            an exception.
    """

    def __init__(self, source: Source) -> None:
        self.pages, self.is_broken = list[RawDocument](), False
        self._source = source
        self._parser = expat.ParserCreate("utf-8")
        self._parser.buffer_text = True
        self._parser.buffer_size = 2**16
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        # Entities are what bombs are made of; only a document type can declare them.
        self._parser.StartDoctypeDeclHandler = self._document_type
        self._path, self._namespaces = list[str](), dict[str, int]()
        self._fields = dict[str, str]()
        self._parts, self._num_chars = list[str](), 0
        self._line, self._too_long = 0, False
        self._bytes_fed = 0

    def feed(self, text: str) -> None:
        """Reads on."""
        data = text.encode()
        self._bytes_fed += len(data)
        try:
            self._parser.Parse(data, False)
            if self._bytes_fed - self._parser.CurrentByteIndex > _MAX_TAG_BYTES:
                raise _NoDumpError(f"has a tag of over {_MAX_TAG_BYTES:,} bytes")
        except _NoDumpError as error:
            self._broken("broken_files", f"is XML, but no MediaWiki export ({error})")
        except expat.ExpatError as error:
            what = expat.ErrorString(error.code)
            if self._path:
                good = f"{self._parser.ErrorByteIndex:,} bytes of text before that are good"
                problem = f"is broken XML ({what}; {good})"
                self._broken("truncated_files", problem, error.lineno)
            else:
                self._broken("broken_files", f"is no XML ({what})", error.lineno)

    def end(self, offset: int) -> None:
        """Says that there is no more; `offset` is the size of the file, in bytes of text."""
        try:
            self._parser.Parse(b"", True)
        except expat.ExpatError as error:
            if self._path:
                problem = f"the XML ends too early ({offset:,} bytes of text were read)"
                self._broken("truncated_files", problem, error.lineno)
            elif self._bytes_fed:
                self._broken("empty_files", "holds no XML element", error.lineno)

    def _broken(self, name: str, problem: str, line: int | None = None) -> None:
        self.is_broken = True
        fix = "give a dump such as enwiki-latest-pages-articles.xml.bz2"
        if name == "truncated_files":
            fix = "copy or download the file again"
        self._source.fault(name, problem, line=line, fix=fix, instead="keep what is before that")

    def _document_type(self, name: str, *_: object) -> None:
        raise _NoDumpError(f"it declares the document type {name[:40]!r}")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        parent = self._path[-1] if self._path else ""
        self._path.append(name)
        if not parent and name != "mediawiki":
            raise _NoDumpError(f"its first element is <{name[:40]}>, not <mediawiki>")
        if len(self._path) > _MAX_DEPTH:
            raise _NoDumpError(f"elements nest over {_MAX_DEPTH} deep")
        if name == "page":
            self._fields, self._line = {}, self._parser.CurrentLineNumber
        elif name == "redirect":
            self._fields["redirect"] = ""
        if (parent, name) in _WANTED or name == "namespace":
            self._parts, self._num_chars = [attributes.get("key", "")], 0
            self._parser.CharacterDataHandler = self._characters

    def _characters(self, text: str) -> None:
        self._num_chars += len(text)
        if self._num_chars <= self._source.settings.max_line_bytes:
            self._parts.append(text)

    def _end(self, name: str) -> None:
        self._path.pop()
        if self._parser.CharacterDataHandler is not None:
            self._parser.CharacterDataHandler = None
            key, *parts = self._parts
            self._fields[name] = "".join(parts)
            if name == "text":
                self._too_long = self._num_chars > self._source.settings.max_line_bytes
            elif name == "namespace" and _NUMBER.fullmatch(key):
                self._namespaces["".join(parts)] = int(key)
        if name == "page":
            self._end_page()

    def _end_page(self) -> None:
        source, fields = self._source, self._fields
        text, model = fields.get("text"), fields.get("model", "wikitext")
        if self._namespace() not in source.settings.xml_namespaces or model != "wikitext":
            source.counts["other_pages_dropped"] += 1
        elif "redirect" in fields or (text and _REDIRECT.match(text)):
            source.counts["redirects_dropped"] += 1
        elif text is None:
            source.fault(
                "broken_records",
                "the page has no <text>",
                line=self._line,
                fix="give a dump with text (pages-articles)",
                instead="skip the page",
            )
        elif self._too_long:
            source.fault(
                "long_records_dropped",
                f"the page's text is longer than {source.settings.max_line_bytes:,} characters",
                line=self._line,
                instead="drop it",
            )
        elif not text.strip():
            source.counts["pages_without_text"] += 1
        else:
            title = " ".join(fields.get("title", "").split())
            where = source.at(self._line)
            self.pages.append(RawDocument(title, text, False, where, markup="wikitext"))

    def _namespace(self) -> int:
        """Dumps of before 2012 have no <ns>; there the title tells."""
        number = self._fields.get("ns")
        if number is None:
            prefix, colon, _ = self._fields.get("title", "").partition(":")
            return self._namespaces.get(prefix, 0) if colon else 0
        return int(number) if _NUMBER.fullmatch(number) else 0
