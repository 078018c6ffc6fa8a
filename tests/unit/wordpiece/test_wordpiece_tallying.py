import gc
import random
import tempfile
from collections import Counter
from pathlib import Path

import pytest

from bertsmith.wordpiece import WordCounter
from bertsmith.wordpiece.tallying import WordTally


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where temporary files go, empty at first."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def parts(seed: int) -> list[dict[str, int]]:
    rng = random.Random(seed)
    words = [*(f"w{number}" for number in range(300)), "中", "\ud800", "é" * 50]
    return [
        {word: rng.randint(1, 9) for word in rng.sample(words, rng.randint(1, 80))}
        for _ in range(30)
    ]


@pytest.mark.parametrize("max_words", [10, 100, 10_000])
def test_counts_are_exact_whatever_fits_into_memory(folder, max_words):
    tally, wanted = WordTally(max_words), Counter[str]()
    for number, part in enumerate(parts(0)):
        tally.add(part.keys(), part.values())
        wanted.update(part)
        if number == 20:
            assert dict(tally.items()) == wanted
    found = list(tally.items())
    assert len(found) == len(dict(found))
    assert dict(found) == wanted
    ranked = sorted(wanted.items(), key=lambda item: (-item[1], item[0]))
    for num in (1, 17, 250, 10_000):
        assert tally.most_frequent(num) == dict(ranked[:num])
    assert (max_words < 300) == bool(list(folder.iterdir()))


def test_files_go_away_with_the_tally(folder):
    tally = WordTally(1)
    tally.add(["a", "b", "c"], [1, 1, 1])
    assert [path.name[:16] for path in folder.iterdir()] == ["bertsmith-words-"]
    del tally
    gc.collect()
    assert list(folder.iterdir()) == []


def test_a_counter_that_spills_counts_as_one_that_does_not(folder):
    rng = random.Random(1)
    texts = [" ".join(f"word{rng.randint(0, 400)}," for _ in range(50)) for _ in range(40)]
    small, large = WordCounter(max_words=20), WordCounter()
    for text in texts:
        small.add(text)
        large.add(text)
        assert small.num_long_words == 0
    assert small.counts == large.counts
    assert small.most_frequent(30) == large.most_frequent(30)
    assert Path(next(folder.iterdir())).is_dir()
    other = WordCounter()
    other.merge(small)
    assert other.counts == large.counts
    assert other.num_text_bytes == large.num_text_bytes == sum(map(len, texts))
