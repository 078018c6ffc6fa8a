"""What examples need of a token store."""

from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

__all__ = ["SpecialIds", "TokenSource"]


@runtime_checkable
class SpecialIds(Protocol):
    """The part of a vocabulary that examples use: its size and three ids."""

    @property
    def cls_id(self) -> int:
        """Id of [CLS]."""
        ...

    @property
    def sep_id(self) -> int:
        """Id of [SEP]."""
        ...

    @property
    def mask_id(self) -> int:
        """Id of [MASK]."""
        ...

    def __len__(self) -> int:
        """Number of tokens in the vocabulary."""
        ...


@runtime_checkable
class TokenSource(Protocol):
    """Documents → sentences → token ids on one token axis; `store.TokenStore` is one.

    No document is without a sentence and no sentence without a token.
    """

    @property
    def document_offsets(self) -> NDArray[np.int64]:
        """Where each document starts, in sentences, and where the last ends [documents + 1]."""
        ...

    @property
    def sentence_offsets(self) -> NDArray[np.int64]:
        """Where each sentence starts, in tokens, and where the last ends [sentences + 1]."""
        ...

    @property
    def vocabulary(self) -> SpecialIds:
        """The vocabulary that the ids belong to."""
        ...

    def gather(
        self, starts: NDArray[np.int64], lengths: NDArray[np.int64]
    ) -> NDArray[np.unsignedinteger]:
        """Token ids of the spans `[start, start + length)`, laid end to end [Σ lengths]."""
        ...

    def gather_word_starts(
        self, starts: NDArray[np.int64], lengths: NDArray[np.int64]
    ) -> NDArray[np.bool_]:
        """Which tokens of such spans start a word [Σ lengths]; asked for whole-word masking."""
        ...
