"""`kill -9` at any moment: a store is whole or absent, and nothing finished is made again."""

import json
import random
import signal
import subprocess
import sys
import time

import pytest

from bertsmith.corpus import open_corpus
from bertsmith.store import StoreSettings, TokenStore, append_to_store, write_store
from store_content import content

SCRIPT = """
import sys
from pathlib import Path
from bertsmith._parallel import Workers
from bertsmith.corpus import open_corpus
from bertsmith.store import StoreSettings, append_to_store, write_store
from bertsmith.wordpiece import Tokenizer

if __name__ == "__main__":
    kind, corpus, folder, vocab, workers = sys.argv[1:]
    settings = StoreSettings(shard_tokens=20_000, chunk_chars=10_000)
    corpus, workers = open_corpus(corpus), Workers(int(workers))
    print("started", flush=True)
    if kind == "append":
        append_to_store(corpus, folder, settings=settings, workers=workers)
    else:
        tokenizer = Tokenizer(vocab)
        write_store(
            corpus, tokenizer, folder, settings=settings, workers=workers, overwrite=True
        )
"""


def kill_at_random_moments(tmp_path, texts, tokenizer, kind, num_kills, num_workers):
    """Kills runs until one comes through; looks at what stands there after each."""
    (tmp_path / "script.py").write_text(SCRIPT)
    tokenizer.vocabulary.save(tmp_path / "vocab.txt")
    rng = random.Random(num_kills)
    records = (json.dumps({"text": text}) + "\n" for text in rng.choices(texts, k=12_000))
    (tmp_path / "a.jsonl").write_text("".join(records))
    (tmp_path / "old.jsonl").write_text(json.dumps({"text": "rain river gold"}) + "\n")
    settings = StoreSettings(shard_tokens=20_000, chunk_chars=10_000)
    stores = tmp_path / "stores"
    write_store(open_corpus(tmp_path / "old.jsonl"), tokenizer, stores / "store")
    write_store(open_corpus(tmp_path / "old.jsonl"), tokenizer, tmp_path / "expected")
    old, started = content(stores / "store"), time.monotonic()
    if kind == "append":
        append_to_store(open_corpus(tmp_path / "a.jsonl"), tmp_path / "expected", settings=settings)
    else:
        write_store(
            open_corpus(tmp_path / "a.jsonl"),
            tokenizer,
            tmp_path / "expected",
            settings=settings,
            overwrite=True,
        )
    expected, seconds = content(tmp_path / "expected"), time.monotonic() - started
    arguments = [tmp_path / "a.jsonl", stores / "store", tmp_path / "vocab.txt", num_workers]
    command = [sys.executable, tmp_path / "script.py", kind, *arguments]
    finished, num_killed = {}, 0
    for attempt in range(num_kills + 1):
        with subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE) as process:
            assert process.stdout.readline() == b"started\n"
            if attempt == 0:
                # Surely in the middle; a moment by the clock may come too late.
                while not list(stores.glob(".store.partial/content/*.arrow")):
                    time.sleep(0.001)
            elif attempt < num_kills:
                time.sleep(rng.random() * seconds)
            if attempt < num_kills:
                process.send_signal(signal.SIGKILL)
            num_killed += process.wait() == -signal.SIGKILL
        found = content(stores / "store") if (stores / "store").exists() else None
        if kind == "append" and found is not None and len(found) == len(old):
            found = {name: found[name] for name in old}
        named = found and {name: found[name] for name in named_in(found)}
        assert named in (old, expected, None)
        if named == expected:
            break
        work = stores / ".store.partial" / "content"
        now = {path.name: path.stat().st_mtime_ns for path in work.glob("*.arrow")}
        journal = stores / ".store.partial" / "journal.jsonl"
        lines = journal.read_text().splitlines(keepends=True) if journal.exists() else []
        done = [json.loads(line) for line in lines if line.endswith("\n")]
        for name in finished:
            assert now.get(name) == finished[name], "a finished shard was made again"
        finished = {e["shard"]["name"]: now[e["shard"]["name"]] for e in done if e["shard"]}
    assert named == expected
    TokenStore(stores / "store").verify()
    return num_killed


def named_in(files):
    """The files of a store; shards that the manifest doesn't name are nothing."""
    shards = [shard["name"] for shard in json.loads(files["manifest.json"])["shards"]]
    return ["manifest.json", "vocab.txt", *shards]


@pytest.mark.parametrize("kind", ["write", "append"])
def test_kill_9(tmp_path, texts, tokenizer, kind):
    assert kill_at_random_moments(tmp_path, texts, tokenizer, kind, 3, 1) > 0


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["write", "append"])
@pytest.mark.parametrize("seed", range(4))
def test_kill_9_many_times(tmp_path, texts, tokenizer, kind, seed):
    num_workers = 1 + seed % 2
    assert kill_at_random_moments(tmp_path, texts, tokenizer, kind, 8 + seed, num_workers) > 0
