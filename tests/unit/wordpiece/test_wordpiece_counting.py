import pickle
import random
from collections import Counter

import pytest

from bertsmith.errors import VocabularyError
from bertsmith.wordpiece import WordCounter, counting
from bertsmith.wordpiece.words import words_of

TEXTS = [
    "The cat, the Cat's café.",
    "中文字 and CAFÉ\x00s\u2028the",
    "a\x1cb a b ab",
    "",
    "x" * 300,
    "\ud800 lone",
] * 3


def counts_of(texts: list[str], *, lowercase: bool = True) -> dict[str, int]:
    counter = WordCounter(lowercase=lowercase)
    for text in texts:
        counter.add(text)
    return dict(counter.counts)


@pytest.mark.parametrize("lowercase", [True, False])
def test_counts_are_those_of_the_words(lowercase):
    words = Counter(w for text in TEXTS for w in words_of(text, lowercase) if len(w) <= 200)
    assert counts_of(TEXTS, lowercase=lowercase) == words


def test_order_division_and_folding_change_nothing(monkeypatch):
    whole = counts_of(TEXTS)
    shuffled = random.Random(0).sample(TEXTS, len(TEXTS))
    assert counts_of(shuffled) == whole
    monkeypatch.setattr(counting, "MAX_CHUNKS", 2)
    assert counts_of(shuffled) == whole
    merged = WordCounter()
    for start in range(0, len(TEXTS), 5):
        part = WordCounter()
        for text in TEXTS[start : start + 5]:
            part.add(text)
        merged.merge(pickle.loads(pickle.dumps(part)))
    assert merged.counts == whole


def test_counting_goes_on_after_the_counts_were_read():
    counter = WordCounter()
    counter.add("a")
    assert counter.counts == {"a": 1}
    counter.add("a b")
    assert counter.counts == {"a": 2, "b": 1}


def test_counters_of_different_casing_cannot_be_merged():
    with pytest.raises(VocabularyError, match="lower-casing"):
        WordCounter().merge(WordCounter(lowercase=False))
