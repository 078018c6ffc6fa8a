"""Which documents are held out, and the order of examples in an epoch."""

import numpy as np
from numpy.typing import NDArray

from bertsmith.errors import RecipeError, StoreError
from bertsmith.examples.hashing import Stream, hash64, uniform

__all__ = ["epoch_order", "split_documents"]


def split_documents(
    num_documents: int, held_out_fraction: float, seed: int = 0
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Splits documents into a training and a held-out part, each document by its own hash.

    So a corpus that grows at its end keeps the side of every old document. Where there are two
    documents or more, both parts have at least one, unless the fraction is 0.

    Args:
        num_documents: number of documents, at least 1.
        held_out_fraction: chance of a document to be held out, in [0, 1).
        seed: another seed holds out other documents.

    Returns:
        The ids of the training documents and of the held-out ones, each ascending.

    Raises:
        StoreError: there is no document.
        RecipeError: the fraction is out of range.

    Example:
        >>> train, held_out = split_documents(1000, 0.005)
        >>> len(train), held_out.tolist()
        (994, [281, 462, 591, 773, 901, 950])
    """
    if num_documents < 1:
        raise StoreError("no document in the store", fix="prepare it from a corpus with text")
    if not 0 <= held_out_fraction < 1:
        raise RecipeError(
            f"{held_out_fraction} is out of range", where="held_out_fraction", fix="use 0 up to 1"
        )
    documents = np.arange(num_documents)
    draws = hash64(seed, Stream.HELD_OUT, documents)
    is_held_out = uniform(seed, Stream.HELD_OUT, documents) < held_out_fraction
    if held_out_fraction > 0 and num_documents > 1:
        is_held_out[draws.argmin()] = True
        is_held_out[draws.argmax()] = False
    else:
        is_held_out[:] = False
    return np.flatnonzero(~is_held_out), np.flatnonzero(is_held_out)


def epoch_order(num_examples: int, seed: int, epoch: int) -> NDArray[np.int64]:
    """Returns the order in which an epoch's examples are seen: a permutation of `num_examples`.

    Sorts the examples by the hash of their index; no two hashes are equal.

    Example:
        >>> epoch_order(5, seed=0, epoch=0).tolist(), epoch_order(5, seed=0, epoch=1).tolist()
        ([2, 0, 1, 4, 3], [1, 0, 4, 3, 2])
    """
    return np.argsort(hash64(seed, Stream.ORDER, epoch, np.arange(num_examples)))
