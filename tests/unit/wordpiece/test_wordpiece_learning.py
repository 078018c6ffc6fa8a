import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from itertools import pairwise

import numpy as np
import pytest

from bertsmith.errors import VocabularyError
from bertsmith.wordpiece import SPECIAL_TOKENS, Tokenizer, learn_from_counts, learn_vocabulary
from bertsmith.wordpiece.merging import SymbolPairs

SPECIAL = list(SPECIAL_TOKENS)


def random_counts(seed: int, letters: str = "abc", num_words: int = 40) -> dict[str, int]:
    """Words of few letters, so that runs, ties and several ways to one string are common."""
    rng = random.Random(seed)
    return {
        "".join(rng.choices(letters, k=rng.randint(1, 9))): rng.randint(1, 6)
        for _ in range(num_words)
    }


def learn_naively(counts: Mapping[str, int], num_pieces: int, min_frequency: int) -> list[str]:
    """The definition, written down: recount all pairs before every merge."""
    words = [([w[0], *(f"##{c}" for c in w[1:])], n) for w, n in counts.items()]
    pieces: list[str] = []
    while len(pieces) < num_pieces:
        pairs: Counter[tuple[str, str]] = Counter()
        for symbols, count in words:
            for pair in pairwise(symbols):
                pairs[pair] += count
        if not pairs:
            break
        count, (left, right) = min((-count, pair) for pair, count in pairs.items())
        if -count < min_frequency:
            break
        for symbols, _ in words:
            i = 0
            while i + 1 < len(symbols):
                if (symbols[i], symbols[i + 1]) == (left, right):
                    symbols[i : i + 2] = [left + right[2:]]
                i += 1
        if left + right[2:] not in pieces:
            pieces.append(left + right[2:])
    return pieces


@pytest.mark.parametrize("seed", range(30))
def test_merges_are_those_of_the_definition(seed):
    counts = random_counts(seed)
    for size, min_frequency in ((25, 1), (60, 2), (1000, 3)):
        vocabulary = learn_from_counts(counts, size=size, min_frequency=min_frequency)
        merged = [t for t in vocabulary.tokens[5:] if len(t.removeprefix("##")) > 1]
        wanted = learn_naively(counts, len(merged) + (len(vocabulary) < size), min_frequency)
        assert merged == wanted


@pytest.mark.parametrize("seed", range(10))
def test_pair_counts_stay_exact_through_merges(seed):
    """After every merge the table equals a count from scratch."""
    rng = random.Random(seed)
    words = [[rng.randint(0, 2) for _ in range(rng.randint(1, 10))] for _ in range(15)]
    weights = [rng.randint(1, 5) for _ in words]
    flat = np.array([symbol for word in words for symbol in word])
    pairs = SymbolPairs(flat, np.array(list(map(len, words))), np.array(weights))
    strings = ["a", "b", "c"]
    while pairs.counts:
        counted: Counter[tuple[int, int]] = Counter()
        for word, weight in zip(words, weights, strict=True):
            for pair in pairwise(word):
                counted[pair] += weight
        assert pairs.counts == counted
        chosen = rng.choice(sorted(pairs.counts))
        before = dict(pairs.counts)
        string = strings[chosen[0]] + strings[chosen[1]]
        if string not in strings:
            strings.append(string)
        symbol = strings.index(string)
        merge = pairs.merge(chosen, symbol)
        assert {p for p, n in pairs.counts.items() if n > before.get(p, 0)} <= set(merge.grown)
        less = {p for p, n in before.items() if pairs.counts.get(p, 0) < n} - {chosen}
        assert less <= set(merge.shrunk)
        for word in words:
            i = 0
            while i + 1 < len(word):
                if (word[i], word[i + 1]) == chosen:
                    word[i : i + 2] = [symbol]
                i += 1


def test_order_of_the_pieces():
    texts = ["abab ab, 你 你 你 你"] * 2
    vocabulary = learn_vocabulary(texts, size=40, num_unused=2, reserve=("zeta", "ab"))
    assert vocabulary.tokens == (
        "[PAD]", "[unused0]", "[unused1]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "zeta", "ab",
        ",", "a", "b", "##a", "##b", "你", "##ab", "abab",
    )  # fmt: skip


