import random
from collections.abc import Mapping

import pytest

from bertsmith.errors import VocabularyError
from bertsmith.wordpiece import (
    SPECIAL_TOKENS,
    Vocabulary,
    extend_vocabulary,
    learn_from_counts,
    pieces_of_new_tokens,
)
from bertsmith.wordpiece.matching import PieceMatcher

SPECIAL = list(SPECIAL_TOKENS)


def num_tokens(tokens: list[str], counts: Mapping[str, int]) -> tuple[int, set[str]]:
    """Tokens of a text, [UNK] counted as one, and the words that are [UNK]."""
    match = PieceMatcher(Vocabulary(tokens)).match
    cut = {word: match(word) for word in counts}
    unknown = {word for word, pieces in cut.items() if pieces is None}
    return sum(counts[word] * len(pieces or "?") for word, pieces in cut.items()), unknown


def extend_naively(vocabulary: Vocabulary, counts: Mapping[str, int], num: int) -> list[str]:
    """The definition, written down: try every word before each step."""
    tokens: list[str] = list(vocabulary.tokens)
    added: list[str] = []
    while len(added) < num:
        _, unknown = num_tokens(tokens, counts)
        known = {word: n for word, n in counts.items() if word not in unknown}
        base, choices = num_tokens(tokens, known)[0], []
        for word in known:
            if word in tokens or counts[word] < 2:
                continue
            after, unknown_after = num_tokens([*tokens, word], known)
            if not unknown_after and after < base:
                choices.append((after, word))
        if not choices:
            break
        added.append(min(choices)[1])
        tokens.append(added[-1])
    return added


@pytest.mark.parametrize("seed", range(20))
def test_words_are_those_of_the_definition(seed):
    """Words that begin with each other, pieces that are missing, ties."""
    rng = random.Random(seed)
    counts = {
        "".join(rng.choices(["ab", "a", "c", "bcd"], k=rng.randint(1, 5))): rng.randint(1, 5)
        for _ in range(40)
    }
    vocabulary = learn_from_counts(counts, size=rng.randint(14, 24))
    kept = [t for t in vocabulary.tokens if t not in ("##d", "##ab")[: seed % 3]]
    vocabulary = Vocabulary(kept)
    shuffled = dict(rng.sample(sorted(counts.items()), len(counts)))
    for num in (1, 5, 100):
        extension = extend_vocabulary(vocabulary, shuffled, num)
        assert [word.word for word in extension.added] == extend_naively(vocabulary, counts, num)
        assert extension.vocabulary.tokens[: len(kept)] == vocabulary.tokens
        assert extension.num_tokens_before == num_tokens(kept, counts)[0]
        assert extension.num_tokens_after == num_tokens([*extension.vocabulary.tokens], counts)[0]
        saved = sum(word.num_saved for word in extension.added)
        assert extension.num_tokens_before - extension.num_tokens_after <= saved


def test_savings_are_count_times_pieces():
    vocabulary = Vocabulary([*SPECIAL, "gas", "##tr", "##itis", "liver", "##s"])
    counts = {"gastritis": 10, "livers": 15, "gas": 99, "zzz": 1000}
    extension = extend_vocabulary(vocabulary, counts, 5)
    assert [(w.word, w.token_id, w.pieces, w.count, w.num_saved) for w in extension.added] == [
        ("gastritis", 10, ["gas", "##tr", "##itis"], 10, 20),
        ("livers", 11, ["liver", "##s"], 15, 15),
    ]
    assert (extension.num_words, extension.num_tokens_before) == (1124, 1124 + 20 + 15)
    assert extension.num_tokens_after == 1124


def test_a_word_that_would_make_others_unknown_is_left_out():
    """ab, found first, leaves ##c in abc, and there is no such piece."""
    vocabulary = Vocabulary([*SPECIAL, "a", "##b", "##bc"])
    extension = extend_vocabulary(vocabulary, {"ab": 10, "abc": 1}, 5)
    assert extension.added == []
    assert extend_vocabulary(vocabulary, {"ab": 10}, 5).added[0].word == "ab"


def test_unused_places_are_filled_first_where_asked():
    tokens = ["[PAD]", "[unused0]", "[unused1]", *SPECIAL[1:], "a", "##b", "##c"]
    counts = {"ab": 4, "ac": 3, "abc": 2}
    appended = extend_vocabulary(Vocabulary(tokens), counts, 3).vocabulary.tokens
    assert appended == (*tokens, "ab", "ac", "abc")
    filled = extend_vocabulary(Vocabulary(tokens), counts, 3, use_unused=True)
    assert filled.vocabulary.tokens == (
        "[PAD]", "ab", "ac", *SPECIAL[1:], "a", "##b", "##c", "abc",
    )  # fmt: skip
    assert [word.token_id for word in filled.added] == [1, 2, 10]


def test_new_tokens_are_cut_with_the_old_vocabulary():
    old = Vocabulary([*SPECIAL, "[unused0]", "a", "##b", "##c"])
    new = Vocabulary([*SPECIAL, "abc", "a", "##b", "##c", "ab", "##bc", "xyz"])
    assert pieces_of_new_tokens(old, new) == {5: [6, 7, 8], 9: [6, 7], 10: [7, 8], 11: [1]}
    assert pieces_of_new_tokens(old, old) == {}


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        ([*SPECIAL, "a"], "6 tokens, fewer than the 7"),
        ([*SPECIAL, "b", "a"], "token 5 is 'b', and 'a' before"),
        ([*SPECIAL, "b", "a", "c"], "token 5"),
    ],
)
def test_what_extends_nothing(tokens, message):
    with pytest.raises(VocabularyError, match=message):
        pieces_of_new_tokens(Vocabulary([*SPECIAL, "a", "b"]), Vocabulary(tokens))


def test_nothing_to_add():
    vocabulary = Vocabulary([*SPECIAL, "a"])
    assert extend_vocabulary(vocabulary, {"a": 5, "b": 5}, 3).vocabulary == vocabulary
    with pytest.raises(VocabularyError, match="no words"):
        extend_vocabulary(vocabulary, {}, 3)
    with pytest.raises(VocabularyError, match="at least 1"):
        extend_vocabulary(vocabulary, {"a": 5}, 0)
