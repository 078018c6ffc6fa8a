"""Which documents of a text that is to be appended are in the store already."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bertsmith._progress import progress
from bertsmith._words import counted
from bertsmith.errors import StoreError
from bertsmith.store.manifest import Shard, StoreManifest
from bertsmith.store.shards import map_shard

__all__ = ["Copies", "find_copies"]

# From a hundredth on copies are worth a word (as `doctor corpus` has it for a text's own); where
# most of a text is there already, it was meant for another store or given once more by mistake.
_WORTH_A_WORD, _MOST = 0.01, 0.5


@dataclass(frozen=True)
class Copies:
    """How much of a new text a store has already, token for token.

    Attributes:
        num_documents: documents of the new text.
        num_tokens: their tokens.
        num_copies: those documents that the store has already.
        num_copied_tokens: their tokens.

    Example:
        >>> Copies(4, 400, 1, 100).told
        '1 of the 4 documents (25% of the tokens) is in the store already'
        >>> Copies(4, 400, 1, 100).are_most, Copies(4, 400, 3, 300).are_most
        (False, True)
    """

    num_documents: int
    num_tokens: int
    num_copies: int
    num_copied_tokens: int

    @property
    def share(self) -> float:
        """Share of the new tokens that the store has already, in [0, 1]."""
        return self.num_copied_tokens / self.num_tokens

    @property
    def are_most(self) -> bool:
        """Whether over half of the new text is there already."""
        return self.share > _MOST

    @property
    def are_many(self) -> bool:
        """Whether they are worth a word."""
        return self.share >= _WORTH_A_WORD

    @property
    def told(self) -> str:
        """What was found, for people."""
        if self.num_copies == self.num_documents == 1:
            return "the one document is in the store already"
        documents = counted(self.num_documents, "document")
        number = "all" if self.num_copies == self.num_documents else f"{self.num_copies:,} of the"
        are = "is" if self.num_copies == 1 else "are"
        share = "" if number == "all" else f" ({self.share:.0%} of the tokens)"
        return f"{number} {documents}{share} {are} in the store already"

    def refusal(self, store: Path) -> StoreError:
        """The error where most of the text is there already."""
        return StoreError(
            f"{self.told}; added once more, each would be trained on twice as often",
            where=store,
            fix="name the new text alone, or give --again if that is meant",
        )


def find_copies(
    store: Path, manifest: StoreManifest, new: Path, new_shards: Sequence[Shard]
) -> Copies:
    """Compares a text's documents with a store's, by their tokens and nothing else.

    Only documents as long as a new one are read. It takes 16 bytes for each new document.

    Args:
        store: the store's folder.
        manifest: what is in it.
        new: the folder with the new text's shards.
        new_shards: these; the text is tokenized as the store's was.
    """
    found = list(_lengths_and_hashes(new, new_shards, manifest, None))
    lengths = np.concatenate([part[0] for part in found])
    hashes = np.concatenate([part[1] for part in found])
    known = np.unique(hashes)
    is_there = np.zeros(len(known), np.bool_)
    for _, there in _lengths_and_hashes(store, manifest.shards, manifest, np.unique(lengths)):
        places = np.minimum(np.searchsorted(known, there), len(known) - 1)
        is_there[places[known[places] == there]] = True
    copied = is_there[np.searchsorted(known, hashes)]
    return Copies(len(hashes), int(lengths.sum()), int(copied.sum()), int(lengths[copied].sum()))


def _lengths_and_hashes(
    folder: Path,
    shards: Sequence[Shard],
    manifest: StoreManifest,
    wanted: NDArray[np.int64] | None,
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Tokens and a hash of each document, shard by shard; of those with a wanted length alone."""
    has_words = manifest.words != "pieces"
    total = sum(shard.num_tokens for shard in shards)
    with progress("looking for copies", total, "tokens") as bar:
        for shard in shards:
            mapped = map_shard(folder, shard, manifest.dtype, has_words=has_words)
            offsets = mapped.sentence_offsets[mapped.document_offsets].astype(np.int64)
            lengths = np.diff(offsets)
            chosen = slice(None) if wanted is None else np.isin(lengths, wanted)
            lengths = lengths[chosen]
            starts = offsets[:-1][chosen].tolist()
            # Python's own hash of bytes: 64 bits, the same within a process, a gigabyte a second.
            hashes = np.fromiter(
                (
                    hash(mapped.ids[start : start + length].tobytes())
                    for start, length in zip(starts, lengths.tolist(), strict=True)
                ),
                np.int64,
                count=len(starts),
            )
            yield lengths, hashes
            bar.advance(shard.num_tokens)
