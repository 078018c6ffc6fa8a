"""Sentences that no example can hold."""

from collections.abc import Iterator, Sequence

from bertsmith.corpus import RawDocument
from bertsmith.doctor.corpus_checks._check import Case, CorpusCheck, Examples, Seen
from bertsmith.doctor.finding import Finding, Limits, percent
from bertsmith.wordpiece.counting import num_bytes_of
from bertsmith.wordpiece.words import chunks_of

__all__ = ["Check"]

# [CLS] A [SEP] B [SEP] of 512 tokens.
MAX_TOKENS = 509
# A few lists and tables are as long in any collection.
LIMITS = Limits(warning=0.02, problem=0.2)


class Check(CorpusCheck):
    """Counts sentences of more than 509 words, which are at least as many tokens."""

    def __init__(self, case: Case) -> None:
        super().__init__(case)
        self._number = self._num_bytes = 0
        self._examples = Examples(case)

    def look(self, raw: RawDocument, sentences: Sequence[str]) -> None:
        """Counts a document's sentences."""
        for sentence in sentences:
            # A token is at least a character, so most sentences need no counting.
            if len(sentence) > MAX_TOKENS and self._num_tokens(sentence) > MAX_TOKENS:
                self._number += 1
                self._num_bytes += num_bytes_of(sentence)
                self._examples.add(sentence, raw.where)

    def _num_tokens(self, sentence: str) -> int:
        tokenizer = self.case.tokenizer
        return len(chunks_of(sentence) if tokenizer is None else tokenizer.token_ids(sentence))

    def findings(self, seen: Seen) -> Iterator[Finding]:
        """Finds them by their share of the text."""
        share = self._num_bytes / max(seen.num_examined_bytes, 1)
        crossed = LIMITS.crossed(share)
        if crossed is None:
            return
        yield Finding(
            "long_sentences",
            crossed[0],
            f"{percent(share)} of the text are sentences of over {MAX_TOKENS} tokens "
            f"({self._number:,} of them)",
            share,
            crossed[1],
            effect="No example holds them: they are trimmed at the front or back (Google's "
            "truncate_seq_pair), at length 128 to 125 tokens, and the rest is not seen in that "
            "epoch. And each is a chunk by itself, so its second segment is always random.",
            remedy="The text has no punctuation there, or is a table. Put a line break where a "
            "sentence ends; it always ends one, but in .txt files read as one document. No option "
            "of reading finds the places: the command cuts such sentences about every 500 "
            "characters, writes the text anew, and looks again.",
            command=self.case.commands.mend("long_sentences", "cut"),
            examples=self._examples.kept,
        )
