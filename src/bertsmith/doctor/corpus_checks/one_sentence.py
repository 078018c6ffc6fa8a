"""Documents of one sentence."""

from collections.abc import Iterator, Sequence

from bertsmith.corpus import RawDocument
from bertsmith.doctor.corpus_checks._check import Case, CorpusCheck, Examples, Seen
from bertsmith.doctor.finding import Finding, Limits, percent

__all__ = ["Check"]

# Some stubs are in every collection; from a tenth on they shift the balance of the pairs' labels.
LIMITS = Limits(warning=0.1, problem=0.5)


class Check(CorpusCheck):
    """Counts documents of one sentence."""

    def __init__(self, case: Case) -> None:
        super().__init__(case)
        self._number, self._examples = 0, Examples(case)

    def look(self, raw: RawDocument, sentences: Sequence[str]) -> None:
        """Counts a document."""
        if len(sentences) == 1:
            self._number += 1
            self._examples.add(sentences[0], raw.where)

    def findings(self, seen: Seen) -> Iterator[Finding]:
        """Finds them by their share of all documents."""
        share = self._number / max(seen.num_examined, 1)
        crossed = LIMITS.crossed(share)
        if crossed is None:
            return
        yield Finding(
            "one_sentence_documents",
            crossed[0],
            f"{percent(share)} of the documents have one sentence",
            share,
            crossed[1],
            effect="With nothing to follow it, a lone sentence always gets a random second segment "
            "(Google's create_instances_from_document): such pairs are all labelled random, so "
            "random pairs outnumber the others, and a short first segment gives the answer away.",
            remedy="Drop such documents; if one text was cut into many, see stray_blank_lines. Or "
            "pre-train without pairs: --set examples.next_sentence=false.",
            command=self.case.commands.prepare(min_document_chars=200),
            examples=self._examples.kept,
        )
