import os
import pickle
import subprocess
import sys

import pytest
import torch

from bertsmith.errors import InputError, VocabularyError
from bertsmith.wordpiece import Tokenizer, Vocabulary, caches
from bertsmith.wordpiece.encoding import truncate_pair

# Google's test vocabulary, and at its end what ours needs more.
GOOGLE = ["[UNK]", "[CLS]", "[SEP]", "want", "##want", "##ed", "wa", "un", "runn", "##ing", ","]
GOOGLE += ["[PAD]", "[MASK]"]
PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "un", "##aff", "##able"]
PIECES += ["ca", "##fe", ",", ".", "[", "]", "mask", "你", "i"]


@pytest.fixture
def google() -> Tokenizer:
    return Tokenizer(Vocabulary(GOOGLE))


@pytest.fixture
def tokenizer() -> Tokenizer:
    return Tokenizer(Vocabulary(PIECES))


def test_google_full_tokenizer(google, tmp_path):
    text = "UNwant\u00e9d,running"
    assert google.tokenize(text) == ["un", "##want", "##ed", ",", "runn", "##ing"]
    assert google.token_ids(text) == [7, 4, 5, 10, 8, 9]
    google.vocabulary.save(tmp_path / "vocab.txt")
    assert Tokenizer(tmp_path / "vocab.txt").token_ids(text) == [7, 4, 5, 10, 8, 9]


def test_google_wordpiece_tokenizer(google):
    assert google.tokenize("") == []
    assert google.tokenize("unwanted running") == ["un", "##want", "##ed", "runn", "##ing"]
    assert google.tokenize("unwantedX running") == ["[UNK]", "runn", "##ing"]


def test_words_over_200_characters_are_unknown():
    tokenizer = Tokenizer(Vocabulary([*GOOGLE, "a", "##a"]))
    assert len(tokenizer.token_ids("a" * 200)) == 200
    assert tokenizer.tokenize("a" * 201) == ["[UNK]"]
    # What counts is the word's length, not the chunk's, and after its accents are gone.
    assert len(tokenizer.token_ids("a" * 200 + "," + "a" * 200)) == 401
    assert len(tokenizer.token_ids("a\u0301" * 200)) == 200


def test_cased(tmp_path):
    tokenizer = Tokenizer(Vocabulary([*PIECES, "The", "Café"]), lowercase=False)
    assert tokenizer.tokenize("The the THE Café cafe") == (
        ["The", "the", "[UNK]", "Café", "ca", "##fe"]
    )


def test_offsets_point_into_the_original_text(tokenizer):
    text = "  Una\u0000ffable,CAFÉ\u200b 你你xyz."
    pieces = tokenizer.pieces(text)
    assert pieces.ids == tokenizer.token_ids(text)
    assert [text[start:end] for start, end in pieces.offsets] == (
        ["Un", "a\x00ff", "able", ",", "CA", "FÉ", "你", "你", "xyz", "."]
    )
    assert pieces.word_index == [0, 0, 0, 1, 2, 2, 3, 4, 5, 6]


def test_offsets_where_lower_casing_and_decomposition_change_the_length():
    tokenizer = Tokenizer(Vocabulary([*PIECES, "##i", "ᄀ", "##ᅡ", "##ᆨ"]))
    assert tokenizer.pieces("İİ").offsets == [(0, 1), (1, 2)]
    assert tokenizer.pieces("각").offsets == [(0, 1)] * 3
    assert tokenizer.pieces("i\u0301\u0302 i").offsets == [(0, 3), (4, 5)]


def test_special_tokens_in_the_text_only_on_demand(tokenizer):
    text = "the [MASK]un[SEP][mask]"
    assert tokenizer.tokenize(text)[:4] == ["the", "[", "mask", "]"]
    found = tokenizer.pieces(text, special_tokens=True)
    assert [tokenizer.vocabulary.tokens[i] for i in found.ids] == (
        ["the", "[MASK]", "un", "[SEP]", "[", "mask", "]"]
    )
    assert found.offsets == [(0, 3), (4, 10), (10, 12), (12, 17), (17, 18), (18, 22), (22, 23)]
    assert found.word_index == [0, 1, 2, 3, 4, 5, 6]
    encoding = tokenizer.encode("the [MASK]", special_tokens=True)
    assert encoding.input_ids == [2, 5, 4, 3]


def test_encode_one_text(tokenizer):
    encoding = tokenizer.encode("The unaffable")
    assert encoding.tokens == ["[CLS]", "the", "un", "##aff", "##able", "[SEP]"]
    assert encoding.input_ids == [2, 5, 6, 7, 8, 3]
    assert encoding.token_type_ids == [0] * 6
    assert encoding.offsets == [(0, 0), (0, 3), (4, 6), (6, 9), (9, 13), (0, 0)]
    assert encoding.sequence_index == [None, 0, 0, 0, 0, None]
    assert encoding.word_index == [None, 0, 1, 1, 1, None]


def test_encode_a_pair(tokenizer):
    encoding = tokenizer.encode("the cafe", "un the")
    assert encoding.tokens == ["[CLS]", "the", "ca", "##fe", "[SEP]", "un", "the", "[SEP]"]
    assert encoding.token_type_ids == [0, 0, 0, 0, 0, 1, 1, 1]
    assert encoding.sequence_index == [None, 0, 0, 0, None, 1, 1, None]
    assert encoding.offsets[5:] == [(0, 2), (3, 6), (0, 0)]
    assert tokenizer.encode("the", "").tokens == ["[CLS]", "the", "[SEP]", "[SEP]"]


