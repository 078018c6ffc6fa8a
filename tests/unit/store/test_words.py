"""Where words start: jieba's segments of the text as it was written, carried to the tokens."""

import builtins
import json
import os
import pickle
import random
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bertsmith._parallel import Workers
from bertsmith.corpus import CorpusSettings, open_corpus
from bertsmith.errors import StoreError
from bertsmith.store import StoreSettings, TokenStore, words, write_store
from bertsmith.store.words import JiebaWords, continuing_pieces
from bertsmith.wordpiece import SPECIAL_TOKENS, Tokenizer, Vocabulary
from bertsmith.wordpiece.characters import is_punctuation
from store_content import content, stored_ids

CHARACTERS = "我来到北京清华大学小明硕士毕业于中国科学院计算所后在日本京都深造恤，。"
PIECES = ["un", "##aff", "##able", "iphone", "##12", "t", "cafe", "3", "14", ".", "+", "c", "é"]
VOCABULARY = Vocabulary([*SPECIAL_TOKENS, *sorted(set(CHARACTERS)), *PIECES])
TOKENIZERS = {lowercase: Tokenizer(VOCABULARY, lowercase=lowercase) for lowercase in (True, False)}
UNCASED = TOKENIZERS[True]


def shown(text, tokenizer=UNCASED):
    """The words of a text, each as its tokens; [UNK] as "?"."""
    ids, starts = JiebaWords(tokenizer)(text)
    assert ids == tokenizer.token_ids(text)
    pieces = [tokenizer.vocabulary.tokens[i].removeprefix("##").replace("[UNK]", "?") for i in ids]
    out = "".join((" " if start else "") + p for p, start in zip(pieces, starts, strict=True))
    return out.split()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("我来到北京清华大学。", ["我", "来到", "北京", "清华大学", "。"]),
        ("小明硕士毕业于中国科学院计算所", ["小明", "硕士", "毕业", "于", "中国科学院", "计算所"]),
        ("我来到  北京", ["我", "来到", "北京"]),
        # What the tokenizer drops still stands in jieba's text, so it never shifts a word.
        ("\u200b我\u200b来到北京", ["我", "来到", "北京"]),
        ("\ufeff\ufeff清华大学", ["清华大学"]),
        ("我来到\u3000清华大学", ["我", "来到", "清华大学"]),
        # A character that becomes two, and accents that are dropped, between words.
        ("İİ清华大学", ["?", "清华大学"]),
        ("caf\u00e9清华大学cafe\u0301来到", ["cafe", "清华大学", "cafe", "来到"]),
        # English words keep their pieces together and numbers theirs apart from the full stop.
        ("我unaffable来到", ["我", "unaffable", "来到"]),
        ("Unaffable, unaffable.", ["unaffable", "?", "unaffable", "."]),
        ("T恤iPhone12", ["t恤", "iphone12"]),
        # jieba's segment ends within the last word, whose tokens stay together all the same.
        ("来到小Sé", ["来到", "小?"]),
        ("3.14 C++ 我3.14", ["3", ".", "14", "c", "+", "+", "我", "3", ".", "14"]),
        # Unknown characters are tokens like others.
        ("书籍清华大学", ["??", "清华大学"]),
        ("", []),
    ],
)
def test_words(text, expected):
    assert shown(text) == expected


def test_cased_text():
    assert shown("caf\u00e9清华大学", TOKENIZERS[False]) == ["?", "清华大学"]


TEXT = st.text(
    st.one_of(
        st.sampled_from(CHARACTERS + "unaffableT12 .,+-%&#_\u200b\u3000\u0301éİ\r\n\x1c\ufffdﬁ①Ω"),
        st.characters(),
    ),
    max_size=60,
)


