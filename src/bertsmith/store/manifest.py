"""What a token store says about itself."""

import shlex
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, ValidationError, model_validator

from bertsmith._settings import Settings
from bertsmith.corpus import CorpusSettings
from bertsmith.corpus.commands import Commands
from bertsmith.errors import StoreError

__all__ = [
    "FORMAT_VERSION",
    "Shard",
    "StoreManifest",
    "StorePart",
    "StoreSummary",
    "commands_of",
    "describe",
    "read_manifest",
    "unfit_vocabulary",
]

FORMAT_VERSION = 2
MANIFEST_NAME = "manifest.json"
VOCABULARY_NAME = "vocab.txt"
# Google's vocabularies give far below one in a hundred on text of their language.
_MANY_UNKNOWN = 0.02


class Shard(Settings):
    """One Arrow IPC file of a store: one record batch, a row for each document."""

    name: str = Field(pattern=r"^[\w-]+\.arrow$", description="file name inside the store")
    sha256: str = Field(description="SHA-256 of the file, in hexadecimal")
    num_file_bytes: int = Field(ge=1, description="size of the file")
    num_documents: int = Field(ge=1, description="documents in it")
    num_sentences: int = Field(ge=1, description="sentences in it")
    num_tokens: int = Field(ge=1, description="tokens in it")


class StorePart(Settings):
    """The text of one `bertsmith prepare`; a store that was appended to has several parts."""

    corpus: CorpusSettings = Field(description="how the text was read")
    counts: dict[str, int] = Field(
        description="what was mended or left out, in reading (see Corpus.counts) and after: "
        "sentences_dropped and documents_dropped had no token"
    )
    num_shards: int = Field(ge=1, description="shards with its tokens")
    num_unknown: int = Field(ge=0, description="tokens that are [UNK]")
    num_text_bytes: int = Field(ge=1, description="UTF-8 bytes of its text, mark-up taken out")


class StoreManifest(Settings):
    """The content of `manifest.json`: what is in the store and how it was made.

    It holds no time and no path, so that the same text gives the same bytes.
    """

    format_version: int = Field(description="version of the store's layout")
    bertsmith_version: str = Field(description="bertsmith that wrote it")
    unicode_version: str = Field(description="Unicode tables that the tokenizer used")
    vocabulary_sha256: str = Field(description="SHA-256 of vocab.txt")
    vocab_size: int = Field(ge=1, description="tokens in the vocabulary")
    lowercase: bool = Field(description="whether text was lower-cased and stripped of accents")
    dtype: Literal["uint16", "uint32"] = Field(description="type of a token id")
    words: str = Field(
        default="pieces",
        pattern=r"^(pieces|jieba \S+)$",
        description="what a word is: pieces, or the name and version of what found words in the "
        "text; then the shards hold where words start",
    )
    num_documents: int = Field(ge=1, description="documents")
    num_sentences: int = Field(ge=1, description="sentences")
    num_tokens: int = Field(ge=1, description="tokens, without [CLS] and [SEP]")
    parts: tuple[StorePart, ...] = Field(min_length=1, description="the texts, in order")
    shards: tuple[Shard, ...] = Field(min_length=1, description="the files with the tokens")

    @property
    def counts(self) -> dict[str, int]:
        """What was mended or left out of all parts, name → number."""
        return dict(sum((Counter(part.counts) for part in self.parts), Counter[str]()))

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        for name in ("num_documents", "num_sentences", "num_tokens"):
            total = sum(getattr(shard, name) for shard in self.shards)
            if total != getattr(self, name):
                raise ValueError(f"{name} of the shards add up to {total}")
        if sum(part.num_shards for part in self.parts) != len(self.shards):
            raise ValueError("the parts have another number of shards")
        return self


