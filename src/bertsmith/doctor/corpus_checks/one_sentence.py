"""Documents of one sentence."""

from collections.abc import Iterator, Sequence

from bertsmith.corpus import RawDocument
from bertsmith.doctor.corpus_checks._check import Case, CorpusCheck, Examples, Seen
from bertsmith.doctor.corpus_checks._lengths import MOST_TO_DROP, Lengths
from bertsmith.doctor.corpus_checks.layout import DOCUMENT_LIMITS, is_plain_text
from bertsmith.doctor.finding import Finding, Limits, percent

__all__ = ["Check"]

# Some stubs are in every collection; from a tenth on they shift the balance of the pairs' labels.
LIMITS = Limits(warning=0.1, problem=0.5)

_MIN_CHARS = (50, 100, 200, 400)
# How many may be left: well below what is worth a warning.
_LEFT = 0.05


class Check(CorpusCheck):
    """Counts documents of one sentence."""

    def __init__(self, case: Case) -> None:
        super().__init__(case)
        self._number, self._examples = 0, Examples(case)
        self._all, self._single = Lengths(), Lengths()
        self._num_lines, self._files = 0, set[str]()

    def look(self, raw: RawDocument, sentences: Sequence[str]) -> None:
        """Counts a document."""
        self._all.add(len(raw.text))
        if len(sentences) == 1:
            self._number += 1
            self._single.add(len(raw.text))
            self._examples.add(sentences[0], raw.where)
            if is_plain_text(raw):
                self._num_lines += 1
                if len(self._files) < (DOCUMENT_LIMITS.warning or 0):
                    self._files.add(raw.where.rpartition(":")[0])

    def findings(self, seen: Seen) -> Iterator[Finding]:
        """Finds them by their share of all documents."""
        share = self._number / max(seen.num_examined, 1)
        crossed = LIMITS.crossed(share)
        if crossed is None:
            return
        remedy, command = self._mending()
        yield Finding(
            "one_sentence_documents",
            crossed[0],
            f"{percent(share)} of the documents have one sentence",
            share,
            crossed[1],
            effect="With nothing to follow it, a lone sentence always gets a random second segment "
            "(Google's create_instances_from_document): such pairs are all labelled random, so "
            "random pairs outnumber the others, and a short first segment gives the answer away.",
            remedy=remedy,
            command=command,
            examples=self._examples.kept,
        )

    def _mending(self) -> tuple[str, str]:
        """What fits this corpus: to join what was cut apart, to drop little, or to do without."""
        commands = self.case.commands
        # A line each, in files enough to be documents.
        if self._num_lines > self._number / 2 and len(self._files) >= (
            DOCUMENT_LIMITS.warning or 0
        ):
            remedy = (
                "If each file is one text, join its sentences; else pre-train without pairs: "
                "--set examples.next_sentence=false."
            )
            return remedy, commands.prepare(text_form="document")
        if (number := self._worth_dropping()) is not None:
            remedy = (
                f"Drop documents under {number} characters, which are "
                f"{percent(self._all.text_below(number))} of the text; or pre-train without pairs: "
                "--set examples.next_sentence=false."
            )
            return remedy, commands.prepare(min_document_chars=number)
        remedy = (
            "They are too much of the text to be dropped. Put back together what was cut apart "
            "(in a .txt file, a blank line ends a document), or pre-train without pairs."
        )
        return remedy, commands.pretrain("examples.next_sentence=false")

    def _worth_dropping(self) -> int | None:
        """The least length to ask of a document that mends it and costs little text."""
        for number in _MIN_CHARS:
            left = self._all.number_from(number)
            share = self._single.number_from(number) / max(left, 1)
            if left and share < _LEFT:
                return number if self._all.text_below(number) <= MOST_TO_DROP else None
        return None
