import unicodedata

import pytest

from bertsmith.wordpiece.alignment import align_chunk
from bertsmith.wordpiece.words import words_of


def places(chunk: str, *, lowercase: bool = True) -> list[tuple[str, list[tuple[int, int]]]]:
    words = align_chunk(chunk, lowercase)
    return [(word.text, list(zip(word.starts, word.ends, strict=True))) for word in words]


def test_plain_word_and_punctuation():
    assert places("Ab,c") == [("ab", [(0, 1), (1, 2)]), (",", [(2, 3)]), ("c", [(3, 4)])]


def test_dropped_characters_belong_to_nothing():
    assert places("\x00a\u200bb\x00") == [("ab", [(1, 2), (3, 4)])]


def test_stripped_accents_belong_to_the_character_before():
    assert places("e\u0301\u0302x") == [("ex", [(0, 3), (3, 4)])]
    assert places(",\u0301x") == [(",", [(0, 2)]), ("x", [(2, 3)])]
    assert places("\u0301x") == [("x", [(1, 2)])]


def test_accents_stay_where_case_stays():
    assert places("e\u0301", lowercase=False) == [("e\u0301", [(0, 1), (1, 2)])]


def test_one_character_that_becomes_several():
    assert places("İ각") == [("i" + "ᄀ" + "ᅡ" + "ᆨ", [(0, 1), (1, 2), (1, 2), (1, 2)])]


def test_combining_characters_that_change_places_share_theirs():
    # U+302E (class 224, not an accent to Google) comes after U+16FF0 (class 6) once sorted.
    text = "a\u302e\U00016ff0b"
    assert unicodedata.normalize("NFD", text) == "a\U00016ff0\u302eb"
    assert places(text) == [("a\U00016ff0\u302eb", [(0, 1), (1, 3), (1, 3), (3, 4)])]


@pytest.mark.parametrize("lowercase", [True, False])
def test_every_combining_character_in_disorder(lowercase):
    """Every character with a combining class, among others of low and high class."""
    combining = [c for c in map(chr, range(0x110000)) if unicodedata.combining(c)]
    assert len(combining) > 800
    for character in combining:
        chunk = f"a\u0345{character}\u302e\u0334{character}\U00016ff0Σ"
        words = align_chunk(chunk, lowercase)
        assert [word.text for word in words] == words_of(chunk, lowercase)
        starts = [start for word in words for start in word.starts]
        ends = [end for word in words for end in word.ends]
        assert starts == sorted(starts)
        assert ends == sorted(ends)
        assert ends[-1] == len(chunk)
