import random
from collections import Counter
from collections.abc import Mapping
from decimal import Decimal, localcontext
from itertools import pairwise

import numpy as np
import pytest

from bertsmith.wordpiece import Tokenizer, gains, learn_from_counts, learn_vocabulary
from bertsmith.wordpiece.gains import exact_gain, gain_bound
from bertsmith.wordpiece.merging import SymbolPairs

Word = tuple[list[str], int]


def log_likelihood(words: list[Word]) -> Decimal:
    """The definition: the sum over all symbols of the text of the log of their share."""
    counts: Counter[str] = Counter()
    for symbols, count in words:
        for symbol in symbols:
            counts[symbol] += count
    total = Decimal(counts.total())
    return sum((count * (Decimal(count) / total).ln() for count in counts.values()), Decimal(0))


def merged(words: list[Word], left: str, right: str) -> list[Word]:
    result = []
    for symbols, count in words:
        symbols, i = list(symbols), 0
        while i + 1 < len(symbols):
            if (symbols[i], symbols[i + 1]) == (left, right):
                symbols[i : i + 2] = [left + right[2:]]
            i += 1
        result.append((symbols, count))
    return result


def learn_naively(counts: Mapping[str, int], num_merges: int, min_frequency: int) -> list[str]:
    """Tries every merge on the whole text before each one."""
    words: list[Word] = [([w[0], *(f"##{c}" for c in w[1:])], n) for w, n in counts.items()]
    pieces: list[str] = []
    for _ in range(num_merges):
        now, choices = log_likelihood(words), []
        for left, right in sorted({pair for symbols, _ in words for pair in pairwise(symbols)}):
            after = merged(words, left, right)
            num = sum((len(a) - len(b)) * n for (a, n), (b, _) in zip(words, after, strict=True))
            gain = round(log_likelihood(after) - now, 30)
            if num >= min_frequency and gain > 0:
                choices.append((-gain, left, right))
        if not choices:
            break
        _, left, right = min(choices)
        words = merged(words, left, right)
        pieces.append(left + right[2:])
    return list(dict.fromkeys(pieces))


@pytest.mark.parametrize("seed", range(12))
def test_merges_are_those_of_the_definition(seed):
    """Words of few syllables: runs such as aaa, ties, several ways to one string."""
    rng = random.Random(seed)
    syllables = ("ab", "aaa", "c", "bca") if seed % 2 else ("abc", "aa", "d", "ee", "cba")
    counts = {
        "".join(rng.choices(syllables, k=rng.randint(1, 4))): rng.randint(1, 6) for _ in range(14)
    }
    for min_frequency in (1, 4):
        vocabulary = learn_from_counts(
            counts, size=500, algorithm="likelihood", min_frequency=min_frequency
        )
        found = [t for t in vocabulary.tokens[5:] if len(t.removeprefix("##")) > 1]
        alphabet = {t for t in vocabulary.tokens if len(t) == 1}
        known = {word: n for word, n in counts.items() if set(word) <= alphabet}
        with localcontext() as context:
            context.prec = 60
            assert found == learn_naively(known, 500, min_frequency)
        assert found


@pytest.mark.parametrize("algorithm", ["bpe", "likelihood"])
def test_a_string_is_never_joined_in_two_ways(algorithm, monkeypatch):
    """What `gains` takes for granted; runs and repeats would be the place for it."""
    merged: list[int] = []
    original = SymbolPairs.merge

    def merge(self, pair, symbol):
        merged.append(symbol)
        return original(self, pair, symbol)

    monkeypatch.setattr(SymbolPairs, "merge", merge)
    pieces: list[str] = []
    for seed in range(40):
        rng = random.Random(seed)
        syllables = ("a", "aa", "aab", "b")
        counts = {"".join(rng.choices(syllables, k=rng.randint(1, 9))): 1 for _ in range(30)}
        vocabulary = learn_from_counts(counts, size=2000, algorithm=algorithm, min_frequency=1)
        pieces += [token for token in vocabulary.tokens[5:] if len(token.removeprefix("##")) > 1]
    assert len(merged) == len(pieces) > 200


def test_it_is_not_the_most_frequent_pair_that_is_merged_first():
    counts = {"ab": 40, "ac": 40, "ad": 40, "bc": 40, "bd": 40, "cd": 40, "xy": 30}
    by_count = learn_from_counts(counts, size=5 + 6 + 4 + 1)
    by_gain = learn_from_counts(counts, size=5 + 6 + 4 + 1, algorithm="likelihood")
    assert by_count.tokens[-1] == "ab"
    assert by_gain.tokens[-1] == "xy"


@pytest.mark.parametrize("seed", range(3))
def test_candidates_kept_outside_never_change_the_result(seed, monkeypatch):
    """With a bound that lets everything in at once the same pieces come, in the same order."""
    rng = random.Random(seed)
    weights = [1 / (rank + 1) for rank in range(20)]
    counts = {
        "".join(rng.choices("abcdefghijklmnopqrst", weights, k=rng.randint(2, 9))): int(2000 / rank)
        for rank in range(1, 600)
    }
    vocabulary = learn_from_counts(counts, size=400, algorithm="likelihood")
    monkeypatch.setattr("bertsmith.wordpiece.likelihood.gain_bound", lambda *_: float("inf"))
    assert learn_from_counts(counts, size=400, algorithm="likelihood") == vocabulary


def random_pairs(num: int) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(0)
    pair = rng.integers(1, 1000, num)
    twice = rng.random(num) < 0.2
    left = np.where(twice, 2 * pair, pair) + rng.integers(0, 5, num) * rng.integers(0, 10**8, num)
    right = np.where(twice, left, pair + rng.integers(0, 5, num) * rng.integers(0, 10**8, num))
    return pair, left, right, twice


def test_gains_in_double_precision_are_close_enough_to_exact_ones():
    pair, left, right, twice = random_pairs(500)
    total = 2 * 10**9
    found = gains.gains(pair, left, right, twice, total)
    for row, gain in enumerate(found.tolist()):
        numbers = (int(x[row]) for x in (pair, left, right))
        exact = exact_gain((*numbers, bool(twice[row])), total)
        assert abs(gain - float(exact)) < 1e-11 * pair[row]
        assert gain < gain_bound(int(pair[row]), total)


def test_chinese_characters_take_part():
    texts = ["你好 abab 你 ab abab"] * 3
    vocabulary = learn_vocabulary(texts, size=40, algorithm="likelihood")
    assert {"你", "好"} <= set(vocabulary.tokens)
    tokenizer = Tokenizer(vocabulary)
    assert vocabulary.unk_id not in tokenizer.token_ids(texts[0])


def test_it_stops_where_nothing_is_to_be_gained():
    """Letters by chance: merging pairs that are as frequent as chance has it tells nothing."""
    rng = random.Random(0)
    counts = {"".join(rng.choices("abcd", k=150)): 3 for _ in range(20)}
    sizes = [
        len(learn_from_counts(counts, size=10_000, algorithm=algorithm))
        for algorithm in ("likelihood", "bpe")
    ]
    assert sizes[0] < 0.7 * sizes[1]
