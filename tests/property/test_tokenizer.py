"""What holds for the tokenizer on any text at all."""

import unicodedata

from hypothesis import example, given, settings
from hypothesis import strategies as st

from bertsmith.wordpiece import SPECIAL_TOKENS, Tokenizer, Vocabulary
from bertsmith.wordpiece.alignment import align_chunk
from bertsmith.wordpiece.words import chunks_of, words_of

LETTERS = "abcdefghijklmnopqrstuvwxyzABCΣσς"
SIGNS = ",.'-[]#中文你"
PIECES = [*LETTERS, *SIGNS, *(f"##{c}" for c in LETTERS), "ab", "##ab", "the", "##e\u0301", "cab"]
VOCABULARY = Vocabulary([*SPECIAL_TOKENS, *PIECES])
TOKENIZERS = {lowercase: Tokenizer(VOCABULARY, lowercase=lowercase) for lowercase in (True, False)}

# Everything Python can hold in a string, and often what the rules are about.
hard = st.sampled_from(
    [
        *(
            "\x00\t\n\x0b\x0c\r\x1c\x1f \x85\xa0\u2028\u2029\u200b\u3000\ufffd\ufeff\ud800\udfff"
            "ΣİıßǅÅéñ각ﬁ`´;·\u0301\u0302\u0327\u0345\u302e\U00016ff0\u1fef中文豈"
        ),
        "[MASK]",
        "##",
    ]
)
text = st.lists(
    st.one_of(
        st.text(LETTERS + SIGNS + " ", max_size=6),
        hard,
        st.characters(codec=None, exclude_categories=()),
    ),
    max_size=20,
).map("".join)
casing = st.booleans()


@given(text, casing)
@example("ab" * 101 + " ab", True)
@example("\u0301\u0302", True)
@settings(max_examples=400, deadline=None)
def test_pieces_are_the_token_ids_with_valid_offsets(text, lowercase):
    tokenizer = TOKENIZERS[lowercase]
    pieces = tokenizer.pieces(text)
    assert pieces.ids == tokenizer.token_ids(text)
    assert len(pieces.ids) == len(pieces.offsets) == len(pieces.word_index)
    assert all(0 <= start < end <= len(text) for start, end in pieces.offsets)
    assert [start for start, _ in pieces.offsets] == sorted(s for s, _ in pieces.offsets)
    assert [end for _, end in pieces.offsets] == sorted(e for _, e in pieces.offsets)
    num_words = len(words_of(text, lowercase))
    assert sorted(set(pieces.word_index)) == list(range(num_words))
    assert pieces.word_index == sorted(pieces.word_index)


@given(text, casing)
@settings(max_examples=200, deadline=None)
def test_a_piece_s_place_holds_a_character_that_gives_it(text, lowercase):
    """The place, normalised by itself, holds the piece's characters; sigma's form apart."""
    tokenizer = TOKENIZERS[lowercase]
    pieces = tokenizer.pieces(text)
    for token_id, (start, end) in zip(pieces.ids, pieces.offsets, strict=True):
        if token_id == VOCABULARY.unk_id:
            continue
        piece = VOCABULARY.tokens[token_id].removeprefix("##").replace("ς", "σ")
        here = text[start:end]
        if lowercase:
            here = unicodedata.normalize("NFD", here.lower())
        kept = iter(here.replace("ς", "σ"))
        assert all(character in kept for character in piece), (piece, here)


@given(text, casing)
@settings(max_examples=200, deadline=None)
def test_words_of_the_text_are_the_words_of_its_chunks(text, lowercase):
    chunks = chunks_of(text)
    words = words_of(text, lowercase)
    assert [word for chunk in chunks for word in words_of(chunk, lowercase)] == words
    assert [w.text for chunk in chunks for w in align_chunk(chunk, lowercase)] == words
    assert not any(word.isspace() or not word for word in words)


@given(st.lists(text, max_size=6), casing)
@settings(max_examples=100, deadline=None)
def test_what_is_remembered_changes_nothing(texts, lowercase):
    used = Tokenizer(VOCABULARY, lowercase=lowercase)
    for text in texts * 2:
        fresh = Tokenizer(VOCABULARY, lowercase=lowercase)
        assert used.token_ids(text) == fresh.token_ids(text)
        assert used.pieces(text) == fresh.pieces(text)


@given(text, text, casing)
@example("A\ufffdΣ", "中", True)
@settings(max_examples=100, deadline=None)
def test_a_space_between_texts_keeps_them_apart(first, second, lowercase):
    tokenizer = TOKENIZERS[lowercase]
    joined = tokenizer.token_ids(f"{first} {second}")
    assert joined == tokenizer.token_ids(first) + tokenizer.token_ids(second)


@given(text, st.none() | text, st.none() | st.integers(5, 40), casing)
@settings(max_examples=200, deadline=None)
def test_encodings_hold_together(first, second, max_length, lowercase):
    tokenizer = TOKENIZERS[lowercase]
    encoding = tokenizer.encode(first, second, max_length=max_length, special_tokens=True)
    assert max_length is None or len(encoding) <= max_length
    assert encoding.tokens == [VOCABULARY.tokens[i] for i in encoding.input_ids]
    assert encoding.input_ids[0] == VOCABULARY.cls_id
    assert encoding.input_ids[-1] == VOCABULARY.sep_id
    texts = [first, second or ""]
    for i, sequence in enumerate(encoding.sequence_index):
        start, end = encoding.offsets[i]
        if sequence is None:
            assert (start, end, encoding.word_index[i]) == (0, 0, None)
        else:
            assert encoding.token_type_ids[i] == sequence
            assert 0 <= start < end <= len(texts[sequence])
    for index, whole in enumerate(texts[: 1 if second is None else 2]):
        kept = [i for i, s in zip(encoding.input_ids, encoding.sequence_index, strict=True)
                if s == index]  # fmt: skip
        assert tokenizer.pieces(whole, special_tokens=True).ids[: len(kept)] == kept


@given(text, casing)
@settings(max_examples=100, deadline=None)
def test_decoding_gives_text_that_encodes_alike(text, lowercase):
    """Pieces joined again are the same words, where none was [UNK]."""
    tokenizer = TOKENIZERS[lowercase]
    ids = tokenizer.token_ids(text)
    if VOCABULARY.unk_id not in ids:
        assert tokenizer.decode(ids) == " ".join(words_of(text, lowercase))
