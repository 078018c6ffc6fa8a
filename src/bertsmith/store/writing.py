"""Corpus + tokenizer → a token store on disk."""

import importlib.metadata
import shutil
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bertsmith._files import atomic_file, sync
from bertsmith._parallel import Workers
from bertsmith._versions import versions
from bertsmith.corpus import Corpus
from bertsmith.errors import StoreError
from bertsmith.store.copies import find_copies
from bertsmith.store.job import StoreJob
from bertsmith.store.making import make_shards
from bertsmith.store.manifest import (
    FORMAT_VERSION,
    MANIFEST_NAME,
    VOCABULARY_NAME,
    StoreManifest,
    StorePart,
    read_manifest,
)
from bertsmith.store.reading import TokenStore
from bertsmith.store.settings import StoreSettings
from bertsmith.store.target import check_target, real_folder
from bertsmith.store.words import check_language, jieba_name
from bertsmith.store.work_folder import WorkFolder, open_work_folder
from bertsmith.wordpiece import Tokenizer

__all__ = ["append_to_store", "write_store"]


def write_store(
    corpus: Corpus,
    tokenizer: Tokenizer,
    folder: str | Path,
    *,
    settings: StoreSettings | None = None,
    workers: Workers | None = None,
    overwrite: bool = False,
    notice: Callable[[str], None] | None = None,
) -> StoreManifest:
    """Tokenizes a corpus and writes it as a token store, whole or not at all.

    The store is the same, to the byte, whatever does the work. Sentences and documents without a
    token are dropped and counted. Where an earlier call with the same text and settings was
    stopped, in whatever way, this one goes on after the shards that were finished.

    Args:
        corpus: the text.
        tokenizer: what turns it into ids; its vocabulary is written into the store.
        folder: where the store goes; a folder that isn't there yet, or is empty.
        settings: sizes of shards and chunks, and what words are; the defaults where None.
        workers: where to tokenize; one process for each processor where None, or this one alone
            where there is little text.
        overwrite: whether a store that stands at `folder` is replaced, once the new one is whole;
            and whether finished shards of an earlier call with other text or settings are.
        notice: called with a line for people, where an earlier call is gone on with.

    Returns:
        The manifest of the new store.

    Raises:
        CorpusError: the text is not what it should be.
        StoreError: something is at `folder`, it can't be written, or no text is left.
        WorkerError: workers die again and again, or the cluster cannot be reached.

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
    check_target(folder, overwrite)
    vocabulary = tokenizer.vocabulary
    words = _words(settings, corpus, fix="leave --words out")
    job = StoreJob.of(corpus, {**_identity(tokenizer, settings, words), "append_to": None})
    opened = open_work_folder(real_folder(folder), job, discard=overwrite)
    with _told_as_store_errors(folder), opened as work:
        make_shards(corpus, tokenizer, settings, work, workers, first_shard=0, notice=notice)
        manifest = StoreManifest(
            format_version=FORMAT_VERSION,
            bertsmith_version=importlib.metadata.version("bertsmith"),
            unicode_version=unicodedata.unidata_version,
            vocabulary_sha256=vocabulary.sha256,
            vocab_size=len(vocabulary),
            lowercase=tokenizer.lowercase,
            dtype="uint16" if tokenizer.dtype.itemsize == 2 else "uint32",
            words=words,
            **_sums(work),
            parts=(_part(corpus, work),),
            shards=tuple(work.shards),
        )
        vocabulary.save(work.content / VOCABULARY_NAME)
        _save_manifest(manifest, work.content)
        # Something may have been put there meanwhile.
        check_target(folder, overwrite)
        _put_in_place(work, real_folder(folder))
    return manifest


def append_to_store(
    corpus: Corpus,
    folder: str | Path,
    *,
    settings: StoreSettings | None = None,
    workers: Workers | None = None,
    notice: Callable[[str], None] | None = None,
    again: bool = False,
) -> StoreManifest:
    """Tokenizes a corpus as a store's text was and adds it at the store's end.

    What is in the store stays as it is: ids of documents, and which of them are held out. Until
    all of the new text is tokenized the store doesn't change; then it does in one step.

    Args:
        corpus: the new text.
        folder: the store.
        settings: sizes of shards and chunks; words are as in the store, whatever they say.
        workers: as for `write_store`.
        notice: called with a line for people, where an earlier call is gone on with, and where
            documents are in the store already.
        again: whether text that the store has for the most part is added all the same.

    Returns:
        The manifest of the whole store.

    Raises:
        CorpusError: the text is not what it should be.
        StoreError: there is no store, it is damaged, it can't be written, no text is left, or the
            store has most of it already.
        WorkerError: workers die again and again, or the cluster cannot be reached.
    """
    folder = Path(folder)
    store = TokenStore(folder)
    before, tokenizer = store.manifest, store.tokenizer
    kind = "jieba" if before.words.startswith("jieba") else "pieces"
    settings = (settings or StoreSettings()).model_copy(update={"words": kind})
    words = _words(settings, corpus, fix="prepare it as a store of its own")
    if words != before.words:
        raise StoreError(
            f"its words are those of {before.words}, and {words} is installed",
            where=folder,
            fix=f"pip install {before.words.replace(' ', '==')}",
        )
    state = [shard.sha256 for shard in before.shards]
    job = StoreJob.of(corpus, {**_identity(tokenizer, settings, words), "append_to": state})
    with _told_as_store_errors(folder), open_work_folder(real_folder(folder), job) as work:
        if work.is_in_store:
            if notice is not None:
                notice("an earlier run has added this text already")
            return before
        make_shards(
            corpus, tokenizer, settings, work, workers, first_shard=len(state), notice=notice
        )
        copies = find_copies(folder, before, work.content, work.shards)
        if again or not copies.are_most:
            if copies.are_many and notice is not None:
                notice(f"{copies.told}, and will be trained on more often than the rest")
            return _add(corpus, work, folder, before)
    # Only now: the work folder is gone, so that nothing is in the way of other text.
    raise copies.refusal(folder)


def _add(corpus: Corpus, work: WorkFolder, folder: Path, before: StoreManifest) -> StoreManifest:
    """Copies finished shards into a store and makes them count."""
    if read_manifest(folder) != before:
        raise StoreError("was changed meanwhile", where=folder, fix="run the command again")
    sums = {name: value + getattr(before, name) for name, value in _sums(work).items()}
    update = {
        "parts": (*before.parts, _part(corpus, work)),
        "shards": (*before.shards, *work.shards),
    }
    manifest = before.model_copy(update={**sums, **update})
    # Shards that the manifest doesn't name are nothing; its change alone makes them count.
    for shard in work.shards:
        shutil.copyfile(work.content / shard.name, folder / shard.name)
        sync(folder / shard.name)
    _save_manifest(manifest, folder)
    return manifest


def _words(settings: StoreSettings, corpus: Corpus, *, fix: str) -> str:
    if settings.words == "pieces":
        return "pieces"
    check_language(corpus.settings.language, fix)
    return jieba_name()


def _identity(tokenizer: Tokenizer, settings: StoreSettings, words: str) -> dict[str, object]:
    """What a store's bytes depend on, the corpus excepted."""
    return {
        "format_version": FORMAT_VERSION,
        "versions": versions(),
        "vocabulary_sha256": tokenizer.vocabulary.sha256,
        "lowercase": tokenizer.lowercase,
        "store": settings.model_dump(mode="json"),
        "words": words,
    }