@given(TEXT, st.booleans())
@settings(max_examples=300, deadline=None)
def test_words_are_segments_of_the_text(text, lowercase):
    tokenizer = TOKENIZERS[lowercase]
    ids, starts = JiebaWords(tokenizer)(text)
    assert ids == tokenizer.token_ids(text)
    segments = list(words._cut()(text))
    assert "".join(segments) == text
    ends = np.cumsum([0, *map(len, segments)]).tolist()
    pieces = tokenizer.pieces(text)
    assert starts[:1] == [True][: len(starts)]
    for number in range(1, len(ids)):
        (_, left), (right, _) = pieces.offsets[number - 1 : number + 1]
        one_word = pieces.word_index[number] == pieces.word_index[number - 1]
        one_segment = not any(left - 1 < end <= right for end in ends)
        punctuation = is_punctuation(text[left - 1]) or is_punctuation(text[right])
        assert starts[number] != (one_word or (one_segment and not punctuation))


def test_very_long_text_goes_window_by_window(monkeypatch):
    text = "清华大学" * 1000
    assert shown(text) == ["清华大学"] * 1000
    monkeypatch.setattr(words, "_WINDOW_CHARS", 8)
    assert shown(text) == ["清华大学"] * 1000


def test_continuing_pieces():
    found = continuing_pieces(UNCASED.vocabulary)
    tokens = UNCASED.vocabulary.tokens
    continuing = [token for token, is_one in zip(tokens, found, strict=True) if is_one]
    assert continuing == ["##aff", "##able", "##12"]


def test_without_jieba_one_line_says_so(monkeypatch, tmp_path):
    original = builtins.__import__
    monkeypatch.setattr(words.importlib, "import_module", lambda name: original("no_such_module"))
    (tmp_path / "a.txt").write_text("清华大学")
    with pytest.raises(StoreError, match=r"jieba is not installed; pip install 'bertsmith\[zh\]'"):
        write_store(
            open_corpus(tmp_path / "a.txt"),
            UNCASED,
            tmp_path / "store",
            settings=StoreSettings(words="jieba"),
        )
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_jieba_is_silent_and_keeps_away_from_the_temporary_folder(tmp_path):
    """A cache that another version or another user left there would change the words."""
    forged = b"\xe3" + pickle.dumps("not a dictionary")
    (tmp_path / "jieba.cache").write_bytes(forged)
    tmp_path.chmod(0o555)
    program = (
        "from bertsmith.store.words import JiebaWords\n"
        "from bertsmith.wordpiece import SPECIAL_TOKENS, Tokenizer, Vocabulary\n"
        "tokenizer = Tokenizer(Vocabulary([*SPECIAL_TOKENS, *'清华大学']))\n"
        "print(JiebaWords(tokenizer)('清华大学大学')[1])\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "default", "-c", program],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    tmp_path.chmod(0o755)
    assert done.stdout == "[True, False, False, False, True, False]\n"
    assert done.stderr == ""
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"jieba.cache": forged}


@pytest.fixture(scope="module")
def chinese(tmp_path_factory):
    """80 documents of mixed text."""
    rng = random.Random(3)
    parts = [
        "我来到北京",
        "清华大学",
        "unaffable",
        "小明硕士毕业于",
        "T恤",
        "，",
        "。",
        " ",
        "caf\u00e9",
    ]
    path = tmp_path_factory.mktemp("chinese") / "a.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for number in range(80):
            text = "\n".join(
                "".join(rng.choices(parts, k=rng.randint(1, 12))) + "我"
                for _ in range(rng.randint(1, 9))
            )
            file.write(json.dumps({"title": str(number), "text": text}) + "\n")
    return path


def write(path, folder, num_workers=1, **changes):
    store_settings = StoreSettings(shard_tokens=400, chunk_chars=300, **changes)
    corpus = open_corpus(path, CorpusSettings(language="zh"))
    write_store(corpus, UNCASED, folder, settings=store_settings, workers=Workers(num_workers))
    return TokenStore(folder)


@pytest.fixture(scope="module")
def store(chinese, tmp_path_factory):
    return write(chinese, tmp_path_factory.mktemp("store") / "store", words="jieba")


