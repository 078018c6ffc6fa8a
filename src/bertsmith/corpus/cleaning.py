"""Taking characters and lines out of a document."""

import re
from collections.abc import Collection, Iterator

from bertsmith.corpus.document import RawDocument
from bertsmith.corpus.text_hash import hash_bytes, squeezed

__all__ = ["drop_control_characters", "drop_lines", "hashed_lines"]

# What is left of Unicode without Cc (but the tab and what `str.splitlines` takes for line breaks),
# Cf as of Unicode 16, and U+FFFD. Written down, so that every version of Python drops the same.
_READABLE = (
    "\t-\r\x1c-\x1e\x85 -~\u00a0-\u00ac\u00ae-\u05ff\u0606-\u061b\u061d-\u06dc\u06de-\u070e"
    "\u0710-\u088f\u0892-\u08e1\u08e3-\u180d\u180f-\u200a\u2010-\u2029\u202f-\u205f\u2065"
    "\u2070-\ufefe\uff00-\ufff8\ufffc\ufffe-\uffff"
)
_READABLE_BEYOND = (
    "\U00010000-\U000110bc\U000110be-\U000110cc\U000110ce-\U0001342f\U00013440-\U0001bc9f"
    "\U0001bca4-\U0001d172\U0001d17b-\U000e0000\U000e0002-\U000e001f\U000e0080-\U0010ffff"
)
# Python's matcher is four times as fast where a set ends at U+FFFF: most texts need no more.
_CONTROL_OR_BEYOND = re.compile(f"[^{_READABLE}]")
_CONTROL = re.compile(f"[^{_READABLE}{_READABLE_BEYOND}]")


def drop_control_characters(text: str) -> tuple[str, int]:
    r"""Drops the characters that stand for nothing to read.

    They are the control and format characters (Unicode's Cc and Cf) and U+FFFD, which stands where
    bytes couldn't be read; tabs and line breaks stay. BERT's tokenizer drops the same ones, so
    this changes no token id, but it makes texts equal that look equal.

    Returns:
        The text, and how many characters were dropped.

    Example:
        >>> drop_control_characters("co\u00adope\u200brate\ufeff\n")
        ('cooperate\n', 3)
    """
    return _CONTROL.subn("", text) if _CONTROL_OR_BEYOND.search(text) else (text, 0)


def hashed_lines(raw: RawDocument, min_bytes: int) -> Iterator[tuple[str, int | None]]:
    r"""Yields the lines of a document with their hashes.

    Args:
        raw: the document. Its lines are its sentences or its paragraphs.
        min_bytes: lines that are shorter, in bytes of UTF-8 without white space, have no hash.

    Yields:
        A line, and its `hash_text` or None.

    Example:
        >>> [hash is None for _, hash in hashed_lines(RawDocument("", "a\nabcd", True, "x"), 3)]
        [True, False]
    """
    for line in raw.text.split("\n") if raw.sentences_given else raw.text.splitlines():
        # No character takes more than 4 bytes: most short lines needn't be looked at.
        data = squeezed(line) if 4 * len(line) >= min_bytes else b""
        yield line, hash_bytes(data) if data and len(data) >= min_bytes else None


def drop_lines(raw: RawDocument, hashes: Collection[int], min_bytes: int) -> tuple[str, int]:
    r"""Drops lines from a document's text.

    Args:
        raw: the document.
        hashes: the `hash_text` of the lines to drop.
        min_bytes: lines that are shorter stay; see `hashed_lines`.

    Returns:
        The text, as it was if no line was dropped, and how many lines were.

    Example:
        >>> from bertsmith.corpus.text_hash import hash_text
        >>> raw = RawDocument("", "Share this page!\nIt rains.\nShare  this page!", False, "x:1")
        >>> drop_lines(raw, {hash_text("Share this page!")}, 1)
        ('It rains.', 2)
    """
    lines = list(hashed_lines(raw, min_bytes))
    kept = [line for line, hashed in lines if hashed not in hashes]
    dropped = len(lines) - len(kept)
    return ("\n".join(kept) if dropped else raw.text), dropped
