"""What holds for cleaning any text."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from bertsmith.corpus import CleaningSettings, CorpusSettings, RawDocument, Refiner
from bertsmith.corpus.duplicates import Banding, hash_shingles, hash_words, signatures
from bertsmith.corpus.examining import Chunk, Examiner
from bertsmith.corpus.text_hash import hash_text

# All code points: lone surrogates too, which a caller of `Refiner` may hand over.
ANY_TEXT = st.text(st.characters(exclude_categories=[]))
LINES = st.lists(st.sampled_from(["It rains.", "\u200b", " ", "a\x01", "雨", "\ufeffIt rains."]))
TEXTS = ANY_TEXT | st.builds("\n".join, LINES) | st.builds("\x85".join, LINES)


@given(TEXTS, st.booleans(), st.booleans(), st.integers(0, 12), st.booleans())
@settings(deadline=None, max_examples=300)
def test_cleaning_twice_is_cleaning_once(text, given_, control_characters, least, drop):
    cleaning = CleaningSettings(
        control_characters=control_characters, min_document_chars=least, boilerplate_min_bytes=1
    )
    boilerplate = frozenset({hash_text("It rains."), hash_text("雨")} if drop else ())
    refiner = Refiner(CorpusSettings(cleaning=cleaning), boilerplate)
    counts = Counter()
    once = refiner.plain(RawDocument("", text, given_, "x"), counts)
    if once is None:
        assert counts.total() > counts["control_characters"] + counts["boilerplate_lines"]
        return
    assert (once.text == text) == (not counts)
    again = Counter()
    assert refiner.plain(once, again) is once
    assert not again


@given(st.lists(TEXTS, max_size=4))
@settings(deadline=None, max_examples=100)
def test_no_text_stops_the_survey(texts):
    cleaning = CleaningSettings(
        control_characters=True, duplicates="near", boilerplate_documents=2, only_language="en"
    )
    examiner = Examiner(Refiner(CorpusSettings(cleaning=cleaning)))
    raws = [RawDocument("", text, False, "x") for text in texts]
    examined = examiner(Chunk(7, raws))
    assert len(examined.documents) == len(examined.texts) == len(examined.bands)
    assert len(examined.lines) == len(examined.line_documents)
    assert all(7 <= number < 7 + len(texts) for number in examined.documents.tolist())


@given(TEXTS, st.sampled_from([" ", "\n", "\u3000 \t", "\u2028"]))
@settings(deadline=None, max_examples=200)
def test_white_space_is_no_difference(text, space):
    spread = space + space.join(text.split()) + space
    assert hash_text(spread) == hash_text(text)
    assert hash_words(spread).tolist() == hash_words(text).tolist()
    assert hash_shingles(spread).tolist() == hash_shingles(text).tolist()


@given(st.lists(TEXTS, min_size=1, max_size=40))
@settings(deadline=None, max_examples=50)
def test_a_signature_does_not_depend_on_its_company(texts):
    shingles = [hash_shingles(text) for text in texts]
    together = signatures(shingles)
    alone = [signatures([own])[0].tolist() for own in shingles]
    assert together.tolist() == alone
    banding = Banding.for_similarity(0.8)
    assert banding.keys(together[:1]).tolist() == banding.keys(together)[:1].tolist()
