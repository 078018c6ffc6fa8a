"""Where words start, for whole-word masking of text whose words are not set apart by spaces."""

import importlib
import re
import warnings
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bertsmith.errors import StoreError
from bertsmith.wordpiece import Tokenizer, Vocabulary
from bertsmith.wordpiece.characters import is_punctuation
from bertsmith.wordpiece.vocabulary import CONTINUATION

__all__ = ["JiebaWords", "check_language", "continuing_pieces", "jieba_name"]

# The only characters beyond ASCII that jieba joins to words; the rest are segments by themselves.
_HAN = re.compile("[\u4e00-\u9fd5]")

# jieba's time grows with the square of a stretch without spaces and punctuation.
_WINDOW_CHARS = 2_000


class JiebaWords:
    """Token ids of a sentence, and which of them start a word as jieba sees it.

    Chinese characters are tokens by themselves, so where words start has to come from the text.
    jieba segments the sentence as it was written; two tokens that follow each other belong to one
    word where one segment covers the last character of the first and the first character of the
    second. The pieces of an English word stay together, and punctuation stays alone.

    **Source**: the whole-word masking of Cui et al., "Pre-training with whole word masking for
    Chinese BERT", 2019, who segment with LTP.

    Args:
        tokenizer: what gives the ids, and the stretch of text that each of them stands for.

    Raises:
        StoreError: jieba is not installed.

    Example:
        >>> pieces = "[PAD] [UNK] [CLS] [SEP] [MASK] 我 来 到 北 京 。 un ##able".split()
        >>> ids, starts = JiebaWords(Tokenizer(Vocabulary(pieces)))("我来到北京。Unable")
        >>> ids
        [5, 6, 7, 8, 9, 10, 11, 12]
        >>> starts
        [True, True, False, True, False, True, True, False]
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        jieba_name()
        self._tokenizer = tokenizer
        self._continues = continuing_pieces(tokenizer.vocabulary).tolist()

    def __call__(self, text: str) -> tuple[list[int], list[bool]]:
        """Returns the ids of a sentence, and for each whether a word starts with it."""
        if _HAN.search(text) is None:
            ids = self._tokenizer.token_ids(text)
            return ids, [not self._continues[token_id] for token_id in ids]
        pieces = self._tokenizer.pieces(text)
        segment = _segment_of_characters(text)
        starts = []
        last_word, last_end = -1, 0
        for word, (start, end) in zip(pieces.word_index, pieces.offsets, strict=True):
            joined = word == last_word or (
                last_end > 0
                and segment[last_end - 1] == segment[start]
                and not is_punctuation(text[last_end - 1])
                and not is_punctuation(text[start])
            )
            starts.append(not joined)
            last_word, last_end = word, end
        return pieces.ids, starts

    def __reduce__(self) -> tuple[type["JiebaWords"], tuple[Tokenizer]]:
        return JiebaWords, (self._tokenizer,)


def continuing_pieces(vocabulary: Vocabulary) -> NDArray[np.bool_]:
    """Which pieces of a vocabulary continue a word, being written with `##`; bool [V]."""
    return np.array([token.startswith(CONTINUATION) for token in vocabulary.tokens])


def check_language(code: str, fix: str) -> None:
    """Refuses text in which jieba would find words that are none.

    Japanese is the one other language with as many of the characters that it joins.

    Args:
        code: the language, as `CorpusSettings.language` has it.
        fix: what to do instead.

    Raises:
        StoreError: jieba doesn't know the language.

    Example:
        >>> check_language("zh", "leave --words out")
        >>> check_language("ja", "leave --words out")
        Traceback (most recent call last):
        bertsmith.errors.StoreError: words=jieba: jieba doesn't know Japanese; leave --words out
    """
    if code == "ja":
        raise StoreError("jieba doesn't know Japanese", where="words=jieba", fix=fix)


def jieba_name() -> str:
    """The name and version of the segmenter, such as "jieba 0.42.1".

    Raises:
        StoreError: jieba is not installed.
    """
    return f"jieba {_jieba().__version__}"


def _segment_of_characters(text: str) -> list[int]:
    """For every character of a text the number of jieba's segment that it is in."""
    numbers: list[int] = []
    for number, length in enumerate(_segment_lengths(text)):
        numbers += [number] * length
    return numbers


def _segment_lengths(text: str) -> Iterator[int]:
    cut = _cut()
    for start in range(0, len(text), _WINDOW_CHARS):
        yield from map(len, cut(text[start : start + _WINDOW_CHARS]))


def _jieba() -> Any:
    try:
        with warnings.catch_warnings():
            # jieba's own source and the pkg_resources that it imports warn of what they use.
            warnings.simplefilter("ignore")
            return importlib.import_module("jieba")
    except ImportError:
        raise StoreError(
            "jieba is not installed", where="words=jieba", fix="pip install 'bertsmith[zh]'"
        ) from None


@lru_cache(maxsize=1)
def _cut() -> Callable[[str], Iterator[str]]:
    """Loads the dictionary, once a process.

    Not by jieba's `initialize`: that takes any `jieba.cache` that lies in the temporary folder for
    the dictionary, of whatever version and whoever put it there, and logs to standard error. Also
    not into its global tokenizer, which other code may have given words of its own.
    """
    tokenizer = _jieba().Tokenizer()
    tokenizer.FREQ, tokenizer.total = tokenizer.gen_pfdict(tokenizer.get_dict_file())
    tokenizer.initialized = True
    cut: Callable[[str], Iterator[str]] = tokenizer.cut
    return cut
