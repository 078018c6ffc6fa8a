"""Text that was decoded by the wrong table."""

import re
from collections.abc import Iterator, Sequence

from bertsmith.corpus import RawDocument
from bertsmith.doctor.corpus_checks._check import Case, CorpusCheck, Examples, Seen, around
from bertsmith.doctor.finding import Finding, Limits, percent

__all__ = ["Check", "repair", "repair_quotes"]

# `prepare` stops at the first byte that isn't UTF-8.
BYTES_LIMITS = Limits(problem=1)
# Sound text has none, but a garbled name slips into any collection: one sentence in 6,000 of 233
# books. One in 500 is a file that went wrong somewhere.
MOJIBAKE_LIMITS = Limits(warning=0.002, problem=0.05)
REPLACEMENT_LIMITS = Limits(warning=0.002, problem=0.05)

# The characters that Windows-1252 has for the bytes 80 to BF, and those of Latin-1: what the
# second and later bytes of UTF-8 look like when each is taken for a character.
_LATER = "".join(bytes([byte]).decode("cp1252", "ignore") for byte in range(128, 160))
_LATER += "".join(map(chr, range(128, 192)))
# What Latin-1 has for them are controls, which no text has; Windows-1252 has quotation marks.
_QUOTES = {byte: bytes([byte]).decode("cp1252", "ignore") or None for byte in range(128, 160)}
_LATER_CLASS = re.escape(_LATER)
# Two bytes (C3 A9 for é), three (E2 80 99 for ’; E4 B8 AD for 中), four. A sign such as × before a
# no-break space (A0) is sound text.
_MOJIBAKE = re.compile(
    f"[\u00c2\u00c3][{_LATER_CLASS}]|[\u00c4-\u00df](?!\u00a0)[{_LATER_CLASS}]"
    f"|[\u00e0-\u00ef][{_LATER_CLASS}]{{2}}"
    f"|[\u00f0-\u00f4][{_LATER_CLASS}]{{3}}"
)


_MARK = re.compile("\ufffd")


def repair(text: str) -> str:
    """Reads back as UTF-8 what was decoded as Windows-1252, as often as that was done.

    Example:
        >>> repair("CafÃ© â€™ and CafÃƒÂ©")
        'Café ’ and Café'
    """
    for _ in range(3):
        mended = _MOJIBAKE.sub(_decode_again, text)
        if mended == text:
            break
        text = mended
    return text


def repair_quotes(text: str) -> str:
    r"""Reads as Windows-1252 what was read as Latin-1: its quotation marks, dashes and so on.

    Example:
        >>> repair_quotes("don\x92t")
        'don’t'
    """
    return text if text.isascii() else text.translate(_QUOTES)


def _decode_again(match: re.Match[str]) -> str:
    try:
        return b"".join(map(_byte, match[0])).decode()
    except UnicodeDecodeError:
        return match[0]


def _byte(character: str) -> bytes:
    try:
        return character.encode("cp1252")
    except UnicodeEncodeError:
        return character.encode("latin-1")


