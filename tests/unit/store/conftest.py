"""A small corpus and a tokenizer for it."""

import json
import random

import pytest

from bertsmith.corpus import open_corpus
from bertsmith.wordpiece import SPECIAL_TOKENS, Tokenizer, Vocabulary

WORDS = ["rain", "river", "gold", "morning", "cabin", "road", "stone", "winter", "light", "door"]
CHARACTERS = ["雨", "河", ".", "?", "##s", "r", "##iver"]


@pytest.fixture(scope="session")
def tokenizer():
    return Tokenizer(Vocabulary([*SPECIAL_TOKENS, *WORDS, *CHARACTERS]))


@pytest.fixture(scope="session")
def texts():
    """Documents of many lengths; some have words that the vocabulary lacks."""
    rng = random.Random(1)
    words = [*WORDS, "rivers", "雨河", "unknown"]
    return [
        " ".join(" ".join(rng.choices(words, k=rng.randint(1, 9))) + ". " for _ in range(n))
        for n in rng.choices(range(1, 30), k=150)
    ]


@pytest.fixture(scope="session")
def corpus_file(tmp_path_factory, texts):
    path = tmp_path_factory.mktemp("corpus") / "a.jsonl"
    records = ({"title": f"Document {n}", "text": text} for n, text in enumerate(texts))
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


@pytest.fixture
def corpus(corpus_file):
    return open_corpus(corpus_file)
