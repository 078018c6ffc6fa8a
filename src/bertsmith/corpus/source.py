"""The file that is being read: its faults are errors, or mended and counted."""

import codecs
from collections import Counter
from dataclasses import dataclass, field

from bertsmith.corpus.settings import CorpusSettings
from bertsmith.errors import CorpusError

__all__ = ["Source"]

_MAX_PLACES = 10


@dataclass(frozen=True)
class Source:
    """A file that is being read, as a format's `read` sees it.

    Attributes:
        where: the file's name, for messages.
        settings: how to read it.
        counts: what was mended or left out so far, name → number; shared by a corpus's files.
        places: where the first few of each are and what is wrong there, name → (where, what);
            shared likewise.
    """

    where: str
    settings: CorpusSettings
    counts: Counter[str]
    places: dict[str, list[tuple[str, str]]] = field(default_factory=dict)

    def fault(
        self,
        name: str,
        what: str,
        *,
        line: int | None = None,
        instead: str,
        fix: str | None = None,
        number: int = 1,
    ) -> None:
        """Raises an error where errors are strict; otherwise counts the fault and returns.

        Args:
            name: what it is counted as, such as "bad_bytes".
            what: what is wrong.
            line: the line (or row) at which it is, counted from 1.
            instead: what `errors="replace"` does about it, such as "skip it".
            fix: what else can be done about it, as an imperative.
            number: how many there are, for the count.

        Raises:
            CorpusError: where `settings.errors` is "strict".
        """
        if self.settings.errors == "strict":
            remedy = f"{fix}, or give " if fix else "give "
            raise CorpusError(
                what, where=self.at(line), fix=f"{remedy}--errors replace to {instead}"
            )
        self.counts[name] += number
        places = self.places.setdefault(name, [])
        if len(places) < _MAX_PLACES:
            places.append((self.at(line), what))

    def at(self, line: int | None) -> str:
        """The file's name with a line number."""
        return self.where if line is None else f"{self.where}:{line}"

    def decode(self, data: bytes, *, line: int, offset: int | None = None) -> str:
        """Decodes UTF-8 and takes care of NULs.

        Args:
            data: the bytes.
            line: the line (or row) that they are on, counted from 1.
            offset: where they start in the decompressed text, in bytes, where that means something.
        """
        try:
            text = data.decode()
        except UnicodeDecodeError as error:
            place = "" if offset is None else f" at byte offset {offset + error.start}"
            text = data.decode(errors="replace")
            what = f"byte 0x{data[error.start]:02x}{place} is not UTF-8"
            if offset == 0 and data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
                what += ", but looks like UTF-16"
            self.fault(
                "bad_bytes",
                what,
                line=line,
                fix="convert the file to UTF-8",
                instead="read U+FFFD in its place",
                number=text.count("\ufffd") - data.count("\ufffd".encode()),
            )
        return self.clean(text, line=line)

    def clean(self, text: str, *, line: int) -> str:
        """Takes care of NULs and of lone surrogates, which JSON can hold as escapes."""
        if nuls := text.count("\0"):
            self.fault("nul_bytes", "has a NUL byte", line=line, instead="drop it", number=nuls)
            text = text.replace("\0", "")
        if not text.isascii():
            try:
                text.encode()
            except UnicodeEncodeError as error:
                self.fault(
                    "lone_surrogates",
                    f"U+{ord(text[error.start]):04X} is half a character (a lone surrogate)",
                    line=line,
                    instead="read U+FFFD in its place",
                )
                text = "".join("\ufffd" if "\ud800" <= c <= "\udfff" else c for c in text)
        return text
