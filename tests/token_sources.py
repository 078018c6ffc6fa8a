"""Token stores in memory for tests: every token's id tells where it stands."""

from dataclasses import dataclass

import numpy as np

FIRST_TEXT_ID = 5


@dataclass(frozen=True)
class MemoryVocabulary:
    size: int
    cls_id: int = 2
    sep_id: int = 3
    mask_id: int = 4

    def __len__(self):
        return self.size


class MemorySource:
    """Documents given by the lengths of their sentences; token `n` has id `n + FIRST_TEXT_ID`.

    `word_starts` says of every token whether it starts a word; without it every token does.
    """

    def __init__(self, sentence_lengths, word_starts=None):
        lengths = [length for document in sentence_lengths for length in document]
        counts = [len(document) for document in sentence_lengths]
        self.document_offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        self.sentence_offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        self.tokens = np.arange(sum(lengths)).astype(np.uint32) + FIRST_TEXT_ID
        self.vocabulary = MemoryVocabulary(len(self.tokens) + FIRST_TEXT_ID)
        if word_starts is None:
            word_starts = np.ones(len(self.tokens), dtype=bool)
        self.word_starts = np.asarray(word_starts)

    @property
    def documents(self):
        return np.arange(len(self.document_offsets) - 1)

    def gather(self, starts, lengths):
        return self._slices(self.tokens, starts, lengths)

    def gather_word_starts(self, starts, lengths):
        return self._slices(self.word_starts, starts, lengths)

    def _slices(self, values, starts, lengths):
        spans = zip(starts.tolist(), lengths.tolist(), strict=True)
        return np.concatenate([values[:0], *(values[start : start + n] for start, n in spans)])

    def document_of(self, tokens):
        """The document that each position of the token axis lies in."""
        token_offsets = self.sentence_offsets[self.document_offsets]
        return np.searchsorted(token_offsets, tokens, side="right") - 1


def random_source(num_documents=40, seed=0):
    """Documents of 1 to 30 sentences of 1 to 40 tokens."""
    rng = np.random.default_rng(seed)
    return MemorySource(
        [rng.integers(1, 40, rng.integers(1, 30)).tolist() for _ in range(num_documents)]
    )
