"""How much of a store is Chinese whose words nobody has found, and what to tell about that."""

import re

import numpy as np

from bertsmith.store.manifest import commands_of
from bertsmith.store.reading import TokenStore
from bertsmith.wordpiece.characters import is_chinese

__all__ = ["MANY_CHARACTERS", "lone_characters", "missing_words"]

MANY_CHARACTERS = 0.2
"""From this share on a store is Chinese to a good part: 83 % of Chinese Wikipedia's tokens are
characters, and under 0.01 % of the English one's."""

_SAMPLES, _SAMPLE_TOKENS = 256, 4096
_KANA = re.compile("[\u3040-\u30ff]")
# Japanese mixes kana with its Chinese characters; jieba doesn't know its words.
_JAPANESE = 0.25


def lone_characters(store: TokenStore) -> float:
    """Share of a store's tokens that are Chinese characters whose words it doesn't hold, in [0, 1].

    Measured on up to a million tokens spread evenly over the store, which takes milliseconds. It
    is 0 where `--words jieba` found the words, and where the characters are Japanese text's.

    Args:
        store: the store.
    """
    if store.has_words:
        return 0.0
    last = max(store.num_tokens - _SAMPLE_TOKENS, 0)
    starts = np.unique(np.linspace(0, last, _SAMPLES).astype(np.int64))
    ids = np.concatenate(
        [store.tokens(start, min(start + _SAMPLE_TOKENS, store.num_tokens)) for start in starts]
    )
    counts = np.bincount(ids, minlength=store.manifest.vocab_size)
    tokens = store.vocabulary.tokens
    num_chinese = counts[[len(token) == 1 and is_chinese(token) for token in tokens]].sum()
    num_kana = counts[[_KANA.search(token) is not None for token in tokens]].sum()
    return 0.0 if num_kana > _JAPANESE * num_chinese else float(num_chinese / len(ids))


def missing_words(store: TokenStore) -> str | None:
    """What to tell those who mask whole words of a store, or None where all is well.

    Args:
        store: the store.

    Returns:
        A line that says what is wrong, what it does, and the command that mends it.
    """
    share = lone_characters(store)
    if share < MANY_CHARACTERS:
        return None
    command = commands_of(store.manifest, store.folder).prepare(words="jieba")
    return (
        f"whole_word_masking masks single characters here: {share:.0%} of the tokens are "
        "Chinese characters, and the store doesn't hold where words start; "
        f"run `{command}` for a store that does"
    )