@pytest.fixture(scope="module")
def expected(chinese):
    """Whether each token of the store starts a word."""
    corpus = open_corpus(chinese, CorpusSettings(language="zh"))
    found = [JiebaWords(UNCASED)(text)[1] for d in corpus.documents() for text in d.sentences]
    return [start for starts in found for start in starts]


def test_word_starts_of_slices(store, expected):
    assert store.manifest.words == words.jieba_name()
    assert store.has_words
    assert len(store.manifest.shards) > 3
    assert store.gather_word_starts([0], [store.num_tokens]).tolist() == expected
    rng = np.random.default_rng(0)
    starts = rng.integers(0, store.num_tokens, 50)
    lengths = np.minimum(rng.integers(0, 900, 50), store.num_tokens - starts)
    found = store.gather_word_starts(starts, lengths)
    pairs = zip(starts.tolist(), lengths.tolist(), strict=True)
    assert found.tolist() == [flag for start, n in pairs for flag in expected[start : start + n]]
    assert found.dtype == np.bool_
    assert store.gather_word_starts([], []).tolist() == []
    for start, length in ((-1, 2), (store.num_tokens, 1), (0, -1)):
        with pytest.raises(IndexError):
            store.gather_word_starts([0, start], [1, length])


def test_the_number_of_workers_changes_nothing(chinese, store, tmp_path):
    write(chinese, tmp_path / "store", num_workers=2, words="jieba")
    assert content(tmp_path / "store") == content(store.folder)


def test_ids_are_the_same_with_and_without_words(chinese, store, tmp_path):
    plain = write(chinese, tmp_path / "store")
    assert stored_ids(plain) == stored_ids(store)
    assert plain.manifest.words == "pieces"
    assert not plain.has_words
    with pa.memory_map(str(plain.folder / "shard-00000.arrow")) as file:
        assert pa.ipc.open_file(file).schema.names == ["title", "sentences"]
    tokens = plain.vocabulary.tokens
    pieces = [not tokens[i].startswith("##") for i in plain.tokens(0, plain.num_tokens).tolist()]
    assert plain.gather_word_starts([0], [plain.num_tokens]).tolist() == pieces


def test_word_starts_are_bits_of_a_column_like_that_of_the_tokens(store, expected):
    found = []
    for shard in store.manifest.shards:
        with pa.memory_map(str(store.folder / shard.name)) as file:
            batch = pa.ipc.open_file(file).get_batch(0)
        batch.validate(full=True)
        tokens, starts = batch.column("sentences"), batch.column("word_starts")
        assert str(starts.type.value_type.value_type) == "bool"
        for document, flags in zip(tokens.to_pylist(), starts.to_pylist(), strict=True):
            assert [len(sentence) for sentence in document] == [len(s) for s in flags]
            found += [flag for sentence in flags for flag in sentence]
    assert found == expected


def test_a_manifest_that_says_otherwise_is_refused(store, chinese, tmp_path):
    for name, said, settings_of_store in (
        ("with", "pieces", {"words": "jieba"}),
        ("without", "jieba 0.42.1", {}),
    ):
        folder = tmp_path / name
        write(chinese, folder, **settings_of_store)
        manifest = json.loads((folder / "manifest.json").read_text())
        manifest["words"] = said
        (folder / "manifest.json").write_text(json.dumps(manifest))
        with pytest.raises(StoreError, match="is not a shard of this store"):
            TokenStore(folder)


def test_any_damage_is_told_in_one_line(chinese, tmp_path):
    folder = tmp_path / "store"
    write(chinese, folder, words="jieba")
    shard = folder / "shard-00001.arrow"
    sound = shard.read_bytes()
    for place in range(0, len(sound), 23):
        damaged = bytearray(sound)
        damaged[place] ^= 0xFF
        shard.write_bytes(damaged)
        with pytest.raises(StoreError, match=r"shard-00001\.arrow") as caught:
            TokenStore(folder).verify()
        assert "\n" not in str(caught.value)
