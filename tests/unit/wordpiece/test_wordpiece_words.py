"""Google's character rules; the first five tests are the cases of its tokenization_test.py."""

import unicodedata

from bertsmith.wordpiece.characters import (
    CHUNK,
    is_chinese,
    is_control,
    is_punctuation,
    is_white_space,
)
from bertsmith.wordpiece.words import chunks_of, plain_chunks_of, words_of, words_of_chunk

EVERY_CHARACTER = list(map(chr, range(0x110000)))


def test_chinese():
    assert words_of("ah\u535a\u63a8zz", lowercase=True) == ["ah", "\u535a", "\u63a8", "zz"]


def test_lower():
    text = " \tHeLLo!how  \n Are yoU?  "
    assert words_of(text, lowercase=True) == ["hello", "!", "how", "are", "you", "?"]
    assert words_of("H\u00e9llo", lowercase=True) == ["hello"]


def test_no_lower():
    text = " \tHeLLo!how  \n Are yoU?  "
    assert words_of(text, lowercase=False) == ["HeLLo", "!", "how", "Are", "yoU", "?"]


def test_white_space_and_control():
    assert all(map(is_white_space, " \t\r\n\u00a0"))
    assert not any(map(is_white_space, "A-"))
    assert is_control("\u0005")
    assert not any(map(is_control, "A \t\r\U0001f4a9"))


def test_punctuation():
    assert all(map(is_punctuation, "-$`."))
    assert not any(map(is_punctuation, "A "))


def test_chunk_separators_are_those_of_cleaning_and_splitting():
    """No character that Google drops separates; all that it or `str.split` splits at do."""
    separators = {
        character
        for character in EVERY_CHARACTER
        if is_white_space(character) or (character.isspace() and not is_control(character))
    }
    assert {c for c in EVERY_CHARACTER if CHUNK.fullmatch(c) is None} == separators
    split = {c for c in EVERY_CHARACTER if len(chunks_of(f"a{c}b")) == 2}
    assert split == separators


def test_chinese_characters_are_chunks_of_their_own():
    chunks = chunks_of("a".join(EVERY_CHARACTER))
    chinese = {chunk for chunk in chunks if len(chunk) == 1} - {"a"}
    assert chinese == set(filter(is_chinese, EVERY_CHARACTER))
    assert len(chinese) == 81_520


def test_dropped_characters_join_what_python_would_split():
    for dropped in "\x00\x0b\x0c\x1c\x1d\x1e\x1f\x85\u200b\u00ad\ufeff\ufffd":
        assert words_of(f"a{dropped}b", lowercase=True) == ["ab"]
        assert len(chunks_of(f"a{dropped}b é")) == 2
    for kept in "\u2028\u2029\u00a0\u3000":
        assert words_of(f"a{kept}b", lowercase=True) == ["a", "b"]


def test_lower_casing_sees_the_whole_word():
    assert words_of("ΟΔΟΣ ΣΑΣ. 中Σ中", lowercase=True) == ["οδος", "σας", ".", "中", "σ", "中"]
    assert words_of("İI", lowercase=True) == ["ii"]


def test_the_fast_way_lower_cases_what_is_left_when_characters_were_dropped():
    for dropped in filter(is_control, EVERY_CHARACTER):
        text = f"A{dropped}Σ AΣ{dropped}b, {dropped}Σ"
        chunks = plain_chunks_of(text, lowercase=True)
        words = [word for chunk in chunks for word in words_of_chunk(chunk, lowercase=True)]
        assert words == words_of(text, lowercase=True)


def test_decomposition_can_make_punctuation_and_move_accents():
    assert words_of("a\u1fefb\u037ec", lowercase=True) == ["a", "`", "b", ";", "c"]
    assert words_of("각", lowercase=True) == [unicodedata.normalize("NFD", "각")]
    assert words_of("각", lowercase=False) == ["각"]


def test_lone_surrogates_pass_through():
    assert words_of("a\ud800b \udfff", lowercase=True) == ["a\ud800b", "\udfff"]


def test_nothing_left():
    for text in ("", " \n", "\x00", "\u0301"):
        assert words_of(text, lowercase=True) == []
