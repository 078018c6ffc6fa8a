"""Counting a corpus gives the same for any workers, and what one counter over its texts gives."""

import json
import random
import time

import pytest

from bertsmith._parallel import Workers
from bertsmith.corpus import CleaningSettings, CorpusSettings, open_corpus
from bertsmith.wordpiece import WordCounter, corpus_counting, count_words, learn_from_counts

LETTERS = "abcdefgÉß中文 ,.\u0301\x85"


@pytest.fixture
def shards(tmp_path):
    rng = random.Random(3)
    words = ["".join(rng.choices(LETTERS, k=rng.randint(1, 6))) for _ in range(400)]
    for shard in range(3):
        records = (
            {"text": " ".join(rng.choices(words, k=rng.randint(1, 60))) + ("x" * 300) * (n == 5)}
            for n in range(40)
        )
        content = "".join(json.dumps(record) + "\n" for record in records)
        (tmp_path / f"{shard}.jsonl").write_text(content)
    return sorted(tmp_path.iterdir())


@pytest.fixture
def small_tasks(monkeypatch):
    monkeypatch.setattr(corpus_counting, "_TASK_CHARS", 2000)


def known(counter):
    return dict(counter.counts), counter.num_long_words, counter.num_text_bytes


@pytest.mark.parametrize("lowercase", [True, False])
def test_one_counter_over_all_texts_gives_the_same(shards, small_tasks, lowercase):
    wanted = WordCounter(lowercase=lowercase)
    for document in open_corpus(shards):
        wanted.add(document.text)
    found = count_words(open_corpus(shards), Workers(1), lowercase=lowercase)
    assert known(found) == known(wanted)
    assert found.num_long_words == 3
    assert found.lowercase == lowercase


def test_workers_and_order_of_shards_change_nothing(shards, small_tasks):
    hashes = set()
    for workers, files in ((1, shards), (2, shards[::-1]), (3, shards)):
        counter = count_words(open_corpus(files), Workers(workers))
        hashes.add(learn_from_counts(counter.counts, size=400).sha256)
        assert counter.num_long_words == 3
    assert len(hashes) == 1


def test_the_work_is_shared_with_other_processes(shards, small_tasks, monkeypatch):
    done_here, pause = [], 0.0
    original = corpus_counting._Counting.__call__

    def count_here(job, task):
        done_here.append(task)
        time.sleep(pause)
        return original(job, task)

    monkeypatch.setattr(corpus_counting._Counting, "__call__", count_here)
    wanted = count_words(open_corpus(shards), Workers(1)).counts
    num_tasks = len(done_here)
    done_here.clear()
    pause = 5 / num_tasks  # alone this process would be busy until long after the other has started
    assert count_words(open_corpus(shards), Workers(2)).counts == wanted
    assert num_tasks - len(done_here) >= 2


def test_what_fits_into_one_task_needs_no_processes(shards, monkeypatch):
    seen = []
    monkeypatch.setattr(
        corpus_counting,
        "ordered_map",
        lambda job, tasks, workers: seen.append(workers) or map(job, tasks),
    )
    count_words(open_corpus(shards), Workers(8))
    assert seen == [Workers(1)]


def test_what_cleaning_drops_is_neither_counted_nor_forgotten(shards, small_tasks):
    settings = CorpusSettings(cleaning=CleaningSettings(min_document_chars=150))
    corpus = open_corpus(shards, settings)
    counter = count_words(corpus, Workers(1))
    assert 0 < counter.num_text_bytes < count_words(open_corpus(shards)).num_text_bytes
    assert corpus.counts.total() > 0
