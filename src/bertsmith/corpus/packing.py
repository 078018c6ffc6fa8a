"""Telling by its first bytes how a file is packed, whatever its name says."""

import codecs
import io
import re
from typing import BinaryIO, cast

from bertsmith.corpus.source import Source
from bertsmith.errors import CorpusError

__all__ = ["NUM_FIRST_BYTES", "is_packed_as_named", "not_packed", "packing_of"]

_STARTS = {
    ".gz": re.compile(rb"\x1f\x8b"),
    ".bz2": re.compile(rb"BZh[1-9](1AY&SY|\x17rE8P\x90)"),
    ".xz": re.compile(rb"\xfd7zXZ\0"),
    ".zst": re.compile(rb"\x28\xb5\x2f\xfd"),
    ".zip": re.compile(rb"PK\x03\x04"),
    ".parquet": re.compile(rb"PAR1\x15"),
    ".pdf": re.compile(rb"%PDF-\d"),
}
NUM_FIRST_BYTES = 10
"""So many tell how data is packed."""
_UNPACKED_BY = {".gz": "zcat", ".bz2": "bzcat", ".xz": "xzcat", ".zst": "zstdcat"}


def packing_of(start: bytes) -> str:
    r"""The extension that data should have, by its first ten bytes or more; "" if it isn't packed.

    Example:
        >>> packing_of(b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03"), packing_of(b"BZh is a text")
        ('.gz', '')
    """
    return next((name for name, pattern in _STARTS.items() if pattern.match(start)), "")


def not_packed(stream: BinaryIO, source: Source) -> BinaryIO:
    """Returns a stream of the same bytes, checked to be no packed ones; an empty one if they are.

    Args:
        stream: the bytes of a file whose name has no compression's extension.
        source: the file; packed data is its fault, "broken_files".
    """
    buffered = io.BufferedReader(cast(io.RawIOBase, stream))
    if is_packed_as_named(buffered.peek(), "", source):
        return buffered
    return io.BytesIO()


def is_packed_as_named(start: bytes, named: str, source: Source) -> bool:
    """Whether data is packed as its name says, as far as can be told by its first bytes.

    Args:
        start: its first bytes; a few hundred tell text from other data.
        named: the compression's extension that it has, such as ".gz", or "".
        source: the file; one that is packed otherwise is its fault, "broken_files".

    Raises:
        CorpusError: it isn't; where errors are strict, or on standard input.
    """
    found = packing_of(start)
    if found == named or (not found and not _is_text(start)):
        return True
    what, fix = _told(found, named)
    if source.where == "standard input":
        if found in _UNPACKED_BY:
            fix = f"unpack it on its way: put {_UNPACKED_BY[found]} before bertsmith"
        raise CorpusError(what, where=source.where, fix=fix)
    source.fault("broken_files", what, fix=fix, instead="skip it")
    return False


def _told(found: str, named: str) -> tuple[str, str]:
    """What is wrong, and how it is mended."""
    if not found:
        return f"is text that isn't packed, not {named} data", f"take {named} off its name"
    what = f"is {found} data, not {named or 'text'}"
    if found == ".zip":
        return what, "unpack it into a folder, and name that"
    if found == ".pdf":
        return what, "take the text out of it first"
    if found == ".parquet":
        return what, "give it as a file whose name ends in .parquet"
    if not named:
        return what, f"add {found} to its name, or unpack it"
    return what, f"put {found} in place of {named} at the end of its name"


def _is_text(start: bytes) -> bool:
    """Whether bytes are UTF-8 without control characters; the last character may be cut."""
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(start)
    except UnicodeDecodeError:
        return False
    return bool(text) and "".join(text.split()).isprintable()