def _part(corpus: Corpus, work: WorkFolder) -> StorePart:
    return StorePart(
        corpus=corpus.settings,
        counts={name: number for name, number in (work.counts + corpus.counts).items() if number},
        num_shards=len(work.shards),
        num_unknown=work.totals["unknown"],
        num_text_bytes=work.totals["text_bytes"],
    )


def _sums(work: WorkFolder) -> dict[str, int]:
    names = "num_documents", "num_sentences", "num_tokens"
    return {name: sum(getattr(shard, name) for shard in work.shards) for name in names}


def _save_manifest(manifest: StoreManifest, folder: Path) -> None:
    with atomic_file(folder / MANIFEST_NAME) as temporary:
        temporary.write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")


def _put_in_place(work: WorkFolder, folder: Path) -> None:
    """Renames a finished store to its name; one that stands there goes with the work folder."""
    for file in work.content.iterdir():
        sync(file)
    sync(work.content)
    if folder.exists() and any(folder.iterdir()):
        folder.replace(work.replaced)
    try:
        work.content.replace(folder)
    except BaseException:
        if work.replaced.exists():
            work.replaced.replace(folder)
        raise
    sync(folder.parent)


@contextmanager
def _told_as_store_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"cannot be written ({error.strerror or error})",
            where=folder,
            fix="check the disk's room and permissions, then run the same command again: "
            "what was finished stays",
        ) from error
