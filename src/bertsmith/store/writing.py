"""Corpus + tokenizer → a token store on disk."""

import importlib.metadata
import unicodedata
from collections import Counter
from pathlib import Path

from bertsmith._files import atomic_folder
from bertsmith._progress import progress
from bertsmith.corpus import Corpus
from bertsmith.errors import StoreError
from bertsmith.store.manifest import (
    FORMAT_VERSION,
    MANIFEST_NAME,
    VOCABULARY_NAME,
    StoreManifest,
)
from bertsmith.store.settings import StoreSettings
from bertsmith.store.shards import ShardWriter
from bertsmith.store.tokenizing import TokenizedChunk, ids_dtype, num_processors, tokenize
from bertsmith.wordpiece import Tokenizer

__all__ = ["write_store"]

_SMALL_CORPUS_BYTES = 2**20


def write_store(
    corpus: Corpus,
    tokenizer: Tokenizer,
    folder: str | Path,
    *,
    settings: StoreSettings | None = None,
    num_workers: int | None = None,
    overwrite: bool = False,
) -> StoreManifest:
    """Tokenizes a corpus and writes it as a token store, whole or not at all.

    The store is the same, to the byte, whatever the number of workers. Sentences and documents
    without a token are dropped and counted.

    Args:
        corpus: the text.
        tokenizer: what turns it into ids; its vocabulary is written into the store.
        folder: where the store goes; a folder that isn't there yet, or is empty.
        settings: sizes of shards and chunks; the defaults where None.
        num_workers: processes to tokenize in; up to 1 means this one. None takes one for each
            processor, or this one alone where there is little text.
        overwrite: whether a store that stands at `folder` is replaced, once the new one is whole.

    Returns:
        The manifest of the new store.

    Raises:
        CorpusError: the text is not what it should be.
        StoreError: something is at `folder`, it can't be written, or no text is left.

    Example:
        >>> import pathlib, tempfile
        >>> from bertsmith.corpus import open_corpus
        >>> from bertsmith.wordpiece import SPECIAL_TOKENS, Vocabulary
        >>> folder = pathlib.Path(tempfile.mkdtemp())
        >>> _ = (folder / "a.txt").write_text("It rains. It rains.")
        >>> tokenizer = Tokenizer(Vocabulary([*SPECIAL_TOKENS, "it", "rains", "."]))
        >>> manifest = write_store(open_corpus(folder / "a.txt"), tokenizer, folder / "store")
        >>> manifest.num_documents, manifest.num_sentences, manifest.num_tokens
        (1, 2, 6)
    """
    settings, folder = settings or StoreSettings(), Path(folder)
    _check_target(folder, overwrite)
    if num_workers is None:
        little = all(str(path) != "-" for path in corpus.files)
        little = little and corpus.num_bytes < _SMALL_CORPUS_BYTES
        num_workers = 1 if little else num_processors()
    try:
        with atomic_folder(folder) as temporary:
            manifest = _write(corpus, tokenizer, temporary, settings, num_workers)
    except OSError as error:
        raise StoreError(
            f"cannot be written ({error.strerror or error})",
            where=folder,
            fix="check the disk's room and permissions",
        ) from error
    return manifest


def _check_target(folder: Path, overwrite: bool) -> None:
    if not folder.exists() and not folder.is_symlink():
        return
    if not folder.is_dir():
        raise StoreError("is a file", where=folder, fix="name a folder for the store")
    if (folder / MANIFEST_NAME).exists():
        if not overwrite:
            what, fix = "holds a token store already", "give --overwrite, or name another folder"
            raise StoreError(what, where=folder, fix=fix)
    elif any(folder.iterdir()):
        what = "holds files that are no token store, which stay"
        raise StoreError(what, where=folder, fix="name another folder")


def _write(
    corpus: Corpus, tokenizer: Tokenizer, folder: Path, settings: StoreSettings, num_workers: int
) -> StoreManifest:
    vocabulary = tokenizer.vocabulary
    dtype = ids_dtype(len(vocabulary))
    writer = ShardWriter(folder, dtype, settings.shard_tokens)
    totals = Counter[str]()
    chunks = tokenize(
        corpus,
        tokenizer,
        corpus.settings.language,
        chunk_chars=settings.chunk_chars,
        num_workers=num_workers,
    )
    with progress("tokenizing", corpus.num_bytes or None, "bytes") as bar:
        done = 0
        for chunk in chunks:
            writer.add(chunk)
            totals.update(_totals(chunk))
            bar.advance(corpus.bytes_read - done)
            done = corpus.bytes_read
            bar.update(tokens=f"{totals['tokens']:,}")
    writer.close()
    if not writer.shards:
        raise StoreError(
            "no token is left of the text", where=corpus.files[0], fix="give text with words"
        )
    vocabulary.save(folder / VOCABULARY_NAME)
    dropped = {name: totals[name] for name in ("sentences_dropped", "documents_dropped")}
    counts = {name: number for name, number in {**corpus.counts, **dropped}.items() if number}
    manifest = StoreManifest(
        format_version=FORMAT_VERSION,
        bertsmith_version=importlib.metadata.version("bertsmith"),
        unicode_version=unicodedata.unidata_version,
        vocabulary_sha256=vocabulary.sha256,
        vocab_size=len(vocabulary),
        lowercase=tokenizer.lowercase,
        dtype="uint16" if dtype.itemsize == 2 else "uint32",
        corpus=corpus.settings,
        counts=counts,
        num_documents=totals["documents"],
        num_sentences=totals["sentences"],
        num_tokens=totals["tokens"],
        num_unknown=totals["unknown"],
        num_text_bytes=totals["text_bytes"],
        shards=tuple(writer.shards),
    )
    text = manifest.model_dump_json(indent=2) + "\n"
    (folder / MANIFEST_NAME).write_text(text, encoding="utf-8")
    return manifest


def _totals(chunk: TokenizedChunk) -> dict[str, int]:
    return {
        "documents": len(chunk.document_lengths),
        "sentences": len(chunk.sentence_lengths),
        "tokens": len(chunk.ids),
        "unknown": chunk.num_unknown,
        "text_bytes": chunk.num_text_bytes,
        "sentences_dropped": chunk.num_sentences_dropped,
        "documents_dropped": chunk.num_documents_dropped,
    }
