"""Making a store's shards: chunks go to workers, and come back in order to be written."""

from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import closing

from bertsmith._parallel import LITTLE_BYTES, Workers, ordered_map
from bertsmith._progress import progress
from bertsmith._words import counted
from bertsmith.corpus import Corpus, Findings
from bertsmith.corpus.left_out import fix_for_nothing_left
from bertsmith.errors import CorpusError, StoreError
from bertsmith.store.job import FinishedShard
from bertsmith.store.settings import StoreSettings
from bertsmith.store.shards import write_shard
from bertsmith.store.tokenizing import DocumentChunk, TokenizedChunk, Tokenizing, document_chunks
from bertsmith.store.words import JiebaWords
from bertsmith.store.work_folder import WorkFolder
from bertsmith.wordpiece import Tokenizer

__all__ = ["make_shards"]


def make_shards(
    corpus: Corpus,
    tokenizer: Tokenizer,
    settings: StoreSettings,
    work: WorkFolder,
    workers: Workers | None,
    *,
    first_shard: int,
    notice: Callable[[str], None] | None,
) -> None:
    """Tokenizes what isn't tokenized yet, and writes it shard by shard into the work folder.

    Args:
        corpus: the text.
        tokenizer: what turns it into ids.
        settings: sizes of shards and chunks, and what words are.
        work: where shards are written; it knows which are there.
        workers: where to tokenize; decided by the corpus's size where None.
        first_shard: number of the first shard in the store.
        notice: called with a line for people, where there is something to go on with.

    Raises:
        StoreError: no text is left.
    """
    num_tokens = sum(shard.num_tokens for shard in work.shards)
    if work.finished and notice is not None:
        shards = counted(len(work.shards), "finished shard")
        notice(f"going on after {shards} ({num_tokens:,} tokens)")
    workers = workers or _workers_for(corpus)
    _survey(corpus, work, workers)
    if work.is_complete:
        _count_to_the_end(corpus, work)
    else:
        words = JiebaWords(tokenizer) if settings.words == "jieba" else None
        chunks = document_chunks(corpus, work.end, settings.chunk_chars)
        job = Tokenizing(tokenizer, corpus.refiner, words)
        # Closed at once: an error that somebody holds would keep the workers waiting for work.
        with closing(_shown(corpus, chunks, job, workers, num_tokens)) as tokenized:
            _write_shards(tokenized, settings, work, first_shard)
    if not work.shards:
        fix = fix_for_nothing_left(work.counts + corpus.counts)
        raise StoreError("no token is left of the text", where=corpus.files[0], fix=fix)


def _workers_for(corpus: Corpus) -> Workers:
    """Processes take a second to start, which a little text isn't worth."""
    is_little = corpus.file_identities() is not None and corpus.num_bytes < LITTLE_BYTES
    return Workers(1 if is_little else None)


def _survey(corpus: Corpus, work: WorkFolder, workers: Workers) -> None:
    """Takes the survey that an earlier run made, or makes it."""
    if not corpus.settings.cleaning.needs_survey:
        return
    if corpus.findings is None and work.findings.exists():
        try:
            corpus.findings = Findings.load(work.findings)
        except CorpusError:
            work.findings.unlink()
    corpus.survey(workers)
    if not work.findings.exists():
        corpus.survey().save(work.findings)


def _count_to_the_end(corpus: Corpus, work: WorkFolder) -> None:
    """Nothing is left to tokenize; what was left out at the end is counted once more."""
    for _ in corpus.read(work.end):
        pass


def _shown(
    corpus: Corpus,
    chunks: Iterator[DocumentChunk],
    job: Tokenizing,
    workers: Workers,
    num_tokens: int,
) -> Generator[TokenizedChunk, None, None]:
    with progress("tokenizing", corpus.num_bytes or None, "bytes") as bar:
        done = 0
        for chunk in ordered_map(job, chunks, workers):
            num_tokens += len(chunk.ids)
            bar.advance(corpus.bytes_read - done)
            done = corpus.bytes_read
            bar.update(tokens=f"{num_tokens:,}")
            yield chunk


def _write_shards(
    chunks: Iterator[TokenizedChunk], settings: StoreSettings, work: WorkFolder, first_shard: int
) -> None:
    parts, num_tokens = list[TokenizedChunk](), 0
    totals, counts = work.totals, work.counts
    end = work.end

    def finish(*, is_last: bool) -> None:
        number = first_shard + len(work.shards)
        shard = None
        if num_tokens:
            shard = write_shard(work.content, f"shard-{number:05d}.arrow", parts)
        if end is not None:
            work.add(FinishedShard(shard, end, dict(totals), dict(counts), is_last))

    for chunk in chunks:
        end = chunk.end
        totals.update(unknown=chunk.num_unknown, text_bytes=chunk.num_text_bytes)
        counts.update(Counter(chunk.counts))
        parts.append(chunk)
        num_tokens += len(chunk.ids)
        if num_tokens >= settings.shard_tokens:
            finish(is_last=False)
            parts, num_tokens = [], 0
    finish(is_last=True)
