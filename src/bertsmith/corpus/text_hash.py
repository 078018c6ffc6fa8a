"""A 64-bit hash of a text that doesn't depend on machine, run or white space."""

from hashlib import blake2b

__all__ = ["hash_bytes", "hash_text", "squeezed"]

_BLOCK_CHARS = 2**18


def hash_text(text: str) -> int:
    r"""Hashes a text: BLAKE2b with a digest of 8 bytes, read as a little-endian number.

    The UTF-8 of the text is hashed without its white space, so that other line breaks or
    indentation make no other text. Among n texts two different ones share a hash with a
    probability of about n² / 2⁶⁵: 3 in a million for 10 million texts.

    **Source**: RFC 7693.

    Returns:
        A number in [0, 2⁶⁴).

    Example:
        >>> hash_text("It rains.\n") == hash_text(" It  rains."), hash_text("") == hash_text("a")
        (True, False)
    """
    if len(text) <= _BLOCK_CHARS:
        return hash_bytes(squeezed(text))
    # A long text is taken in blocks: `str.split` makes an object of every word.
    hashed = blake2b(digest_size=8)
    for start in range(0, len(text), _BLOCK_CHARS):
        hashed.update(squeezed(text[start : start + _BLOCK_CHARS]))
    return int.from_bytes(hashed.digest(), "little")


def hash_bytes(data: bytes) -> int:
    """Hashes what `squeezed` returns for a whole text."""
    return int.from_bytes(blake2b(data, digest_size=8).digest(), "little")


def squeezed(text: str) -> bytes:
    """The UTF-8 of a text without its white space; lone surrogates are let pass."""
    return "".join(text.split()).encode("utf-8", "surrogatepass")
