"""A small store on disk."""

import json
import random

import pytest

from bertsmith._parallel import Workers
from bertsmith.corpus import open_corpus
from bertsmith.store import TokenStore, write_store
from bertsmith.wordpiece import SPECIAL_TOKENS, Tokenizer, Vocabulary

WORDS = ["rain", "river", "gold", "morning", "cabin", "road", "rivers", "goldsmith", "unheard"]
PIECES = [*WORDS[:6], "##s", "##smith", "."]


@pytest.fixture(scope="session")
def small_store(tmp_path_factory):
    """60 documents with titles, of 2 to 12 sentences; words of one or two pieces, or unknown."""
    folder = tmp_path_factory.mktemp("examples")
    rng = random.Random(1)
    with (folder / "a.jsonl").open("w") as file:
        for number in range(60):
            sentences = [
                " ".join(rng.choices(WORDS, k=rng.randint(1, 9))) + "."
                for _ in range(rng.randint(2, 12))
            ]
            text = "\n".join(sentences)
            file.write(json.dumps({"title": f"Document {number}", "text": text}) + "\n")
    tokenizer = Tokenizer(Vocabulary([*SPECIAL_TOKENS, *PIECES]))
    write_store(open_corpus(folder / "a.jsonl"), tokenizer, folder / "store", workers=Workers(1))
    return TokenStore(folder / "store")