def test_ties_go_to_the_smaller_strings():
    vocabulary = learn_vocabulary(["xy ab", "ab xy"], size=40)
    assert vocabulary.tokens[-2:] == ("ab", "xy")


def test_a_smaller_vocabulary_where_the_text_has_no_more():
    assert len(learn_vocabulary(["ab ab"], size=1000)) == len([*SPECIAL, "a", "b", "##b", "ab"])


def test_min_frequency_holds_for_characters_and_pairs():
    texts = ["ab ab ab", "cd 你", "ac ac"]
    assert learn_vocabulary(texts, size=99, min_frequency=3).tokens[5:] == (
        ("a", "b", "c", "##b", "##c", "ab")
    )
    assert {"d", "cd", "你"} <= set(learn_vocabulary(texts, size=99, min_frequency=1).tokens)


def test_the_alphabet_is_limited_to_the_most_frequent():
    texts = ["aab b cb"] * 3 + ["你好"] * 2
    vocabulary = learn_vocabulary(texts, size=99, limit_alphabet=2)
    assert vocabulary.tokens[5:] == ("a", "b", "##a", "##b", "##ab", "aab", "你", "好")


def test_what_was_learned_covers_the_text_it_was_learned_from():
    texts = ["Überraschung, naïve façade!", "中文 mixed with Latin", "don't stop"] * 2
    for lowercase in (True, False):
        tokenizer = Tokenizer(
            learn_vocabulary(texts, size=150, lowercase=lowercase), lowercase=lowercase
        )
        for text in texts:
            assert tokenizer.vocabulary.unk_id not in tokenizer.token_ids(text)


def test_surrogates_and_controls_are_no_alphabet():
    vocabulary = learn_vocabulary(["ab\ud800 \ud800 ab a\x00b ab"] * 2, size=50)
    assert vocabulary.tokens[5:] == ("a", "b", "##b", "ab")


def test_progress_is_reported():
    seen: list[tuple[int, int]] = []
    counts = random_counts(0, "abcdefgh", 2000)
    learn_from_counts(counts, size=1500, progress=lambda *numbers: seen.append(numbers))
    assert seen == [(done, 1500) for done in range(256, 1501, 256)]


def test_too_small_a_size_is_told_with_the_smallest_that_will_do():
    counts = {"abc": 5, "bca": 5, "d": 5}
    with pytest.raises(
        VocabularyError, match="give a --size of at least 12, or a --limit-alphabet of 3"
    ) as error:
        learn_from_counts(counts, size=11)
    assert "\n" not in str(error.value)
    assert len(learn_from_counts(counts, size=12)) == 12
    assert len(learn_from_counts(counts, size=11, limit_alphabet=3)) <= 11


@pytest.mark.parametrize("texts", [[], [""], [" \n\x00"]])
def test_text_without_words(texts):
    with pytest.raises(VocabularyError, match="holds no words"):
        learn_vocabulary(texts, size=100)


def test_reserved_pieces_are_checked():
    with pytest.raises(VocabularyError, match="contains white space"):
        learn_vocabulary(["ab ab"], size=100, reserve=["New York"])


def test_the_same_bytes_in_every_process_and_for_any_order():
    """Separate processes, so that every run hashes strings otherwise; shuffled and re-cut text."""
    code = (
        "import random, sys; from bertsmith.wordpiece import learn_vocabulary\n"
        "rng = random.Random(0)\n"
        "words = [''.join(rng.choices('abcdeé中', k=rng.randint(1, 7))) for _ in range(4000)]\n"
        "random.Random(int(sys.argv[1])).shuffle(words)\n"
        "step = int(sys.argv[1]) + 1\n"
        "texts = (' '.join(words[i : i + step]) for i in range(0, len(words), step))\n"
        "print(learn_vocabulary(texts, size=900).sha256)\n"
    )
    hashes = {
        subprocess.run(
            [sys.executable, "-c", code, str(seed)],
            env={**os.environ, "PYTHONHASHSEED": str(seed)},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in range(3)
    }
    assert len(hashes) == 1
    assert len(hashes.pop().strip()) == 64
