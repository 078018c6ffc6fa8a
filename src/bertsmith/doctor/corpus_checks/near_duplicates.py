"""Documents that are nearly the same as another one."""

from collections.abc import Iterator, Sequence

import numpy as np

from bertsmith.corpus import RawDocument
from bertsmith.corpus.duplicates import Banding, find_near_duplicates, hash_shingles, signatures
from bertsmith.corpus.duplicates.signatures import load_rensa
from bertsmith.corpus.occurrences import Occurrences
from bertsmith.corpus.text_hash import hash_text
from bertsmith.doctor.corpus_checks._check import Case, CorpusCheck, Seen
from bertsmith.doctor.finding import Example, Finding, Limits, percent, shorten
from bertsmith.errors import CorpusError

__all__ = ["Check"]

# Articles written to one pattern (villages, Olympic events) are 0.1 % of English Wikipedia.
LIMITS = Limits(warning=0.02, problem=0.3)
# Comparing takes 512 bytes a document; more text than this tells no more about how alike two are.
_MAX_DOCUMENTS, _MAX_CHARS = 20_000, 50_000
_BATCH = 64


class Check(CorpusCheck):
    """Compares the first 20,000 documents of the sample, where `rensa` is installed."""

    def __init__(self, case: Case) -> None:
        super().__init__(case)
        self._hashes = set[int]()
        self._texts, self._places = list[str](), list[tuple[str, str]]()
        self._signatures = list[np.ndarray]()
        try:
            load_rensa()
        except CorpusError as error:
            self.unchecked = f"nearly equal documents were not looked for; {error.fix}"

    def look(self, raw: RawDocument, sentences: Sequence[str]) -> None:
        """Notes a document, unless it is a copy of another one."""
        if self.unchecked or len(self._places) >= _MAX_DOCUMENTS:
            return
        hashed = hash_text(raw.text)
        if hashed in self._hashes:
            return
        self._hashes.add(hashed)
        self._texts.append(raw.text[:_MAX_CHARS])
        self._places.append((shorten(raw.text), raw.where))
        if len(self._texts) >= _BATCH:
            self._sign()

    def _sign(self) -> None:
        if self._texts:
            self._signatures.append(signatures([hash_shingles(text) for text in self._texts]))
        self._texts = []

    def findings(self, seen: Seen) -> Iterator[Finding]:
        """Finds them by their share of the documents that were compared."""
        self._sign()
        if not self._signatures:
            return
        similarity = self.case.settings.cleaning.near_duplicate_similarity
        rows = np.concatenate(self._signatures)
        keys = Banding.for_similarity(similarity).keys(rows)
        notes = Occurrences(4)
        try:
            numbers = np.arange(len(rows), dtype=np.uint32)
            notes.add(keys.reshape(-1), np.repeat(numbers, keys.shape[1]))
            near = find_near_duplicates(notes, rows, np.ones(len(rows), np.bool_), similarity)
        finally:
            notes.close()
        share = len(near.documents) / len(rows)
        crossed = LIMITS.crossed(share)
        if crossed is None:
            return
        pairs = list(
            zip(
                near.documents.tolist(), near.kept.tolist(), near.similarities.tolist(), strict=True
            )
        )
        yield Finding(
            "near_duplicate_documents",
            crossed[0],
            f"{percent(share)} of {len(rows):,} documents are nearly the same as another one",
            share,
            crossed[1],
            effect="They differ in a date or a name and are trained on as often as there are of "
            "them: the model learns the pattern by heart, and a held-out document has its answers "
            "in the training set.",
            remedy="Keep the first of each (takes pip install 'bertsmith[dedup]').",
            command=self.case.commands.prepare(duplicates="near"),
            examples=tuple(
                Example(
                    self._places[document][0],
                    f"{self._places[document][1]}, {alike:.0%} as {self._places[kept][1]}",
                )
                for document, kept, alike in pairs[: self.case.num_examples]
            ),
        )
