import random
from collections import Counter

import pytest

from bertsmith.errors import VocabularyError
from bertsmith.wordpiece import (
    SPECIAL_TOKENS,
    Tokenizer,
    Vocabulary,
    WordCounter,
    inspect_counts,
    inspect_vocabulary,
    learn_vocabulary,
)
from bertsmith.wordpiece.inspection import script_of
from bertsmith.wordpiece.words import words_of

RNG = random.Random(5)
WORDS = ["".join(RNG.choices("abcdeмир你é", k=RNG.randint(1, 7))) for _ in range(200)]
TEXTS = [" ".join(RNG.choices(WORDS, k=30)) + ", ok! " + "x" * 201 for _ in range(50)]


@pytest.mark.parametrize("lowercase", [True, False])
def test_numbers_are_those_of_tokenizing_the_text(lowercase):
    vocabulary = learn_vocabulary(
        TEXTS[:5], size=60, lowercase=lowercase, min_frequency=8, num_unused=3
    )
    tokenizer = Tokenizer(vocabulary, lowercase=lowercase)
    ids = [token_id for text in TEXTS for token_id in tokenizer.token_ids(text)]
    words = [word for text in TEXTS for word in words_of(text, lowercase)]
    pieces = {word: tokenizer.tokenize(word) for word in set(words)}
    found = inspect_vocabulary(tokenizer, TEXTS, num_examples=5)

    assert found.num_tokens == len(ids)
    assert found.num_words == len(words)
    assert found.num_text_bytes == sum(len(text.encode()) for text in TEXTS)
    assert found.num_unknown == ids.count(vocabulary.unk_id) > 50
    whole = sum(len(pieces[word]) == 1 and pieces[word] != ["[UNK]"] for word in words)
    assert found.num_whole_words == whole
    assert found.whole_word_rate == whole / len(words)
    assert found.pieces_per_word == len(ids) / len(words)
    assert found.bytes_per_token == found.num_text_bytes / len(ids)
    assert found.unknown_rate == found.num_unknown / len(ids)

    free = {token for token in vocabulary.tokens if token.startswith("[")}
    assert found.num_entries == len(vocabulary) - len(free) == len(vocabulary) - 8
    assert found.num_unused_entries == len(set(range(len(vocabulary))) - set(ids)) - len(
        free - {"[UNK]"}
    )
    counts = Counter(word for word in words if len(word) <= 200)
    unknown = [(word, n) for word, n in counts.items() if pieces[word] == ["[UNK]"]]
    assert found.unknown_words == sorted(unknown, key=lambda item: (-item[1], item[0]))[:5]
    costs = sorted((-n * (len(pieces[word]) - 1), word) for word, n in counts.items())
    assert found.split_words == [(word, pieces[word], counts[word]) for _, word in costs[:5]]

    for name in ("num_words", "num_tokens", "num_unknown"):
        total = sum(getattr(script, name) for script in found.scripts)
        assert total == getattr(found, name)


def test_scripts():
    tokenizer = Tokenizer(Vocabulary([*SPECIAL_TOKENS, "a", "##b", "м", "1"]))
    found = inspect_vocabulary(tokenizer, ["ab ab м й 1 你 你 你 , " + "y" * 201])
    assert [(s.script, s.num_words, s.num_tokens, s.num_unknown) for s in found.scripts] == [
        ("Han", 3, 3, 3),
        ("Cyrillic", 2, 2, 1),
        ("Latin", 2, 4, 0),
        ("digits", 1, 1, 0),
        ("over 200 characters", 1, 1, 1),
        ("signs", 1, 1, 1),
    ]
    assert script_of("ＡＢＣ") == "Latin"
    assert script_of("(アニメ") == "Katakana"


def test_a_text_without_words():
    found = inspect_vocabulary(Tokenizer(Vocabulary(SPECIAL_TOKENS)), ["", " "])
    assert (found.num_words, found.pieces_per_word, found.unknown_rate) == (0, 0, 0)


def test_casing_must_agree():
    tokenizer = Tokenizer(Vocabulary(SPECIAL_TOKENS), lowercase=False)
    with pytest.raises(VocabularyError, match="lower-casing"):
        inspect_counts(tokenizer, WordCounter())
