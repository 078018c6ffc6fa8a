"""Words that the vocabulary, where one is given, can't write."""

from collections.abc import Iterator, Sequence

from bertsmith.corpus import RawDocument
from bertsmith.doctor.corpus_checks._check import Case, CorpusCheck, Examples, Seen
from bertsmith.doctor.finding import Finding, Limits, percent

__all__ = ["LIMITS", "Check"]

# Google's vocabularies leave 0.02 % of English and 0.4 % of Chinese Wikipedia; one token in a
# hundred is a script, an alphabet or a casing that is missing.
LIMITS = Limits(warning=0.01, problem=0.1)


class Check(CorpusCheck):
    """Counts [UNK] among the tokens of all that is looked at, as `prepare` cuts it."""

    def __init__(self, case: Case) -> None:
        super().__init__(case)
        self._num_tokens = self._num_unknown = 0
        self._examples = Examples(case)

    def look(self, raw: RawDocument, sentences: Sequence[str]) -> None:
        """Counts the tokens of a document's sentences."""
        tokenizer = self.case.tokenizer
        if tokenizer is None:
            return
        unk_id = tokenizer.vocabulary.unk_id
        for sentence in sentences:
            ids = tokenizer.token_ids(sentence)
            self._num_tokens += len(ids)
            if number := ids.count(unk_id):
                self._num_unknown += number
                self._examples.add(tokenizer.decode(ids), raw.where)

    def findings(self, seen: Seen) -> Iterator[Finding]:
        """Finds them by their share of the tokens."""
        share = self._num_unknown / max(self._num_tokens, 1)
        crossed = LIMITS.crossed(share)
        if crossed is None:
            return
        yield Finding(
            "unknown_tokens",
            crossed[0],
            f"{percent(share)} of the tokens are [UNK] with this vocabulary",
            share,
            crossed[1],
            effect="A word with one character that the vocabulary lacks is [UNK] as a whole: what "
            "it said is gone from the text, and as a masked token [UNK] is a right answer that "
            "says nothing, which flatters the MLM accuracy.",
            remedy="Learn the vocabulary from this text; `bertsmith doctor vocab` says which "
            "characters are missing.",
            command=self.case.commands.vocab(size=seen.fitting_size),
            examples=self._examples.kept,
        )
