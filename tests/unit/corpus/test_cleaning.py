"""What is taken out of a document by itself."""

import unicodedata
from collections import Counter

import pytest

from bertsmith.corpus import CleaningSettings, CorpusSettings, RawDocument, Refiner
from bertsmith.corpus.cleaning import drop_control_characters, drop_lines
from bertsmith.corpus.text_hash import hash_text


def refine(text, boilerplate=(), given=False, **cleaning):
    settings = CorpusSettings(cleaning=CleaningSettings(**cleaning))
    counts = Counter()
    refiner = Refiner(settings, frozenset(map(hash_text, boilerplate)))
    raw = RawDocument("title", text, given, "a.txt:1")
    plain = refiner.plain(raw, counts)
    return (plain.text if plain else None), dict(counts)


def test_nothing_is_done_unless_it_is_asked_for():
    raw = RawDocument("", "a\u00ad\ufeff\x01", False, "a.txt:1")
    counts = Counter()
    assert Refiner(CorpusSettings()).plain(raw, counts) is raw
    assert not counts


def test_control_characters_are_those_of_the_tables():
    """As BERT's tokenizer has it, but for tabs and line breaks."""
    line_breaks = {chr(point) for point in range(0x3000) if len(f"a{chr(point)}b".splitlines()) > 1}
    for point in range(0x110000):
        character = chr(point)
        dropped = drop_control_characters(character) == ("", 1)
        known = unicodedata.category(character) in ("Cc", "Cf") or character == "\ufffd"
        if known and character not in line_breaks | {"\t"}:
            assert dropped, hex(point)
        elif unicodedata.category(character) != "Cn":  # later versions of Unicode may know it
            assert not dropped, hex(point)


def test_dropped_characters_are_counted():
    assert refine("It\u00ad rains\ufffd.\n\ufeffYes.", control_characters=True) == (
        "It rains.\nYes.",
        {"control_characters": 3},
    )
    assert refine("\u200b\ufeff \n", control_characters=True) == (
        None,
        {"control_characters": 2, "empty_documents": 1},
    )


def test_lines_are_dropped_and_counted():
    text = "Share this article now!\nIt rains.\n\n  Share  this article now!"
    assert refine(text, ["Share this article now!"]) == ("It rains.\n", {"boilerplate_lines": 2})
    assert refine(text, ["It rains."]) == (text, {})  # too short to be boilerplate
    assert refine(text, ["It rains."], boilerplate_min_bytes=8)[1] == {"boilerplate_lines": 1}


def test_a_document_of_boilerplate_is_dropped():
    line = "Copyright by the authors of this page."
    assert refine(f"{line}\n\n{line}", [line]) == (
        None,
        {"boilerplate_lines": 2, "documents_of_boilerplate": 1},
    )


@pytest.mark.parametrize("given", [True, False])
def test_lines_are_sentences_or_paragraphs(given):
    raw = RawDocument("", "one\u2028two", given, "x")
    assert drop_lines(raw, {hash_text("two")}, 1) == (("one\u2028two", 0) if given else ("one", 1))


def test_length_is_judged_after_cleaning():
    line = "Copyright by the authors of this page."
    assert refine(f"{line}\nIt rains.", min_document_chars=20)[1] == {}
    assert refine(f"{line}\nIt rains.", [line], min_document_chars=20) == (
        None,
        {"boilerplate_lines": 1, "short_documents": 1},
    )
    assert refine(" " * 9 + "It rains.", min_document_chars=10)[1] == {"short_documents": 1}
    assert refine("It rains.", min_document_chars=9)[0] == "It rains."


def test_hashes_are_the_same_everywhere():
    """As `printf %s Itrains. | b2sum -l 64` has them, its bytes from the last to the first."""
    assert hash_text("It rains.") == hash_text("It\u3000rains .\n") == 0x871BF7A75311EE41
    assert hash_text("") == 0xB4B2797457A0A6E4


def test_a_long_text_has_the_hash_of_its_pieces_put_together():
    from hashlib import blake2b

    text = "word and 雨\n" * 60_000
    whole = blake2b("".join(text.split()).encode(), digest_size=8).digest()
    assert hash_text(text) == int.from_bytes(whole, "little")
