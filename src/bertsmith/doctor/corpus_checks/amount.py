"""Whether there is enough text."""

from collections.abc import Iterator

from bertsmith.doctor.corpus_checks._check import CorpusCheck, Seen
from bertsmith.doctor.finding import Finding, Limits
from bertsmith.doctor.sizes import WORDS_AN_ENTRY

__all__ = ["Check"]

# The paper's corpus has 3.3 billion words. With a million, a tiny model sees every word forty
# times in an hour on a laptop; with less than a tenth of that it can only learn by heart.
LIMITS = Limits(warning=1_000_000, problem=100_000, below=True)


class Check(CorpusCheck):
    """Compares the number of words with what models and vocabularies need."""

    def findings(self, seen: Seen) -> Iterator[Finding]:
        """Finds too little text for pre-training, or for the vocabulary."""
        words = seen.words
        tokenizer = self.case.tokenizer
        crossed = LIMITS.crossed(words)
        if crossed is not None:
            yield Finding(
                "little_text",
                crossed[0],
                f"there are {seen.said(words)} words, which is little to pre-train on",
                words,
                crossed[1],
                effect="The paper's corpus has 3.3 billion words. A model that sees so few for "
                "many epochs learns them by heart: the training loss falls and the held-out loss "
                "rises.",
                remedy="Go on from a pre-trained model, with its vocabulary (MODEL is its folder), "
                f"or add text. From scratch, take a small vocabulary: --size {seen.fitting_size}.",
                command=self.case.commands.go_on(),
            )
        elif tokenizer is not None and words < WORDS_AN_ENTRY * len(tokenizer.vocabulary):
            size = len(tokenizer.vocabulary)
            yield Finding(
                "large_vocabulary",
                "warning",
                f"the vocabulary has {size:,} entries for {seen.said(words)} words: "
                f"{words / size:,.0f} words an entry",
                words / size,
                WORDS_AN_ENTRY,
                effect="Words are so unevenly frequent that most entries are then met a few times "
                "an epoch: their embeddings hardly move from where they started, and parameters "
                "are spent on them.",
                remedy="Learn a smaller vocabulary, unless you go on from a model that has this "
                "one.",
                command=self.case.commands.vocab(size=seen.fitting_size),
            )
