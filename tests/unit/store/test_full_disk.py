"""A disk that fills up, a file that cannot grow: one line, and nothing finished is lost."""

import shutil
import subprocess
import sys

import pytest

from bertsmith.corpus import open_corpus
from bertsmith.store import StoreSettings, TokenStore, write_store
from store_content import content, expected_ids, stored_ids

SMALL = StoreSettings(shard_tokens=1000, chunk_chars=2000)

SCRIPT = """
import resource, sys
from bertsmith.corpus import open_corpus
from bertsmith.errors import StoreError
from bertsmith.store import StoreSettings, write_store
from bertsmith.wordpiece import Tokenizer

limit = int(sys.argv[1])
if limit:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
settings = StoreSettings(shard_tokens=int(sys.argv[2]), chunk_chars=2000)
try:
    write_store(open_corpus(sys.argv[3]), Tokenizer(sys.argv[4]), sys.argv[5], settings=settings)
except StoreError as error:
    print(error)
    sys.exit(error.exit_code)
"""


def run(tmp_path, tokenizer, corpus_file, folder, limit, shard_tokens):
    (tmp_path / "script.py").write_text(SCRIPT)
    tokenizer.vocabulary.save(tmp_path / "vocab.txt")
    arguments = [limit, shard_tokens, corpus_file, tmp_path / "vocab.txt", folder]
    command = [sys.executable, tmp_path / "script.py", *arguments]
    return subprocess.run(list(map(str, command)), capture_output=True, text=True)


def test_a_file_that_cannot_grow(tmp_path, tokenizer, corpus_file):
    folder = tmp_path / "store"
    done = run(tmp_path, tokenizer, corpus_file, folder, limit=4000, shard_tokens=5000)
    assert (done.returncode, done.stderr) == (2, "")
    assert "store: cannot be written (" in done.stdout
    assert "File too large" in done.stdout
    assert not folder.exists()
    assert run(tmp_path, tokenizer, corpus_file, folder, limit=0, shard_tokens=5000).returncode == 0
    assert stored_ids(TokenStore(folder)) == expected_ids(open_corpus(corpus_file), tokenizer)


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 160 KiB; only root may mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=160k", "tmpfs", str(disk)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("may not mount a disk")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk(tmp_path, tokenizer, corpus_file, small_disk):
    folder = small_disk / "store"
    blocker = small_disk / "blocker"
    blocker.write_bytes(bytes(110_000))
    done = run(tmp_path, tokenizer, corpus_file, folder, limit=0, shard_tokens=1000)
    assert (done.returncode, done.stderr) == (2, "")
    assert "store: cannot be written (" in done.stdout
    assert "No space left on device" in done.stdout
    assert "what was finished stays" in done.stdout
    assert not folder.exists()
    finished = list((small_disk / ".store.partial").glob("content/*.arrow"))
    times = {path.name: path.stat().st_mtime_ns for path in finished}
    assert times
    blocker.unlink()
    done = run(tmp_path, tokenizer, corpus_file, folder, limit=0, shard_tokens=1000)
    assert done.returncode == 0, done.stdout + done.stderr
    write_store(open_corpus(corpus_file), tokenizer, tmp_path / "expected", settings=SMALL)
    assert content(folder) == content(tmp_path / "expected")
    again = [name for name, time in times.items() if (folder / name).stat().st_mtime_ns != time]
    assert len(again) <= 1
