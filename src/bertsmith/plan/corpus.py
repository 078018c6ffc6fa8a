"""How many tokens and examples a corpus gives, known or estimated."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from bertsmith.doctor.store_measures import measure_epoch
from bertsmith.errors import StoreError
from bertsmith.examples import ExampleSettings
from bertsmith.store import TokenStore

__all__ = ["PlannedCorpus"]

# English Wikipedia with vocabularies of 16 to 30 thousand, as `bertsmith doctor store` measures
# it: 4.44 bytes a token; an epoch of pairs at length 128 has 1.30 times the text's tokens ([CLS],
# [SEP], and random second segments), 113 in an example, and 304 at length 512.
_BYTES_PER_TOKEN, _EXAMPLE_TOKENS = 4.44, 1.30
_MEAN_LENGTHS = {128: 113.0, 512: 304.0}
_VOCAB_SIZE = 30_522


@dataclass(frozen=True)
class PlannedCorpus:
    """A text, as far as planning asks.

    Attributes:
        name: what it is, for people.
        num_tokens: its tokens.
        epoch_tokens: tokens of an epoch's examples at length 128.
        mean_lengths: real tokens in an example, by the longest allowed (128 and 512).
        vocab_size: entries of the vocabulary.
        is_estimated: whether the numbers are estimated from a number of bytes.
    """

    name: str
    num_tokens: float
    epoch_tokens: float
    mean_lengths: dict[int, float]
    vocab_size: int
    is_estimated: bool

    @classmethod
    def of_bytes(cls, num_bytes: int) -> Self:
        """Estimates a corpus from the size of its text in UTF-8.

        Example:
            >>> corpus = PlannedCorpus.of_bytes(13_000_000_000)
            >>> f"{corpus.num_tokens / 1e9:.2f} billion tokens"
            '2.93 billion tokens'
        """
        tokens = num_bytes / _BYTES_PER_TOKEN
        size = f"{num_bytes / 1e6:,.0f} MB" if num_bytes >= 1e6 else f"{num_bytes:,} bytes"
        name = f"{size} of text"
        return cls(name, tokens, _EXAMPLE_TOKENS * tokens, _MEAN_LENGTHS, _VOCAB_SIZE, True)

    @classmethod
    def of_store(cls, folder: Path) -> Self:
        """Measures a token store.

        Raises:
            StoreError: there is no store, or it is damaged, or none of it can be held out.
        """
        store = TokenStore(folder)
        if store.num_documents < 2:
            raise StoreError(
                "has one document alone, and pre-training holds another one out",
                where=folder,
                fix="give a corpus of two documents or more",
            )
        epochs = {n: measure_epoch(store, ExampleSettings(max_seq_length=n)) for n in (128, 512)}
        return cls(
            str(folder),
            store.num_tokens,
            epochs[128].num_tokens,
            {length: epoch.lengths.mean for length, epoch in epochs.items()},
            len(store.vocabulary),
            False,
        )
