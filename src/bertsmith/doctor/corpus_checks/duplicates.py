"""Documents that are there more than once."""

from collections.abc import Iterator

from bertsmith.corpus import RawDocument
from bertsmith.corpus.text_hash import hash_text
from bertsmith.doctor.corpus_checks._check import Case, CorpusCheck, Examples, Seen
from bertsmith.doctor.counting import CopyCounter
from bertsmith.doctor.finding import Finding, Limits, percent

__all__ = ["Check"]

# A held-out set of 0.5 % of the documents is spoiled long before training is.
LIMITS = Limits(warning=0.01, problem=0.2)


class Check(CorpusCheck):
    """Counts documents with the same text as an earlier one."""

    def __init__(self, case: Case) -> None:
        super().__init__(case)
        self._documents, self._examples = CopyCounter(), Examples(case)

    def glance(self, raw: RawDocument) -> None:
        """Counts a document."""
        first = self._documents.add(hash_text(raw.text), raw.where)
        if first is not None:
            self._examples.add(raw.text, f"{raw.where}, as {first}")

    def findings(self, seen: Seen) -> Iterator[Finding]:
        """Finds them by their share of all documents."""
        share = self._documents.copy_share
        crossed = LIMITS.crossed(share)
        if crossed is None:
            return
        yield Finding(
            "duplicate_documents",
            crossed[0],
            f"{percent(share)} of the documents are copies of an earlier one",
            share,
            crossed[1],
            effect="A text that is there k times is trained on k times an epoch and learned by "
            "heart, and copies on both sides of the held-out split make the held-out loss better "
            "than it is.",
            remedy="Keep the first of each.",
            command=self.case.commands.prepare(duplicates="exact"),
            examples=self._examples.kept,
        )
