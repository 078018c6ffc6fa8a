"""Texts → encodings, with every text's trouble told by its number."""

from collections.abc import Sequence

from bertsmith.errors import InputError
from bertsmith.wordpiece import Encoding, Tokenizer

__all__ = ["ItemError", "as_list", "check_text", "encode_texts", "same_length"]


class ItemError(InputError):
    """An `InputError` about one of several inputs.

    Args:
        what: what is wrong.
        item: the input's index.
        num_items: how many inputs there are; a single one isn't numbered.
        name: what the input is called.
        fix: what to do about it.

    Example:
        >>> print(ItemError("is empty", item=1, num_items=3))
        text 2 of 3: is empty
    """

    def __init__(
        self, what: str, *, item: int, num_items: int, name: str = "text", fix: str | None = None
    ) -> None:
        where = name if num_items == 1 else f"{name} {item + 1} of {num_items}"
        super().__init__(what, where=where, fix=fix)
        self.item, self.name, self.fix = item, name, fix

    def at(self, where: str) -> InputError:
        """The same trouble, told by file and line."""
        return InputError(f"{self.name} {self.what}", where=where, fix=self.fix)


def as_list(texts: str | Sequence[str]) -> list[str]:
    """One text as a list of one."""
    return [texts] if isinstance(texts, str) else list(texts)


def same_length(name: str, texts: Sequence[str], other: str, others: Sequence[str]) -> None:
    """Raises `InputError` unless there are as many of one as of the other."""
    if len(texts) != len(others):
        what = f"{len(texts)} for {len(others)} of {other}"
        raise InputError(what, where=name, fix="give one of each")


def check_text(texts: Sequence[object], name: str = "text") -> None:
    """Raises `ItemError` at the first that is no string, or blank."""
    for item, text in enumerate(texts):
        if not isinstance(text, str):
            what, fix = f"is {type(text).__name__}, no string", "give text"
            raise ItemError(what, item=item, num_items=len(texts), name=name, fix=fix)
        if not text.strip():
            raise ItemError("is empty", item=item, num_items=len(texts), name=name, fix="give text")


def encode_texts(
    texts: Sequence[str],
    pairs: Sequence[str] | None,
    tokenizer: Tokenizer,
    *,
    max_length: int,
    truncate: bool = False,
    special_tokens: bool = False,
) -> list[Encoding]:
    """Encodes texts or pairs of texts for a model with a longest sequence.

    Args:
        texts: the texts.
        pairs: the second text of each, or None.
        tokenizer: the model's.
        max_length: longest sequence, in tokens, special ones counted.
        truncate: whether to cut what is longer, instead of refusing it.
        special_tokens: whether `[MASK]` and its like in a text are tokens by themselves.

    Returns:
        One encoding for each text.

    Raises:
        InputError: a text is blank, holds no token or is too long; it is told by its number.
    """
    check_text(texts)
    if pairs is not None:
        same_length("text_pair", pairs, "text", texts)
        check_text(pairs, "text_pair")
    encodings = []
    for item, text in enumerate(texts):
        pair = None if pairs is None else pairs[item]
        encoding = tokenizer.encode(text, pair, special_tokens=special_tokens)
        if len(encoding) > max_length:
            if not truncate:
                what = f"has {len(encoding)} tokens, and the model takes {max_length}"
                fix = "shorten it, or set truncate"
                raise ItemError(what, item=item, num_items=len(texts), fix=fix)
            encoding = tokenizer.encode(
                text, pair, max_length=max_length, special_tokens=special_tokens
            )
        for side, name in enumerate(("text", "text_pair")[: 1 if pair is None else 2]):
            if side not in encoding.sequence_index:
                what, fix = "holds no token (control characters only)", "give text"
                raise ItemError(what, item=item, num_items=len(texts), name=name, fix=fix)
        encodings.append(encoding)
    return encodings
