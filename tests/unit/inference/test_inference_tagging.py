import pytest
from hypothesis import given
from hypothesis import strategies as st
from seqeval.metrics.sequence_labeling import get_entities

from bertsmith.errors import DataError, InputError
from bertsmith.inference import Entity, decode_tags, encode_tags, scheme_of, tag_windows

SCHEMES = ["IOB1", "IOB2", "BIOES", "BMES"]
PREFIXES = {"IOB1": "BI", "IOB2": "BI", "BIOES": "BIES", "BMES": "BMES"}
WORDS = st.lists(
    st.one_of(st.text("abc東.é\u200b", min_size=1, max_size=9), st.just("x" * 201)),
    min_size=1,
    max_size=40,
)


@given(WORDS, st.integers(3, 30))
def test_every_word_is_spoken_for_once(tokenizer, words, max_seq_length):
    windows = tag_windows(words, tokenizer, max_seq_length)
    pieces = tokenizer.word_pieces(words)
    vocabulary = tokenizer.vocabulary
    assert sorted(word for window in windows for word in window.word_ids) == list(range(len(words)))
    for window in windows:
        ids = window.input_ids
        assert (ids[0], ids[-1]) == (vocabulary.cls_id, vocabulary.sep_id)
        assert len(window.token_type_ids) == len(ids) <= max_seq_length
        for word, place in zip(window.word_ids, window.first_piece_positions, strict=True):
            seen = ids[place : place + len(pieces[word])]
            assert seen[0] == pieces[word][0]
            assert len(seen) == len(pieces[word]) or place + len(pieces[word]) >= len(ids)
            following = [piece for other in pieces[word:] for piece in other]
            assert ids[place:-1] == following[: len(ids) - 1 - place]


def test_a_word_goes_to_the_window_that_shows_most_around_it(tokenizer):
    windows = tag_windows(["a"] * 9, tokenizer, max_seq_length=6)
    assert [len(window.input_ids) for window in windows] == [6, 6, 6, 5]
    assert [window.word_ids for window in windows] == [[0, 1, 2], [3, 4], [5, 6], [7, 8]]
    assert [window.first_piece_positions for window in windows] == [
        [1, 2, 3],
        [2, 3],
        [2, 3],
        [2, 3],
    ]


def test_a_word_without_pieces_has_a_tag(tokenizer):
    (window,) = tag_windows(["a", "\u200b", "b"], tokenizer, max_seq_length=8)
    assert window.word_ids == [0, 1, 2]
    assert window.input_ids[2] == tokenizer.vocabulary.unk_id


def test_no_words_or_no_room(tokenizer):
    with pytest.raises(InputError, match="no word"):
        tag_windows([], tokenizer, 10)
    with pytest.raises(InputError, match="max_seq_length"):
        tag_windows(["a"], tokenizer, 2)


@st.composite
def entities(draw):
    num_words = draw(st.integers(1, 15))
    found, word = [], draw(st.integers(0, 3))
    while word < num_words:
        last = min(word + draw(st.integers(0, 3)), num_words - 1)
        found.append(Entity(draw(st.sampled_from(["PER", "LOC"])), word, last))
        word = last + 1 + draw(st.integers(0, 2))
    return found, num_words


@pytest.mark.parametrize("scheme", SCHEMES)
@given(case=entities())
def test_encoding_and_decoding_are_inverse(scheme, case):
    found, num_words = case
    tags = encode_tags(found, num_words, scheme)
    assert len(tags) == num_words
    assert decode_tags(tags, scheme) == found


@pytest.mark.parametrize("scheme", SCHEMES)
@given(data=st.data())
def test_any_tags_decode_as_seqeval_does(scheme, data):
    kinds = [f"{p}-{label}" for p in PREFIXES[scheme] for label in ("PER", "LOC")]
    tags = data.draw(st.lists(st.sampled_from(["O", *kinds]), min_size=1, max_size=12))
    theirs = [tag.replace("M-", "I-") for tag in tags]
    ours = [(e.label, e.first_word, e.last_word) for e in decode_tags(tags, scheme)]
    assert ours == get_entities(theirs)


def test_schemes_differ_where_they_should():
    touching = [Entity("PER", 0, 0), Entity("PER", 1, 2), Entity("LOC", 3, 3)]
    assert {scheme: encode_tags(touching, 5, scheme) for scheme in (*SCHEMES, "plain")} == {
        "IOB1": ["I-PER", "B-PER", "I-PER", "I-LOC", "O"],
        "IOB2": ["B-PER", "B-PER", "I-PER", "B-LOC", "O"],
        "BIOES": ["S-PER", "B-PER", "E-PER", "S-LOC", "O"],
        "BMES": ["S-PER", "B-PER", "E-PER", "S-LOC", "O"],
        "plain": ["PER", "PER", "PER", "LOC", "O"],
    }
    apart = [Entity("PER", 0, 0), Entity("PER", 2, 2)]
    assert encode_tags(apart, 3, "IOB1") == ["I-PER", "O", "I-PER"]
    assert encode_tags([Entity("X", 0, 3)], 4, "BMES") == ["B-X", "M-X", "M-X", "E-X"]
    assert decode_tags(["NOUN", "NOUN", "O"], "plain") == [
        Entity("NOUN", 0, 0),
        Entity("NOUN", 1, 1),
    ]


@pytest.mark.parametrize(
    ("labels", "scheme"),
    [
        (["O", "B-PER", "I-PER"], "IOB2"),
        (["O", "I-PER"], "IOB2"),
        (["O", "B-A-1", "I-A-1", "E-A-1", "S-A-1"], "BIOES"),
        (["B-X", "M-X", "E-X", "S-X"], "BMES"),
        (["NOUN", "VERB", "O"], "plain"),
        (["B-PER", "LOC"], "plain"),
        (["O"], "plain"),
    ],
)
def test_the_scheme_is_told_from_the_labels(labels, scheme):
    assert scheme_of(labels) == scheme


@pytest.mark.parametrize("tag", ["E-PER", "PER", "B-", "", "b-PER", "B_PER"])
def test_a_tag_of_no_scheme(tag):
    with pytest.raises(DataError, match="is no tag of IOB2"):
        decode_tags(["O", tag], "IOB2")


@pytest.mark.parametrize(
    "wrong",
    [[Entity("A", 0, 2), Entity("B", 2, 3)], [Entity("A", 3, 5)], [Entity("A", -1, 0)]],
)
def test_entities_that_do_not_fit(wrong):
    with pytest.raises(DataError, match="sentence of 5 words"):
        encode_tags(wrong, 5, "IOB2")
