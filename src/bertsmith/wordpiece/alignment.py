"""Words with their place in the text: where every normalised character came from."""

import unicodedata
from dataclasses import dataclass

from bertsmith.wordpiece.characters import SPLITTING, is_control, is_punctuation

__all__ = ["AlignedWord", "align_chunk"]


@dataclass(frozen=True)
class AlignedWord:
    """A normalised word and the stretch of its chunk that each character stands for.

    Attributes:
        characters: the characters of the normalised word, as `words_of` returns it.
        starts: for every character, where its stretch of the chunk starts.
        ends: for every character, where its stretch of the chunk ends (exclusive). Neither
            `starts` nor `ends` ever decreases.
    """

    characters: list[str]
    starts: list[int]
    ends: list[int]

    @property
    def text(self) -> str:
        """The normalised word."""
        return "".join(self.characters)


def align_chunk(chunk: str, lowercase: bool) -> list[AlignedWord]:
    r"""Returns the words of a chunk, every character with its place.

    A character that lower-casing or decomposition turns into several gives its place to each. A
    stripped accent belongs to the character before it. Combining characters that canonical
    ordering moves share the place of all that moved with them.

    Args:
        chunk: a chunk as `chunks_of` cuts it: no white space but what cleaning drops.
        lowercase: whether to lower-case and to strip accents.

    Example:
        >>> [(w.text, w.starts, w.ends) for w in align_chunk("İe\u0301,", lowercase=True)]
        [('ie', [0, 1], [1, 3]), (',', [3], [4])]
    """
    positions = [i for i, character in enumerate(chunk) if not is_control(character)]
    text = "".join(chunk[i] for i in positions)
    starts, ends = positions, [i + 1 for i in positions]
    if lowercase and text.isascii():
        text = text.lower()
    elif lowercase:
        # The whole chunk is lower-cased at once, because a sigma's form depends on where it stands;
        # that changes which character comes out, never how many.
        repeats = [len(character.lower()) for character in text]
        text, starts, ends = text.lower(), _repeat(starts, repeats), _repeat(ends, repeats)
        text, starts, ends = _decompose(text, starts, ends)
    return _split(text, starts, ends, lowercase)


def _repeat(values: list[int], repeats: list[int]) -> list[int]:
    return [value for value, count in zip(values, repeats, strict=True) for _ in range(count)]


def _decompose(text: str, starts: list[int], ends: list[int]) -> tuple[str, list[int], list[int]]:
    """Canonical decomposition (NFD) that carries the places along.

    **Source**: The Unicode Standard, 3.11: decompose every character, then sort every run of
    combining characters (combining class above 0) by class, stably.
    """
    parts = [unicodedata.normalize("NFD", character) for character in text]
    repeats = list(map(len, parts))
    starts, ends = _repeat(starts, repeats), _repeat(ends, repeats)
    characters = list("".join(parts))
    classes = list(map(unicodedata.combining, characters))
    first = 0
    while first < len(characters):
        last = first + 1
        if classes[first]:
            while last < len(characters) and classes[last]:
                last += 1
            order = sorted(range(first, last), key=classes.__getitem__)
            if order != list(range(first, last)):
                characters[first:last] = [characters[i] for i in order]
                starts[first:last] = [starts[first]] * (last - first)
                ends[first:last] = [ends[last - 1]] * (last - first)
        first = last
    return "".join(characters), starts, ends


def _split(text: str, starts: list[int], ends: list[int], strip_accents: bool) -> list[AlignedWord]:
    """Drops accents where asked and makes every punctuation character a word of its own."""
    splitting = SPLITTING[strip_accents]
    words: list[AlignedWord] = []
    inside_word = False
    for character, start, end in zip(text, starts, ends, strict=True):
        if splitting[ord(character)] is None:
            if words:
                words[-1].ends[-1] = end
            continue
        punctuation = is_punctuation(character)
        if punctuation or not inside_word:
            words.append(AlignedWord([], [], []))
        words[-1].characters.append(character)
        words[-1].starts.append(start)
        words[-1].ends.append(end)
        inside_word = not punctuation
    return words
