"""Whether a store is Chinese without words is measured on its tokens."""

import pytest

from bertsmith.corpus import CorpusSettings, open_corpus
from bertsmith.store import StoreSettings, TokenStore, missing_words, write_store
from bertsmith.store.chinese import MANY_CHARACTERS, lone_characters
from bertsmith.wordpiece import SPECIAL_TOKENS, Tokenizer, Vocabulary

CHINESE = "我来到北京清华大学。"
JAPANESE = "東京の大学に行きました。"
ENGLISH = "It rains in the old city."
WORDS = ["it", "rains", "in", "the", "old", "city", ".", "の", "に", "行", "きました", "##ました"]
VOCABULARY = Vocabulary([*SPECIAL_TOKENS, *WORDS, *sorted(set(CHINESE + "東京大学"))])


def store_of(folder, text, *, lowercase=True, words="pieces", **settings):
    folder.mkdir()
    (folder / "a.txt").write_text(text, encoding="utf-8")
    corpus = open_corpus(folder / "a.txt", CorpusSettings(text_form="sentences", **settings))
    tokenizer = Tokenizer(VOCABULARY, lowercase=lowercase)
    write_store(corpus, tokenizer, folder / "store", settings=StoreSettings(words=words))
    return TokenStore(folder / "store")


def test_the_share_is_that_of_the_tokens(tmp_path):
    mixed = store_of(tmp_path / "mixed", f"{CHINESE}\n{ENGLISH}")
    assert lone_characters(mixed) == 9 / 17
    assert lone_characters(store_of(tmp_path / "english", ENGLISH)) == 0
    assert lone_characters(store_of(tmp_path / "words", CHINESE, words="jieba")) == 0
    assert lone_characters(store_of(tmp_path / "japanese", f"{JAPANESE}\n" * 9)) == 0


def test_chinese_that_begins_late_is_measured(tmp_path):
    late = store_of(tmp_path / "late", f"{ENGLISH}\n" * 400_000 + f"{CHINESE}\n" * 280_000)
    assert lone_characters(late) == pytest.approx(0.45, abs=0.01)


def test_a_few_characters_are_not_told(tmp_path):
    few = store_of(tmp_path / "few", f"{CHINESE}\n" + f"{ENGLISH}\n" * 8)
    assert 0 < lone_characters(few) < MANY_CHARACTERS
    assert missing_words(few) is None


def test_one_line_says_what_how_much_and_what_mends_it(tmp_path):
    store = store_of(tmp_path / "my texts", CHINESE, lowercase=False, language="zh")
    assert missing_words(store) == (
        "whole_word_masking masks single characters here: 90% of the tokens are Chinese "
        "characters, and the store doesn't hold where words start; run `bertsmith prepare CORPUS "
        f"--vocab '{store.folder}/vocab.txt' -o new_store --cased --language zh "
        "--text-form sentences --words jieba` for a store that does"
    )
