"""Learning a vocabulary: the alphabet, then the most frequent pairs of neighbours, merged."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bertsmith.errors import VocabularyError
from bertsmith.wordpiece.characters import is_chinese
from bertsmith.wordpiece.counting import WordCounter
from bertsmith.wordpiece.frequency import merges_by_frequency
from bertsmith.wordpiece.likelihood import merges_by_likelihood
from bertsmith.wordpiece.merging import SymbolPairs
from bertsmith.wordpiece.vocabulary import CONTINUATION, SPECIAL_TOKENS, Vocabulary

__all__ = ["Algorithm", "learn_from_counts", "learn_vocabulary"]

Algorithm = Literal["bpe", "likelihood"]

Progress = Callable[[int, int], None]

Integers = NDArray[np.int64]

_NUM_CODE_POINTS = 0x110000
_SURROGATES = slice(0xD800, 0xE000)
_PROGRESS_INTERVAL = 256


def learn_vocabulary(
    texts: Iterable[str],
    *,
    size: int,
    algorithm: Algorithm = "bpe",
    lowercase: bool = True,
    min_frequency: int = 2,
    num_unused: int = 0,
    reserve: Sequence[str] = (),
    limit_alphabet: int = 1000,
    progress: Progress | None = None,
) -> Vocabulary:
    """Learns a WordPiece vocabulary from text.

    The texts' words are counted as `Tokenizer` cuts them, and `learn_from_counts` does the rest,
    from the two million most frequent words where there are more. The result is the same, to the
    byte, in every run and for any order of the texts.

    Args:
        texts: texts, lines or documents; a word must not go on from one to the next.
        size: number of pieces, special tokens included.
        algorithm: which pair is merged next. "bpe": the most frequent one. "likelihood": the one
            that raises the likelihood of the text most.
        lowercase: lower-case and strip accents; the tokenizer has to do the same.
        min_frequency: how often a character or a pair has to occur to get a piece.
        num_unused: number of `[unused0]`, `[unused1]`, … after [PAD], to be given a meaning later.
        reserve: pieces to have whatever their counts.
        limit_alphabet: the largest number of characters taken, the most frequent ones; words with
            any other will be [UNK]. Chinese characters don't count: they compete with merges.
        progress: called with the number of pieces so far and `size`, now and then.

    Returns:
        The vocabulary; smaller than `size` where the text has no more pairs that occur
        `min_frequency` times.

    Raises:
        VocabularyError: no words in the text, or `size` too small for the alphabet.

    Example:
        >>> vocabulary = learn_vocabulary(["low lower lowest"] * 3 + ["slow"] * 2, size=19)
        >>> vocabulary.tokens[5:]  # doctest: +NORMALIZE_WHITESPACE
        ('e', 'l', 'o', 'r', 's', 't', 'w', '##e', '##l', '##o', '##r', '##s', '##t', '##w')
        >>> learn_vocabulary(["low lower lowest"] * 3 + ["slow"] * 2, size=22).tokens[19:]
        ('##ow', 'low', 'lowe')
    """
    counter = WordCounter(lowercase=lowercase)
    for text in texts:
        counter.add(text)
    return learn_from_counts(
        counter.most_frequent(),
        size=size,
        algorithm=algorithm,
        min_frequency=min_frequency,
        num_unused=num_unused,
        reserve=reserve,
        limit_alphabet=limit_alphabet,
        progress=progress,
    )


def learn_from_counts(
    counts: Mapping[str, int],
    *,
    size: int,
    algorithm: Algorithm = "bpe",
    min_frequency: int = 2,
    num_unused: int = 0,
    reserve: Sequence[str] = (),
    limit_alphabet: int = 1000,
    progress: Progress | None = None,
) -> Vocabulary:
    """Learns a WordPiece vocabulary from word counts, as `WordCounter` gives them.

    Starting from single characters, two neighbouring symbols become one symbol, again and again,
    with `##` before what continues a word. By "bpe" these are the two that occur together most
    often: byte-pair encoding by counts (Sennrich et al. 2016). By "likelihood" they are the two
    whose merging raises the likelihood of the text most, under a model in which symbols are
    independent (see `gains`). Ties go to the smaller strings. The order of the pieces is [PAD],
    the unused ones, the other special tokens, `reserve`, the alphabet by code point, the
    alphabet's `##` forms, then merges in the order in which they were made.

    A Chinese character is a word by itself, so it takes part with its own count, among the merges.

    **Source**: "likelihood" is what Schuster and Nakajima 2012, section 3, and Wu et al. 2016,
    section 4.1, say of WordPiece; they give no formula and no language model.

    **Differs**: Google never published how it learned BERT's vocabulary. Merging by counts is what
    `tokenizers`' `WordPieceTrainer` does under the name of WordPiece; but its result changes from
    run to run, which is why this is our own. The score count(ab) / (count(a) count(b)) that is
    often given for WordPiece is the gain for *one* occurrence; it prefers pairs of symbols that
    hardly occur, and isn't what raises the likelihood of a text most.

    Args:
        counts: how often every normalised word occurs.
        size: as for `learn_vocabulary`, like everything that follows.
        algorithm: see there.
        min_frequency: see there.
        num_unused: see there.
        reserve: see there.
        limit_alphabet: see there.
        progress: see there.

    Raises:
        VocabularyError: no words, or `size` too small for the alphabet.
    """
    # No order is needed: what follows adds up counts and settles every tie by strings.
    words = list(filter(None, counts))
    if not words:
        raise VocabularyError("the text holds no words", fix="give text to learn from")
    points = np.frombuffer("".join(words).encode("utf-32-le", "surrogatepass"), dtype="<u4")
    lengths = np.array([len(word) for word in words])
    weights = np.array([counts[word] for word in words])
    totals = np.zeros(_NUM_CODE_POINTS, dtype=np.int64)
    np.add.at(totals, points, np.repeat(weights, lengths))
    alphabet, chinese = _choose_alphabet(totals, min_frequency, limit_alphabet)
    symbols, lengths, weights = _symbols_of(points, lengths, weights, alphabet)
    strings = [*alphabet, *(CONTINUATION + character for character in alphabet)]

    unused = [f"[unused{number}]" for number in range(num_unused)]
    tokens = dict.fromkeys([SPECIAL_TOKENS[0], *unused, *SPECIAL_TOKENS[1:], *reserve, *alphabet])
    inside = np.unique(symbols[symbols >= len(alphabet)])
    tokens.update(dict.fromkeys(strings[symbol] for symbol in inside))
    if len(tokens) > size:
        what = f"a vocabulary of {size} has no room for the alphabet"
        # Every character may take two places, by itself and inside a word.
        room = (size - (len(tokens) - len(alphabet) - len(inside))) // 2
        fix = f"give a --size of at least {len(tokens)}"
        if room > 0:
            fix += f", or a --limit-alphabet of {room}"
        raise VocabularyError(what, fix=fix)
    symbol_counts = np.zeros(len(strings), dtype=np.int64)
    np.add.at(symbol_counts, symbols, np.repeat(weights, lengths))
    pairs = SymbolPairs(symbols, lengths, weights)
    del symbols, points
    if algorithm == "bpe":
        pieces = merges_by_frequency(pairs, strings, chinese, min_frequency)
    else:
        pieces = merges_by_likelihood(pairs, strings, symbol_counts, chinese, min_frequency)
    for piece in pieces:
        if len(tokens) == size:
            break
        tokens[piece] = None
        if progress is not None and len(tokens) % _PROGRESS_INTERVAL == 0:
            progress(len(tokens), size)
    return Vocabulary(tokens)


def _choose_alphabet(
    totals: Integers, min_frequency: int, limit: int
) -> tuple[list[str], dict[str, int]]:
    """Returns the alphabet by code point, and the count of every Chinese character.

    Args:
        totals: how often every code point occurs.
        min_frequency: the smallest count taken.
        limit: the largest number of characters other than Chinese ones.
    """
    totals[_SURROGATES] = 0
    frequent = np.flatnonzero(totals >= max(min_frequency, 1))
    by_count = frequent[np.argsort(-totals[frequent], kind="stable")].tolist()
    others = [chr(point) for point in by_count if not is_chinese(chr(point))]
    chinese = {chr(point): int(totals[point]) for point in by_count if is_chinese(chr(point))}
    return sorted(others[:limit]), chinese


def _symbols_of(
    points: NDArray[np.uint32], lengths: Integers, weights: Integers, alphabet: list[str]
) -> tuple[NDArray[np.int32], Integers, Integers]:
    """Returns symbols, lengths and weights of the words that are of the alphabet alone.

    A character's symbol is its place in the alphabet; inside a word, the alphabet's length is
    added.
    """
    symbol_of_point = np.full(_NUM_CODE_POINTS, -1, dtype=np.int32)
    symbol_of_point[[ord(character) for character in alphabet]] = np.arange(len(alphabet))
    symbols = symbol_of_point[points]
    starts = np.cumsum(lengths) - lengths
    known = np.minimum.reduceat(symbols, starts) >= 0
    inside = np.ones(len(symbols), dtype=bool)
    inside[starts] = False
    symbols[inside] += len(alphabet)
    return symbols[np.repeat(known, lengths)], lengths[known], weights[known]
