"""What is measured about a vocabulary on a text."""

from collections import Counter
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from bertsmith.corpus.commands import Commands
from bertsmith.doctor.casing import own_entries
from bertsmith.wordpiece import Tokenizer, VocabularyInspection, WordCounter, inspect_counts
from bertsmith.wordpiece.matching import PieceMatcher
from bertsmith.wordpiece.vocabulary import CONTINUATION

__all__ = ["VocabularyMeasures"]


class VocabularyMeasures:
    """A vocabulary and what is measured about it, each when it is first asked for.

    Args:
        tokenizer: the vocabulary, and whether text is lower-cased.
        counter: the words of the text, counted with the same casing.
        share_capitalised: share of the text's words that have a capital letter, as written.
        fitting_size: the size of a vocabulary for all of the text.
        commands: builds the commands that mend something.
        num_examples: how many examples a finding may have.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        counter: WordCounter,
        *,
        share_capitalised: float,
        fitting_size: int,
        commands: Commands,
        num_examples: int = 3,
    ) -> None:
        self.tokenizer, self.counter = tokenizer, counter
        self.share_capitalised, self.fitting_size = share_capitalised, fitting_size
        self.commands, self.num_examples = commands, num_examples

    @cached_property
    def inspection(self) -> VocabularyInspection:
        """[UNK]s, pieces a word, split words and so on."""
        return inspect_counts(self.tokenizer, self.counter, num_examples=self.num_examples)

    @cached_property
    def entry_counts(self) -> NDArray[np.int64]:
        """How often the text gives every entry, int64 [V]."""
        vocabulary = self.tokenizer.vocabulary
        match = PieceMatcher(vocabulary).match
        counts = np.zeros(len(vocabulary), np.int64)
        for word, count in self.counter.items():
            for token_id, _ in match(word) or ((vocabulary.unk_id, 0),):
                counts[token_id] += count
        return counts

    @cached_property
    def missing_characters(self) -> tuple[int, Counter[str]]:
        """How many words are [UNK] for want of a character; which ones, with how many words each.

        To start any word a character has to be an entry by itself, to continue one with ##; it is
        named as the entry that is missing.
        """
        vocabulary = self.tokenizer.vocabulary
        match = PieceMatcher(vocabulary).match
        num_words, missing = 0, Counter[str]()
        for word, count in self.counter.items():
            if match(word) is not None:
                continue
            needed = {word[0], *(CONTINUATION + character for character in word[1:])}
            lacking = [entry for entry in needed if entry not in vocabulary.ids]
            num_words += count if lacking else 0
            missing.update(dict.fromkeys(lacking, count))
        return num_words, missing

    @cached_property
    def own_entries(self) -> list[int]:
        """The ids of entries that text is meant to give: not special, not in brackets."""
        return own_entries(self.tokenizer.vocabulary)