def test_truncation_takes_from_the_longer_text_one_piece_at_a_time():
    for first in range(12):
        for second in range(12):
            for max_length in range(5, 27):
                kept_first, kept_second = first, second
                while kept_first + kept_second > max_length - 3:
                    if kept_first > kept_second:
                        kept_first -= 1
                    else:
                        kept_second -= 1
                assert truncate_pair(first, second, max_length) == (kept_first, kept_second)


def test_encode_truncates(tokenizer):
    assert tokenizer.encode("the un ca", max_length=4).tokens == ["[CLS]", "the", "un", "[SEP]"]
    pair = tokenizer.encode("the un ca", "un the", max_length=6)
    assert pair.tokens == ["[CLS]", "the", "un", "[SEP]", "un", "[SEP]"]
    for second, max_length, smallest in ((None, 2, 3), ("the", 4, 5)):
        with pytest.raises(InputError, match=f"give at least {smallest}"):
            tokenizer.encode("the", second, max_length=max_length)


def test_decode(tokenizer):
    ids = tokenizer.encode("The unaffable cafe").input_ids
    assert tokenizer.decode(ids) == "[CLS] the unaffable cafe [SEP]"
    assert tokenizer.decode(ids, skip_special_tokens=True) == "the unaffable cafe"
    assert tokenizer.decode([8, 5]) == "able the"
    assert tokenizer.decode([]) == ""
    for wrong in (-1, len(PIECES)):
        with pytest.raises(InputError, match=f"no token {wrong}"):
            tokenizer.decode([wrong])


def test_every_given_word_keeps_a_place(tokenizer):
    words = ["Unaffable", "\x00", "café,", "zzz", "", "un the"]
    unknown = [tokenizer.vocabulary.unk_id]
    assert tokenizer.word_pieces(words) == (
        [[6, 7, 8], unknown, [9, 10, 11], unknown, unknown, [6, 5]]
    )


def test_batches_are_padded_tensors(tokenizer):
    batch = tokenizer(["the cafe", "un"], ["the", "un the"], max_length=7)
    assert batch["input_ids"].tolist() == [[2, 5, 9, 10, 3, 5, 3], [2, 6, 3, 6, 5, 3, 0]]
    assert batch["token_type_ids"].tolist() == [[0, 0, 0, 0, 0, 1, 1], [0, 0, 0, 1, 1, 1, 0]]
    assert batch["attention_mask"].tolist() == [[True] * 7, [True] * 6 + [False]]
    assert [batch[name].dtype for name in ("input_ids", "token_type_ids", "attention_mask")] == (
        [torch.int64, torch.int64, torch.bool]
    )
    assert tokenizer("the [MASK]", special_tokens=True)["input_ids"].tolist() == [[2, 5, 4, 3]]
    assert tokenizer("the", "un")["input_ids"].tolist() == [[2, 5, 3, 6, 3]]


def test_padding_uses_the_vocabulary_s_pad(google):
    assert google(["un", ", ,"])["input_ids"].tolist() == [[1, 7, 2, 11], [1, 10, 10, 2]]


def test_batches_of_wrong_shape(tokenizer):
    with pytest.raises(InputError, match="there is no text"):
        tokenizer([])
    with pytest.raises(InputError, match="2 texts and 1 pairs"):
        tokenizer(["a", "b"], ["c"])


def test_a_full_cache_is_emptied_and_the_ids_stay(monkeypatch, tokenizer):
    texts = [
        f"the {word}, café {word}." for word in ["un", "unable", "你", "mask", "i", "ca", "cafe"]
    ] * 3
    fresh = [Tokenizer(Vocabulary(PIECES)).token_ids(text) for text in texts]
    monkeypatch.setattr(caches, "MAX_IDS", 3)
    monkeypatch.setattr(caches, "MAX_PIECES", 3)
    assert [tokenizer.token_ids(text) for text in texts] == fresh
    assert [tokenizer.pieces(text).ids for text in texts] == fresh
    assert len(tokenizer._packed_ids.__self__) <= 3
    assert len(tokenizer._pieces_of_chunk.__self__) <= 3


def test_long_chunks_are_not_remembered(tokenizer):
    tokenizer.token_ids("un!" * 100)
    assert set(tokenizer._packed_ids.__self__) == {"un", "!"}


def test_pickle_keeps_vocabulary_and_casing():
    tokenizer = Tokenizer(Vocabulary(PIECES), lowercase=False)
    tokenizer.token_ids("the")
    copy = pickle.loads(pickle.dumps(tokenizer))
    assert (copy.vocabulary, copy.lowercase) == (tokenizer.vocabulary, False)
    assert copy.token_ids("the The") == tokenizer.token_ids("the The")


def test_a_missing_vocabulary_is_told(tmp_path):
    with pytest.raises(VocabularyError, match="no such file"):
        Tokenizer(tmp_path / "vocab.txt")


def test_tokenizing_imports_no_torch():
    code = (
        "import sys; from bertsmith.wordpiece import Tokenizer, Vocabulary, learn_vocabulary;"
        f"Tokenizer(Vocabulary({PIECES})).encode('the'); sys.exit('torch' in sys.modules)"
    )
    environment = {**os.environ, "PYTHONWARNINGS": "error"}
    assert subprocess.run([sys.executable, "-c", code], env=environment).returncode == 0
