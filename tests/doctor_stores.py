"""Token stores with a planted defect each."""

import json
import random
from collections.abc import Callable
from pathlib import Path

from bertsmith.corpus import open_corpus
from bertsmith.store import write_store
from bertsmith.wordpiece import SPECIAL_TOKENS, Tokenizer, Vocabulary
from doctor_corpora import CHINESE, CORPUS_DEFECTS, WORDS, sentence, sound, varied, write_jsonl

OTHER_UNICODE = "1.1.0"
NAMES = [word.title() for word in WORDS[:20]]


def store_of(folder, texts, words=(*WORDS, "."), *, lowercase=True):
    """A store of texts, in a new folder."""
    folder.mkdir(exist_ok=True)
    path = texts if isinstance(texts, Path) else write_jsonl(folder, texts)
    tokenizer = Tokenizer(Vocabulary([*SPECIAL_TOKENS, *words]), lowercase=lowercase)
    write_store(open_corpus(path), tokenizer, folder / "store")
    return folder / "store"


def texts_of(number, least, most, words, *, seed=1):
    """Documents of `least` to `most` sentences of `words` words."""
    rng = random.Random(seed)
    return [
        " ".join(sentence(rng, least=words, most=words) for _ in range(rng.randint(least, most)))
        for _ in range(number)
    ]


def _damaged(folder):
    store = store_of(folder, sound(folder))
    shard = next(store.glob("*.arrow"))
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 1
    shard.write_bytes(data)
    return store


def _other_unicode(folder):
    store = store_of(folder, sound(folder))
    manifest = json.loads((store / "manifest.json").read_text())
    manifest["unicode_version"] = OTHER_UNICODE
    (store / "manifest.json").write_text(json.dumps(manifest))
    return store


STORE_DEFECTS: dict[str, Callable] = {
    "damaged": _damaged,
    "casing": lambda folder: store_of(folder, sound(folder), (*WORDS, *NAMES, ".")),
    "other_unicode": _other_unicode,
    "unknown_tokens": lambda folder: store_of(folder, sound(folder), (*WORDS[:-2], ".")),
    "one_sentence_documents": lambda folder: store_of(folder, texts_of(200, 1, 5, 10)),
    "little_text": lambda folder: store_of(folder, sound(folder)),
    "one_document": lambda folder: store_of(folder, texts_of(1, 300, 300, 10)),
    "unseen_entries": lambda folder: store_of(
        folder, varied(), (*WORDS, ".", *map(str, range(100)))
    ),
    "pair_labels": lambda folder: store_of(folder, texts_of(200, 1, 1, 12)),
    "masked_fraction": lambda folder: store_of(folder, WORDS * 5),
    "truncation_loss": lambda folder: store_of(folder, texts_of(60, 3, 5, 480)),
    "lone_characters": lambda folder: store_of(
        folder, CORPUS_DEFECTS["wrong_script"](folder), (*sorted(set(CHINESE)), "。")
    ),
    "short_examples": lambda folder: store_of(folder, texts_of(200, 3, 6, 10)),
}
"""Name of a finding → what plants the defect in a folder and returns the store there."""
