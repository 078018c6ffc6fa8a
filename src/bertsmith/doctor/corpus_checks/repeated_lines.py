"""Boilerplate: lines that stand in many documents."""

from collections.abc import Iterator

from bertsmith.corpus import RawDocument
from bertsmith.corpus.cleaning import hashed_lines
from bertsmith.doctor.corpus_checks._check import Case, CorpusCheck, Seen
from bertsmith.doctor.counting import FrequentKeys
from bertsmith.doctor.finding import Example, Finding, Limits, percent, shorten
from bertsmith.wordpiece.counting import num_bytes_of

__all__ = ["Check"]

# In fewer documents than this a line is chance, and in a small corpus nothing can be said.
MIN_DOCUMENTS = 10
# They make 0.1 % of the text of English and of Chinese Wikipedia.
LIMITS = Limits(warning=0.01, problem=0.1)


class Check(CorpusCheck):
    """Counts in how many documents every line stands."""

    def __init__(self, case: Case) -> None:
        super().__init__(case)
        self._documents = FrequentKeys()
        # Kept only for lines that may turn out to be frequent: the text, its size and its place.
        self._lines: dict[int, tuple[str, int, str]] = {}

    def glance(self, raw: RawDocument) -> None:
        """Counts every line of a document once."""
        seen = set[int]()
        for line, key in hashed_lines(raw, self.case.settings.cleaning.boilerplate_min_bytes):
            if key is None or key in seen:
                continue
            seen.add(key)
            if self._documents.add(key) == MIN_DOCUMENTS // 2:
                self._lines[key] = shorten(line), num_bytes_of(line), raw.where

    def findings(self, seen: Seen) -> Iterator[Finding]:
        """Finds repeated lines by their share of the text."""
        repeated = sorted(
            (
                (count * self._lines[key][1], self._lines[key][0], count, self._lines[key][2])
                for key, count in self._documents.counts.items()
                if count >= MIN_DOCUMENTS and key in self._lines
            ),
            key=lambda line: (-line[0], line[1]),
        )
        share = sum(num_bytes for num_bytes, *_ in repeated) / max(seen.num_bytes, 1)
        crossed = LIMITS.crossed(share)
        if crossed is None:
            return
        yield Finding(
            "repeated_lines",
            crossed[0],
            f"{percent(share)} of the text is {_lines(len(repeated))} in {MIN_DOCUMENTS} or more "
            "documents",
            share,
            crossed[1],
            effect="A line seen a thousand times is learned by heart: its masked tokens are "
            "guessed from memory, so the MLM loss falls without anything being learned, and "
            "next-sentence prediction is asked about boilerplate, which follows everything.",
            remedy="Drop lines that stand in many documents.",
            command=self.case.commands.prepare(boilerplate_documents=MIN_DOCUMENTS),
            examples=tuple(
                Example(text, f"in {count:,} documents, such as {where}")
                for _, text, count, where in repeated[: self.case.num_examples]
            ),
        )


def _lines(number: int) -> str:
    return "one line that stands" if number == 1 else f"{number:,} lines that stand"
