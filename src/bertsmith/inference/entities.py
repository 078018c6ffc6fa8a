"""Tags of words ↔ entities, in the schemes in which data comes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from bertsmith.errors import DataError

__all__ = ["Entity", "TagScheme", "decode_tags", "encode_tags", "scheme_of"]

TagScheme = Literal["IOB1", "IOB2", "BIOES", "BMES", "plain"]

# Every scheme is read and written by way of BIOES; BMES calls the inside M.
_PREFIXES: dict[str, str] = {"IOB1": "BI", "IOB2": "BI", "BIOES": "BIES", "BMES": "BMES"}


@dataclass(frozen=True)
class Entity:
    """Words `first_word` up to and including `last_word`, of one kind."""

    label: str
    first_word: int
    last_word: int


def decode_tags(tags: Sequence[str], scheme: TagScheme) -> list[Entity]:
    """Reads the entities out of a sentence's tags.

    A model may write tags that don't fit together. As CoNLL's own scorer does, an entity begins
    at `B` and `S`, after `E` and `S`, after `O`, and where the label changes; so `O I-PER` begins
    one.

    **Source**: `conlleval` of the CoNLL shared tasks, `startOfChunk` and `endOfChunk`.

    Args:
        tags: one tag a word: `O`, or a prefix of the scheme, a hyphen and the label.
        scheme: `IOB1`, `IOB2`, `BIOES` or `BMES`; `plain` where tags are labels by themselves and
            every word stands alone (parts of speech), `O` excepted.

    Returns:
        The entities from left to right.

    Raises:
        DataError: a tag doesn't belong to the scheme.

    Example:
        >>> decode_tags(["B-PER", "I-PER", "O"], "IOB2")
        [Entity(label='PER', first_word=0, last_word=1)]
        >>> decode_tags(["S-PER", "B-LOC", "E-LOC"], "BIOES")[1]
        Entity(label='LOC', first_word=1, last_word=2)
    """
    if scheme == "plain":
        return [Entity(tag, word, word) for word, tag in enumerate(tags) if tag != "O"]
    parts = [_split(tag, scheme) for tag in tags]
    entities: list[Entity] = []
    before = ("O", "")
    for word, (prefix, label) in enumerate(parts):
        if prefix != "O":
            begins = prefix in "BS" or before[0] in "OES" or before[1] != label
            first = word if begins else entities.pop().first_word
            entities.append(Entity(label, first, word))
        before = (prefix, label)
    return entities


def encode_tags(entities: Iterable[Entity], num_words: int, scheme: TagScheme) -> list[str]:
    """Writes entities that don't overlap as one tag a word; the inverse of `decode_tags`.

    Args:
        entities: the entities of one sentence.
        num_words: how many words the sentence has.
        scheme: as for `decode_tags`.

    Returns:
        The tags, [num_words].

    Raises:
        DataError: entities overlap, or one leaves the sentence.

    Example:
        >>> encode_tags([Entity("PER", 0, 1), Entity("PER", 2, 2)], 4, "IOB1")
        ['I-PER', 'I-PER', 'B-PER', 'O']
    """
    tags = ["O"] * num_words
    ordered = sorted(entities, key=lambda entity: entity.first_word)
    starts = [*(entity.first_word for entity in ordered), num_words]
    stops = [0, *(entity.last_word + 1 for entity in ordered)]
    if any(start < stop for start, stop in zip(starts, stops, strict=True)):
        raise DataError(f"entities overlap or leave their sentence of {num_words} words")
    before: Entity | None = None
    for entity in ordered:
        touches = before is not None and before.last_word + 1 == entity.first_word
        follows = touches and before is not None and before.label == entity.label
        for word in range(entity.first_word, entity.last_word + 1):
            tags[word] = _tag(entity, word, scheme, follows=follows)
        before = entity
    return tags


def scheme_of(labels: Iterable[str]) -> TagScheme:
    """Tells the scheme from a label set: by its prefixes, and `plain` where a label has none.

    IOB1 and IOB2 cannot be told apart by their label sets; both decode in the same way.

    Example:
        >>> scheme_of(["O", "B-PER", "I-PER"]), scheme_of(["NOUN", "VERB"])
        ('IOB2', 'plain')
    """
    prefixes = set()
    for label in labels:
        prefix, hyphen, name = label.partition("-")
        if label != "O":
            prefixes.add(prefix if hyphen and name else "")
    schemes: tuple[TagScheme, ...] = ("IOB2", "BIOES", "BMES")
    return next((s for s in schemes if prefixes and prefixes <= set(_PREFIXES[s])), "plain")


def _split(tag: str, scheme: TagScheme) -> tuple[str, str]:
    """Prefix, with BMES's M as I, and label of a tag."""
    if tag == "O":
        return "O", ""
    prefix, hyphen, label = tag.partition("-")
    if not (hyphen and label and len(prefix) == 1 and prefix in _PREFIXES[scheme]):
        known = ", ".join(f"{letter}-…" for letter in _PREFIXES[scheme])
        raise DataError(f"is no tag of {scheme}", where=repr(tag), fix=f"use O, {known}")
    return ("I" if prefix == "M" else prefix), label


def _tag(entity: Entity, word: int, scheme: TagScheme, *, follows: bool) -> str:
    """One word's tag; `follows`: an entity of the same label ends right before this one."""
    if scheme == "plain":
        return entity.label
    is_first, is_last = word == entity.first_word, word == entity.last_word
    if scheme in ("BIOES", "BMES"):
        inside = "I" if scheme == "BIOES" else "M"
        prefix = ("S" if is_last else "B") if is_first else ("E" if is_last else inside)
    else:
        prefix = "B" if is_first and (scheme == "IOB2" or follows) else "I"
    return f"{prefix}-{entity.label}"
