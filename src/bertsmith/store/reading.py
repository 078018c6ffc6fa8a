"""A token store, opened: all tokens on one axis, without reading them."""

from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bertsmith._files import sha256_of_file
from bertsmith.errors import StoreError
from bertsmith.store.manifest import VOCABULARY_NAME, StoreManifest, read_manifest
from bertsmith.store.shards import map_shard
from bertsmith.store.words import continuing_pieces
from bertsmith.wordpiece import Tokenizer, Vocabulary

__all__ = ["TokenStore"]


class TokenStore:
    """A token store on disk, memory-mapped.

    The tokens of all documents stand on one axis. Document `d` has the sentences
    `document_offsets[d]` up to `document_offsets[d + 1]`; sentence `s` has the tokens
    `sentence_offsets[s]` up to `sentence_offsets[s + 1]`. Opening reads the offsets, which takes
    8 bytes of memory for each sentence, and no tokens.

    Args:
        folder: the store, as `write_store` made it.

    Attributes:
        folder: where it is.
        manifest: what is in it and how it was made.
        document_offsets: where documents start, in sentences, int64 [documents + 1].
        sentence_offsets: where sentences start, in tokens, int64 [sentences + 1].

    Raises:
        StoreError: there is no store, it is of another version, or a part is missing or cut off.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.manifest: StoreManifest = read_manifest(self.folder)
        shards = [
            map_shard(self.folder, shard, self.manifest.dtype, has_words=self.has_words)
            for shard in self.manifest.shards
        ]
        self._word_starts = [s.word_starts for s in shards if s.word_starts is not None]
        self._ids = [shard.ids for shard in shards]
        # Short slices of a memoryview are several times quicker to make and to join than arrays.
        self._id_views = [ids.data for ids in self._ids]
        self._titles = [shard.titles for shard in shards]
        self._shard_tokens = _starts(len(shard.ids) for shard in shards)
        self._shard_documents = _starts(len(shard.titles) for shard in shards)
        self.sentence_offsets = _joined([shard.sentence_offsets for shard in shards])
        self.document_offsets = _joined([shard.document_offsets for shard in shards])

    @property
    def num_documents(self) -> int:
        """Number of documents."""
        return self.manifest.num_documents

    @property
    def num_sentences(self) -> int:
        """Number of sentences."""
        return self.manifest.num_sentences

    @property
    def num_tokens(self) -> int:
        """Number of tokens, without [CLS] and [SEP]."""
        return self.manifest.num_tokens

    @property
    def has_words(self) -> bool:
        """Whether it holds where words start, found in the text when it was prepared."""
        return self.manifest.words != "pieces"

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The vocabulary that the ids are of.

        Raises:
            StoreError: the file in the store is not the one that it was made with.
        """
        path = self.folder / VOCABULARY_NAME
        vocabulary = Vocabulary.load(path)
        if vocabulary.sha256 != self.manifest.vocabulary_sha256:
            raise StoreError(
                "is not the vocabulary that the store was made with",
                where=path,
                fix="copy the store again, or prepare it again with `bertsmith prepare`",
            )
        return vocabulary

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer that made the ids."""
        return Tokenizer(self.vocabulary, lowercase=self.manifest.lowercase)

    def title(self, document: int) -> str:
        """A document's title, or "" where it has none."""
        if not 0 <= document < self.num_documents:
            raise IndexError(f"document {document} of {self.num_documents}")
        shard = int(np.searchsorted(self._shard_documents, document, side="right")) - 1
        return str(self._titles[shard][document - int(self._shard_documents[shard])])

    def tokens(self, start: int, stop: int) -> NDArray[np.unsignedinteger]:
        """Token ids `start` up to `stop` of the axis; not copied where one shard holds them.

        Returns:
            Read-only or copied ids, uint16 or uint32 [stop - start].

        Raises:
            IndexError: there are no such tokens.
        """
        if not 0 <= start <= stop <= self.num_tokens:
            raise IndexError(f"tokens {start} to {stop} of {self.num_tokens}")
        bounds = self._shard_tokens
        first = min(int(np.searchsorted(bounds, start, side="right")) - 1, len(self._ids) - 1)
        parts = []
        for shard in range(first, len(self._ids)):
            base = int(bounds[shard])
            parts.append(self._ids[shard][max(start - base, 0) : max(stop - base, 0)])
            if stop <= bounds[shard + 1]:
                break
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def gather(self, starts: ArrayLike, lengths: ArrayLike) -> NDArray[np.unsignedinteger]:
        """Copies many slices of the token axis, laid end to end.

        Args:
            starts: where each slice starts, in tokens, int64 [slices].
            lengths: how many tokens each slice has, int64 [slices].

        Returns:
            The ids, uint16 or uint32 [sum of lengths].

        Raises:
            IndexError: a slice is not on the axis.
        """
        starts, lengths = self._slices(starts, lengths)
        if not starts.size:
            return np.empty(0, self._ids[0].dtype)
        stops = starts + lengths
        bounds, views = self._shard_tokens, self._id_views
        shards = np.searchsorted(bounds[:-1], starts, side="right") - 1
        if (stops > bounds[shards + 1]).any():
            pairs = zip(starts.tolist(), stops.tolist(), strict=True)
            return np.concatenate([self.tokens(start, stop) for start, stop in pairs])
        base = bounds[shards]
        places = zip(
            shards.tolist(), (starts - base).tolist(), (stops - base).tolist(), strict=True
        )
        joined = bytearray().join([views[shard][start:stop] for shard, start, stop in places])
        return np.frombuffer(joined, self._ids[0].dtype)

    def gather_word_starts(self, starts: ArrayLike, lengths: ArrayLike) -> NDArray[np.bool_]:
        """Which tokens of many slices of the token axis start a word; see `gather`.

        Where the store was prepared without words of its own, these are the pieces that don't
        begin with `##`.

        Returns:
            True for a token that starts a word, bool [sum of lengths].

        Raises:
            IndexError: a slice is not on the axis.
        """
        if not self.has_words:
            return np.asarray(self._starts_word[self.gather(starts, lengths)])
        starts, lengths = self._slices(starts, lengths)
        before = np.cumsum(lengths) - lengths
        tokens = np.repeat(starts - before, lengths) + np.arange(lengths.sum())
        shards = np.searchsorted(self._shard_tokens[1:], tokens, side="right")
        found = np.empty(len(tokens), np.uint8)
        for shard, bits in enumerate(self._word_starts):
            here = shards == shard
            place = tokens[here] - self._shard_tokens[shard]
            found[here] = bits[place >> 3] >> (place & 7).astype(np.uint8)
        return (found & 1).astype(np.bool_)

    def _slices(
        self, starts: ArrayLike, lengths: ArrayLike
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        starts, lengths = np.asarray(starts, np.int64), np.asarray(lengths, np.int64)
        if starts.size and (
            starts.min() < 0 or lengths.min() < 0 or (starts + lengths).max() > self.num_tokens
        ):
            raise IndexError(f"a slice is not within the {self.num_tokens} tokens")
        return starts, lengths

    @cached_property
    def _starts_word(self) -> NDArray[np.bool_]:
        return ~continuing_pieces(self.vocabulary)

    def verify(self) -> None:
        """Reads every file and compares its hash with the manifest.

        Raises:
            StoreError: a file is damaged; the message names it.
        """
        for shard in self.manifest.shards:
            path = self.folder / shard.name
            try:
                found = sha256_of_file(path)
            except OSError as error:
                what = f"cannot be read ({error.strerror})"
                fix = "check the disk and its permissions"
                raise StoreError(what, where=path, fix=fix) from error
            if found != shard.sha256:
                raise StoreError(
                    "is damaged (its SHA-256 is not the manifest's)",
                    where=path,
                    fix="copy the store again, or prepare it again with `bertsmith prepare`",
                )
        _ = self.vocabulary

    def __reduce__(self) -> tuple[type["TokenStore"], tuple[Path]]:
        return TokenStore, (self.folder,)

    def __repr__(self) -> str:
        return (
            f"TokenStore({str(self.folder)!r}: {self.num_documents:,} documents, "
            f"{self.num_sentences:,} sentences, {self.num_tokens:,} tokens)"
        )


def _starts(lengths: Iterable[int]) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(np.fromiter(lengths, np.int64))])


def _joined(offsets: list[NDArray[np.int32]]) -> NDArray[np.int64]:
    """The shards' offsets as one series; every shard's own starts at 0."""
    joined = np.zeros(1 + sum(len(part) - 1 for part in offsets), np.int64)
    place = 1
    for part in offsets:
        stop = place + len(part) - 1
        np.add(part[1:], joined[place - 1], out=joined[place:stop])
        place = stop
    return joined
