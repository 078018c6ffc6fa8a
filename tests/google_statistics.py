"""What the recorder and the test share: a synthetic corpus, and statistics of examples.

A statistic is a number that a pass over the corpus yields, such as how many examples have a random
second segment. Passes are independent, so the mean over passes has a known standard error,
although the examples of one pass depend on each other.
"""

import random
from collections import Counter

import numpy as np

NUM_PASSES = 400
CASES = {
    "paper": {"max_seq_length": 64, "short_seq_prob": 0.1},
    "short": {"max_seq_length": 33, "short_seq_prob": 0.6},
    "whole words": {"max_seq_length": 64, "short_seq_prob": 0.1},
    "short whole words": {"max_seq_length": 33, "short_seq_prob": 0.6},
}
WHOLE_WORD_CASES = {"whole words", "short whole words"}
MASKED_LM_PROB = 0.15
MAX_PREDICTIONS = {"paper": 10, "short": 3, "whole words": 10, "short whole words": 3}
CLS_ID, SEP_ID, FIRST_TEXT_ID = 2, 3, 5


def sentence_lengths():
    """50 documents, by the lengths of their sentences; some sentences don't fit an example."""
    generator = random.Random(2018)

    def sentence():
        kind = generator.random()
        if kind < 0.05:
            return int(60 + 100 * generator.random())
        return 1 + int(20 * generator.random() ** 1.5)

    return [[sentence() for _ in range(1 + number // 2)] for number in range(50)]


def word_starts(lengths):
    """For every token whether it starts a word: three in five do, and every sentence's first."""
    generator = random.Random(2019)
    return [
        place == 0 or generator.random() < 0.6
        for document in lengths
        for length in document
        for place in range(length)
    ]


class Statistics:
    """Sums over passes of each statistic and of its square."""

    def __init__(self, lengths):
        self.sums, self.squares = Counter(), Counter()
        counts = [len(document) for document in lengths]
        self.document_offsets = np.concatenate([[0], np.cumsum(counts)])
        flat = [length for document in lengths for length in document]
        self.sentence_offsets = np.concatenate([[0], np.cumsum(flat)])

    def add_pass(self, a_start, a_length, b_start, b_length, labels, masks):
        """Adds the examples of one pass: spans in tokens, labels, and `Counter` of its masks."""
        values = Counter(masks)
        a_start, b_start = np.asarray(a_start), np.asarray(b_start)
        a_length, b_length = np.asarray(a_length), np.asarray(b_length)
        labels = np.asarray(labels, dtype=np.int64)
        a_sentence, b_sentence = self._sentence(a_start), self._sentence(b_start)
        a_document, b_document = self._document(a_sentence), self._document(b_sentence)
        b_place = b_sentence - self.document_offsets[b_document]
        columns = {
            "examples": np.zeros_like(labels),
            "length": (a_length + b_length) // 4 * 4,
            "a_length": a_length // 4 * 4,
            "b_length": b_length // 4 * 4,
            "document": a_document,
            "a_at_sentence_start": self._is_boundary(a_start),
            "a_at_sentence_stop": self._is_boundary(a_start + a_length),
            "b_at_sentence_start": self._is_boundary(b_start),
            "b_at_sentence_stop": self._is_boundary(b_start + b_length),
        }
        for name, column in columns.items():
            values.update(_counts(f"1000 label + {name}", 1000 * labels + column))
        values.update(_counts("random_document", b_document[labels == 1]))
        values.update(_counts("random_sentence", b_place[labels == 1] // 3))
        values["a_tokens"], values["b_tokens"] = int(a_length.sum()), int(b_length.sum())
        values["random_is_own"] = int((a_document == b_document)[labels == 1].sum())
        for side, start in (("a", a_start), ("b", b_start)):
            cut = start - self.sentence_offsets[self._sentence(start)]
            values[f"{side}_front_cut"] = int(cut.sum())
            values[f"{side}_front_cut_square"] = int((cut**2).sum())
        for name, value in values.items():
            self.sums[name] += int(value)
            self.squares[name] += int(value) ** 2

    def _sentence(self, token):
        return np.searchsorted(self.sentence_offsets, token, side="right") - 1

    def _document(self, sentence):
        return np.searchsorted(self.document_offsets, sentence, side="right") - 1

    def _is_boundary(self, token):
        return np.isin(token, self.sentence_offsets).astype(int)


def mask_statistics(length, position, original, shown, mask_id, vocab_size):
    """Where masked tokens stood and what stands there now; arrays with one entry a masked token."""
    length, position, original, shown = map(np.asarray, (length, position, original, shown))
    is_mask, is_same = shown == mask_id, shown == original
    is_random = ~is_mask & ~is_same
    return Counter(
        {
            **_counts("masked_place", 10 * position // length),
            **_counts("random_token", 10 * shown[is_random] // vocab_size),
            "shown=mask": int(is_mask.sum()),
            "shown=same": int((is_same & ~is_mask).sum()),
            "shown=random": int(is_random.sum()),
        }
    )


def word_statistics(original, cu_seqlens, masked_positions, starts_word):
    """How words are masked: by how many pieces they have, and how many of those are masked.

    A group is a word within its segment; what trimming left of a segment's first word is in the
    group of the [CLS] or [SEP] before it.
    """
    is_special = (original == CLS_ID) | (original == SEP_ID)
    starts = is_special.copy()
    starts[~is_special] = starts_word[original[~is_special] - FIRST_TEXT_ID]
    masked = np.zeros(len(original), dtype=bool)
    masked[masked_positions] = True
    group = np.cumsum(starts) - 1
    size, num_masked = np.bincount(group), np.bincount(group, weights=masked).astype(int)
    first = original[starts]
    shown = 10 * np.minimum(size, 7) + np.minimum(num_masked, 7)
    is_rest = size > 1
    after_sep = np.flatnonzero((first == SEP_ID) & is_rest)
    joint = 2 * (num_masked[after_sep - 1] > 0) + (num_masked[after_sep] > 0)
    lengths = np.diff(cu_seqlens)
    row = np.searchsorted(cu_seqlens, masked_positions, side="right") - 1
    number = np.bincount(row, minlength=len(lengths))
    return Counter(
        {
            **_counts("10 size + masked", shown[(first != CLS_ID) & (first != SEP_ID)]),
            **_counts("rest after [CLS]", shown[(first == CLS_ID) & is_rest]),
            **_counts("rest after [SEP]", shown[after_sep]),
            **_counts("2 word before [SEP] + rest after it", joint),
            **_counts("100 length + predictions", 100 * (lengths // 8 * 8) + number),
        }
    )


def _counts(name, column):
    values, counts = np.unique(column, return_counts=True)
    return {f"{name}={v}": c for v, c in zip(values.tolist(), counts.tolist(), strict=True)}