@dataclass(frozen=True)
class StoreSummary:
    """A store in a few numbers.

    Attributes:
        num_documents: documents.
        num_sentences: sentences.
        num_tokens: tokens.
        num_text_bytes: UTF-8 bytes of text.
        sentences_per_document: mean number of sentences of a document.
        tokens_per_sentence: mean number of tokens of a sentence.
        bytes_per_token: mean number of bytes of text that a token stands for.
        unknown_rate: share of tokens that are [UNK], in [0, 1].
        counts: what was mended or left out, name → number.
    """

    num_documents: int
    num_sentences: int
    num_tokens: int
    num_text_bytes: int
    sentences_per_document: float
    tokens_per_sentence: float
    bytes_per_token: float
    unknown_rate: float
    counts: dict[str, int]


def commands_of(manifest: StoreManifest, folder: Path) -> Commands:
    """The commands that make a store anew, beside it; its text is called CORPUS.

    Args:
        manifest: what is in it.
        folder: where it is.
    """
    settings, cased = manifest.parts[-1].corpus, not manifest.lowercase
    return Commands(["CORPUS"], settings, str(folder / VOCABULARY_NAME), cased, store="new_store")


def unfit_vocabulary(manifest: StoreManifest, folder: Path) -> str | None:
    """What to tell those who use a store with many [UNK], or None where all is well.

    Args:
        manifest: the store's.
        folder: where the store is.
    """
    unknown = describe(manifest).unknown_rate
    if unknown <= _MANY_UNKNOWN:
        return None
    looks = shlex.join(["bertsmith", "doctor", "store", str(folder)])
    return (
        f"{unknown:.1%} of the store's tokens are [UNK]: the vocabulary doesn't fit its text, and "
        "to be right about [UNK] says nothing; learn one with `bertsmith vocab`, or see "
        f"`{looks}`"
    )


def describe(manifest: StoreManifest) -> StoreSummary:
    """Sums a store up for people."""
    num_text_bytes = sum(part.num_text_bytes for part in manifest.parts)
    num_unknown = sum(part.num_unknown for part in manifest.parts)
    return StoreSummary(
        manifest.num_documents,
        manifest.num_sentences,
        manifest.num_tokens,
        num_text_bytes,
        sentences_per_document=manifest.num_sentences / manifest.num_documents,
        tokens_per_sentence=manifest.num_tokens / manifest.num_sentences,
        bytes_per_token=num_text_bytes / manifest.num_tokens,
        unknown_rate=num_unknown / manifest.num_tokens,
        counts=manifest.counts,
    )


def read_manifest(folder: Path) -> StoreManifest:
    """Reads and checks a store's manifest.

    Raises:
        StoreError: there is no store, its manifest is damaged, or its layout is of another version.
    """
    path = folder / MANIFEST_NAME
    prepare = "make one with `bertsmith prepare`"
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        what = "is no token store" if folder.exists() else "does not exist"
        raise StoreError(what, where=folder, fix=prepare) from None
    except PermissionError as error:
        what = f"cannot be read ({error.strerror})"
        raise StoreError(what, where=path, fix="check its permissions") from error
    except (OSError, UnicodeDecodeError) as error:
        raise StoreError(f"cannot be read ({error})", where=path, fix=prepare) from error
    try:
        manifest = StoreManifest.model_validate_json(text)
    except ValidationError as error:
        _check_version(text, path)
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        what = f"is damaged ({place + ': ' if place else ''}{first['msg']})"
        raise StoreError(what, where=path, fix=prepare) from error
    _check_version(text, path)
    return manifest


class _Version(Settings):
    model_config = Settings.model_config | {"extra": "ignore"}

    format_version: int


def _check_version(text: str, path: Path) -> None:
    """A manifest of another version may have other fields; the version explains that best."""
    try:
        version = _Version.model_validate_json(text).format_version
    except ValidationError:
        return
    if version != FORMAT_VERSION:
        raise StoreError(
            f"has layout version {version}; this bertsmith reads version {FORMAT_VERSION}",
            where=path,
            fix="prepare the text again with `bertsmith prepare`",
        )