class Check(CorpusCheck):
    """Counts bytes that aren't UTF-8, garbled characters and U+FFFD."""

    def __init__(self, case: Case) -> None:
        super().__init__(case)
        self._num_garbled = self._num_replaced = self._num_marks = 0
        self._garbled, self._replaced = Examples(case), Examples(case)

    def look(self, raw: RawDocument, sentences: Sequence[str]) -> None:
        """Looks at a document's sentences, unless they are ASCII."""
        if raw.text.isascii():
            return
        self._num_marks += raw.text.count("\ufffd")
        for sentence in sentences:
            if sentence.isascii():
                continue
            if found := _MARK.search(sentence):
                self._num_replaced += 1
                self._replaced.add(around(sentence, found), raw.where)
            found = _MOJIBAKE.search(sentence)
            if found and repair(sentence) != sentence:
                self._num_garbled += 1
                piece = around(sentence, found)
                self._garbled.add(f"{piece} → {repair(piece)}", raw.where)

    def findings(self, seen: Seen) -> Iterator[Finding]:
        """Finds the three of them."""
        bad_bytes = seen.counts["bad_bytes"]
        if (crossed := BYTES_LIMITS.crossed(bad_bytes)) is not None:
            yield self._not_utf8(bad_bytes, crossed[1], seen)
        # UTF-16 with a byte order mark has both: its mark, and a NUL for every ASCII character.
        if seen.counts["nul_bytes"]:
            yield self._nul_bytes(seen.counts["nul_bytes"], seen)
        yield from self._mojibake(seen)
        yield from self._replacement_characters(seen, bad_bytes)

    def _not_utf8(self, number: int, threshold: float, seen: Seen) -> Finding:
        return Finding(
            "not_utf8",
            "problem",
            f"{number:,} bytes are not UTF-8",
            number,
            threshold,
            effect="`prepare` and `vocab` stop there. With --errors replace each becomes U+FFFD, "
            "which the tokenizer drops as Google's does, so that letters are lost inside words "
            "(caf\ufffd becomes caf) and the vocabulary learns the damaged ones.",
            remedy="Convert the files to UTF-8 (iconv -f WINDOWS-1252 -t UTF-8; GB18030, "
            "SHIFT_JIS, KOI8-R, UTF-16: whatever they are in). For a few stray bytes it is enough "
            "to go on without them.",
            command=self.case.commands.prepare(errors="replace"),
            examples=self._replaced.kept,
        )

    def _nul_bytes(self, number: int, seen: Seen) -> Finding:
        return Finding(
            "nul_bytes",
            "problem",
            f"{number:,} NUL bytes are in the text",
            number,
            1,
            effect="`prepare` stops there. Where every second byte is NUL the text is UTF-16, and "
            "what is left of it without the NULs is right for English alone.",
            remedy="Convert the files (iconv -f UTF-16 -t UTF-8); or drop the NULs.",
            command=self.case.commands.prepare(errors="replace"),
        )

    def _mojibake(self, seen: Seen) -> Iterator[Finding]:
        share = self._num_garbled / max(seen.num_sentences, 1)
        crossed = MOJIBAKE_LIMITS.crossed(share)
        if crossed is None:
            return
        yield Finding(
            "mojibake",
            crossed[0],
            f"{percent(share)} of the sentences have garbled characters, such as Ã© for é",
            share,
            crossed[1],
            effect="UTF-8 was read as Windows-1252 and saved again. Every accented letter or "
            "quotation mark is two or three signs, which are tokens by themselves: words are torn "
            "apart, and none of it meets the same words in sound text.",
            remedy="Get the text again, read as UTF-8. Where that can't be had, the command reads "
            "back what is garbled, writes the text anew, and looks again. What went through other "
            "tables than Windows-1252 is for a library such as ftfy.",
            command=self.case.commands.mend("mojibake", "sound"),
            examples=self._garbled.kept,
        )

    def _replacement_characters(self, seen: Seen, bad_bytes: int) -> Iterator[Finding]:
        # What reading put in for bad bytes has its own finding.
        if seen.scaled(self._num_marks) <= bad_bytes:
            return
        share = self._num_replaced / max(seen.num_sentences, 1)
        crossed = REPLACEMENT_LIMITS.crossed(share)
        if crossed is None:
            return
        yield Finding(
            "replacement_characters",
            crossed[0],
            f"{percent(share)} of the sentences hold U+FFFD, the sign for a lost character",
            share,
            crossed[1],
            effect="The characters are lost for good. The tokenizer drops the sign and joins what "
            "stands on both sides, as Google's does, so damaged words go into the vocabulary.",
            remedy="Get the text again and decode it by the right table. Dropping the signs "
            "doesn't bring the letters back.",
            command=self.case.commands.prepare(control_characters=True),
            examples=self._replaced.kept,
        )
