"""Which documents are held out, and the order of examples in an epoch."""

import numpy as np
from numpy.typing import NDArray

from bertsmith.errors import StoreError
from bertsmith.examples.hashing import Stream, hash64, uniform

__all__ = ["epoch_order", "split_documents"]


def split_documents(
    num_documents: int,
    *,
    held_out_fraction: float | None = None,
    num_held_out: int | None = None,
    seed: int = 0,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Splits documents into a training and a held-out part, by the hash of their index.

    With a fraction each document decides for itself, so that a corpus that grows at its end
    keeps the side of every old document. Where something is to be held out and there are two
    documents or more, both parts get at least one.

    Args:
        num_documents: number of documents, at least 1.
        held_out_fraction: chance of a document to be held out, in [0, 1). Give this or
            `num_held_out`.
        num_held_out: number of documents to hold out, in [0, num_documents).
        seed: another seed holds out other documents.

    Returns:
        The ids of the training documents and of the held-out ones, each ascending.

    Raises:
        StoreError: there is no document.
        ValueError: not exactly one of the two sizes is given, or it is out of range.

    Example:
        >>> train, held_out = split_documents(1000, held_out_fraction=0.005)
        >>> len(train), held_out.tolist()
        (994, [281, 462, 591, 773, 901, 950])
    """
    if num_documents < 1:
        raise StoreError("has no document", fix="prepare it again from a corpus with text")
    if (held_out_fraction is None) == (num_held_out is None):
        raise ValueError("give either held_out_fraction or num_held_out")
    if held_out_fraction is not None and not 0 <= held_out_fraction < 1:
        raise ValueError(f"held_out_fraction is {held_out_fraction}; it must be in [0, 1)")
    if num_held_out is not None and not 0 <= num_held_out < num_documents:
        raise ValueError(f"num_held_out is {num_held_out}; it must be in [0, {num_documents})")

    documents = np.arange(num_documents)
    if held_out_fraction:
        draws = uniform(seed, Stream.HELD_OUT, documents)
        num_held_out = int((draws < held_out_fraction).sum())
        num_held_out = min(max(num_held_out, 1), num_documents - 1)

    by_hash = np.argsort(hash64(seed, Stream.HELD_OUT, documents))
    held_out = np.sort(by_hash[: num_held_out or 0])
    return np.setdiff1d(documents, held_out, assume_unique=True), held_out


def epoch_order(num_examples: int, seed: int, epoch: int) -> NDArray[np.int64]:
    """Returns the order in which an epoch's examples are seen: a permutation of `num_examples`.

    Sorts the examples by the hash of their index; no two hashes are equal.

    Example:
        >>> epoch_order(5, seed=0, epoch=0).tolist(), epoch_order(5, seed=0, epoch=1).tolist()
        ([2, 0, 1, 4, 3], [1, 0, 4, 3, 2])
    """
    return np.argsort(hash64(seed, Stream.ORDER, epoch, np.arange(num_examples)))
