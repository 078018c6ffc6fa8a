"""Shingles → MinHash signatures, by `rensa`, and the bands by which similar ones are found."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bertsmith.corpus.occurrences import Keys
from bertsmith.errors import CorpusError

__all__ = ["NUM_SLOTS", "Banding", "Signatures", "load_rensa", "signatures"]

NUM_SLOTS = 128
"""Numbers in a signature: similarities are estimated within about 0.04 (one deviation)."""

Signatures = npt.NDArray[np.uint32]

_SEED = 1
_RECALL = 0.995
# From 32 documents on rensa starts threads of its own; the worker processes are the parallelism.
_BATCH_DOCUMENTS = 16
_MULTIPLIER = np.uint64(0xD6E8FEB86659FD93)


def load_rensa() -> Any:
    """Imports `rensa`.

    Raises:
        CorpusError: it isn't installed.
    """
    try:
        import rensa
    except ImportError:
        raise CorpusError(
            "rensa is not installed",
            where="--duplicates near",
            fix="pip install 'bertsmith[dedup]'",
        ) from None
    return rensa


def signatures(shingles: Sequence[Keys]) -> Signatures:
    """Computes MinHash signatures; those of similar sets agree in about as many slots.

    **Source**: Broder 1997, On the resemblance and containment of documents; `rensa.RMinHash`.

    Args:
        shingles: for each document the hashes of its shingles, repeats allowed.

    Returns:
        Signatures [n, 128].

    Example:
        >>> same = np.arange(5, dtype=np.uint64)
        >>> first, second, other = signatures([same, same[::-1], same + np.uint64(9)])
        >>> bool((first == second).all()), bool((first == other).any())
        (True, False)
    """
    minhash = load_rensa().RMinHash
    rows = list[list[int]]()
    for start in range(0, len(shingles), _BATCH_DOCUMENTS):
        batch = shingles[start : start + _BATCH_DOCUMENTS]
        offsets = np.cumsum([0, *map(len, batch)], dtype=np.uint64)
        matrix = minhash.digest_matrix_from_flat_token_hashes(
            np.concatenate(batch), offsets, NUM_SLOTS, _SEED
        )
        rows += matrix.to_rows()
    return np.array(rows, np.uint32).reshape(-1, NUM_SLOTS)


@dataclass(frozen=True)
class Banding:
    """Signatures cut into bands: documents that agree in a whole band are compared.

    Two documents of similarity s agree in one of b bands of r slots with the probability
    1 − (1 − s^r)^b.

    **Source**: Leskovec, Rajaraman, Ullman, Mining of Massive Datasets, 3.4.

    Attributes:
        num_rows: slots in a band.
        num_bands: bands in a signature.

    Example:
        >>> Banding.for_similarity(0.8)
        Banding(num_rows=6, num_bands=21)
    """

    num_rows: int
    num_bands: int

    @classmethod
    def for_similarity(cls, similarity: float) -> "Banding":
        """The longest bands with which 99.5 % of the pairs of a similarity are compared."""
        for num_rows in range(NUM_SLOTS, 0, -1):
            num_bands = NUM_SLOTS // num_rows
            if 1 - (1 - similarity**num_rows) ** num_bands >= _RECALL:
                return cls(num_rows, num_bands)
        return cls(1, NUM_SLOTS)

    def keys(self, rows: Signatures) -> Keys:
        """Hashes the bands of signatures.

        Args:
            rows: signatures [n, 128].

        Returns:
            A key for each band [n, num_bands]; two are equal where the band's place and all its
            slots are.
        """
        bands = rows[:, : self.num_rows * self.num_bands].astype(np.uint64)
        bands = bands.reshape(-1, self.num_bands, self.num_rows)
        keys = np.tile(np.arange(self.num_bands, dtype=np.uint64), (len(rows), 1))
        for row in range(self.num_rows):
            keys = (keys ^ bands[:, :, row]) * _MULTIPLIER
            keys ^= keys >> np.uint64(32)
        return keys
