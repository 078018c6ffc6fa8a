"""Control characters."""

import re
from collections.abc import Iterator, Sequence

from bertsmith.corpus import RawDocument
from bertsmith.doctor.corpus_checks._check import Case, CorpusCheck, Examples, Seen, around
from bertsmith.doctor.corpus_checks.encoding import repair
from bertsmith.doctor.finding import Finding, Limits, percent

__all__ = ["Check"]

# Format characters (zero-width spaces, joiners, soft hyphens) belong to sound text in many
# languages; control characters to none.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
# Some OCR or e-mail slips into any collection.
LIMITS = Limits(warning=0.002, problem=0.05)


class Check(CorpusCheck):
    """Counts sentences with control characters, tabs and line breaks excepted."""

    def __init__(self, case: Case) -> None:
        super().__init__(case)
        self._number = self._num_quotes = 0
        self._examples = Examples(case)

    def look(self, raw: RawDocument, sentences: Sequence[str]) -> None:
        """Counts a document's sentences."""
        for sentence in sentences:
            # Most sentences need no closer look.
            if sentence.isprintable() or not _CONTROL.search(sentence):
                continue
            # UTF-8 that was read as Latin-1 is mojibake.
            if found := _CONTROL.search(repair(sentence)):
                self._number += 1
                self._num_quotes += "\x80" <= found[0] <= "\x9f"
                self._examples.add(around(repair(sentence), found), raw.where)

    def findings(self, seen: Seen) -> Iterator[Finding]:
        """Finds them by the share of sentences."""
        share = self._number / max(seen.num_sentences, 1)
        crossed = LIMITS.crossed(share)
        if crossed is None:
            return
        commands = self.case.commands
        remedy, command = (
            "Drop them before words are counted.",
            commands.prepare(control_characters=True),
        )
        if 2 * self._num_quotes > self._number:
            remedy = (
                "Most are from 80 to 9F: the command reads them as Windows-1252, writes the text "
                "anew, and looks again. Or convert the files from Windows-1252 to UTF-8 yourself."
            )
            command = commands.mend("mojibake", "sound")
        yield Finding(
            "control_characters",
            crossed[0],
            f"{percent(share)} of the sentences hold control characters",
            share,
            crossed[1],
            effect="The tokenizer drops them, as Google's does, and so joins what stands on both "
            "sides: two words with nothing but such a character between them become one. Those "
            "from 80 to 9F are quotation marks and dashes of Windows-1252 read as Latin-1: "
            "don\\x92t becomes dont.",
            remedy=remedy,
            command=command,
            examples=self._examples.kept,
        )
