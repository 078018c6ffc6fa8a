"""The vocabulary: an ordered set of pieces, as a `vocab.txt`."""

import hashlib
import re
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path

from bertsmith._files import atomic_file
from bertsmith.errors import VocabularyError

__all__ = ["CONTINUATION", "SPECIAL_TOKENS", "Vocabulary"]

CONTINUATION = "##"
"""What a piece begins with that continues a word."""

SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
"""The tokens that every vocabulary has, by these names."""

_UNUSED = re.compile(r"\[unused\d+\]")
_ASCII_WHITE_SPACE = " \t\n\r\x0b\x0c"


class Vocabulary:
    """The pieces of a tokenizer; a piece's id is its position.

    Args:
        tokens: the pieces in the order of their ids: no duplicates, no white space, all five
            special tokens among them. A piece that continues a word begins with `##`.
        where: the file that they come from, named in errors.

    Raises:
        VocabularyError: a duplicate, a blank piece, white space, or a special token missing.

    Example:
        >>> vocabulary = Vocabulary([*SPECIAL_TOKENS, "play", "##ing"])
        >>> len(vocabulary), vocabulary.ids["##ing"], vocabulary.mask_id
        (7, 6, 4)
    """

    def __init__(self, tokens: Iterable[str], *, where: str | Path | None = None) -> None:
        self.tokens: tuple[str, ...] = tuple(tokens)
        self.ids = {token: token_id for token_id, token in enumerate(self.tokens)}
        if len(self.ids) < len(self.tokens) or not _are_plain(self.tokens):
            _check_each(self.tokens, where)
        for token in SPECIAL_TOKENS:
            if token not in self.ids:
                what = f"the vocabulary has no {token}"
                fix = f"it needs {' '.join(SPECIAL_TOKENS)}, each on a line of its own"
                raise VocabularyError(what, where=where, fix=fix)

    @classmethod
    def load(cls, path: str | Path) -> "Vocabulary":
        r"""Reads a `vocab.txt`: UTF-8, one piece a line, lines ended by `\n` or `\r\n`.

        White space around a piece is dropped, as in google-research/bert's `load_vocab`. Its
        Chinese vocabulary lists U+2028, a line separator, as a piece of its own; such a piece is
        kept, so that the ids after it hold, though no text can ever give it.

        **Differs**: google-research/bert takes a later duplicate's id without a word; here a
        duplicate is an error. Blank lines at the end are not counted.

        Raises:
            VocabularyError: the file is missing, empty, not UTF-8, or not a vocabulary.
        """
        path = Path(path)
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            fix = "give the path of a vocab.txt, or learn one with `bertsmith vocab`"
            raise VocabularyError("there is no such file", where=path, fix=fix) from None
        except OSError as error:
            raise VocabularyError(f"cannot be read ({error.strerror})", where=path) from None
        try:
            text = content.decode().removeprefix("\ufeff")
        except UnicodeDecodeError as error:
            what = f"is not UTF-8: byte {error.start} is 0x{content[error.start]:02x}"
            raise VocabularyError(what, where=path, fix="save the file as UTF-8") from None
        lines = text.rstrip(_ASCII_WHITE_SPACE).split("\n")
        if lines == [""]:
            raise VocabularyError("the vocabulary is empty", where=path)
        return cls(lines if _are_plain(lines) else map(_strip, lines), where=path)

    def save(self, path: str | Path) -> None:
        """Writes a `vocab.txt`, whole or not at all; `load` gives the same vocabulary back."""
        with atomic_file(Path(path)) as temporary:
            temporary.write_bytes(self.to_bytes())

    def to_bytes(self) -> bytes:
        r"""The content of the `vocab.txt`: UTF-8, every line ended by `\n`."""
        return "".join(f"{token}\n" for token in self.tokens).encode()

    @cached_property
    def sha256(self) -> str:
        """The SHA-256 of `to_bytes()`, in hexadecimal: the vocabulary's identity."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    @property
    def pad_id(self) -> int:
        """The id of [PAD]."""
        return self.ids["[PAD]"]

    @property
    def unk_id(self) -> int:
        """The id of [UNK]."""
        return self.ids["[UNK]"]

    @property
    def cls_id(self) -> int:
        """The id of [CLS]."""
        return self.ids["[CLS]"]

    @property
    def sep_id(self) -> int:
        """The id of [SEP]."""
        return self.ids["[SEP]"]

    @property
    def mask_id(self) -> int:
        """The id of [MASK]."""
        return self.ids["[MASK]"]

    @property
    def unused_ids(self) -> list[int]:
        """The ids of `[unused0]`, `[unused1]`, …: free places, to be given a meaning."""
        return [i for i, token in enumerate(self.tokens) if _UNUSED.fullmatch(token)]

    def __len__(self) -> int:
        return len(self.tokens)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Vocabulary) and self.tokens == other.tokens

    def __hash__(self) -> int:
        return hash(self.tokens)

    def __repr__(self) -> str:
        return f"Vocabulary({len(self)} tokens, sha256 {self.sha256[:12]}…)"

    def __reduce__(self) -> tuple[type["Vocabulary"], tuple[tuple[str, ...]]]:
        return Vocabulary, (self.tokens,)


def _strip(line: str) -> str:
    """Strips as `str.strip`, unless that would leave nothing of a piece made of white space."""
    stripped = line.strip()
    return line.strip(_ASCII_WHITE_SPACE) if stripped in ("", CONTINUATION) else stripped


def _are_plain(tokens: Sequence[str]) -> bool:
    """Whether none is blank or has white space, and UTF-8 can hold all; quicker than one by one."""
    joined = "\n".join(tokens)
    try:
        joined.encode()
    except UnicodeEncodeError:
        return False
    return joined.split() == list(tokens)


def _check_each(tokens: Sequence[str], where: str | Path | None) -> None:
    """Names the first token that a vocabulary can't have, if there is one."""
    places: dict[str, int] = {}
    for token_id, token in enumerate(tokens):
        _check_token(token, f"{where}, line {token_id + 1}" if where else f"token {token_id}")
        first = places.setdefault(token, token_id)
        if first != token_id:
            what = f"the token {token!r} stands twice, on lines {first + 1} and {token_id + 1}"
            raise VocabularyError(what, where=where, fix="remove one of them")


def _check_token(token: str, line: str) -> None:
    if not token:
        raise VocabularyError("the line is blank", where=line, fix="remove it, or write a token")
    if token != token.strip(_ASCII_WHITE_SPACE) or len(token.split()) > 1:
        shown = token if len(token) <= 40 else f"{token[:40]}…"
        what = f"the token {shown!r} contains white space"
        raise VocabularyError(what, where=line, fix="write one token a line")
    try:
        token.encode()
    except UnicodeEncodeError:
        what = f"the token {token!r} contains half a surrogate pair"
        raise VocabularyError(what, where=line, fix="remove it") from None
