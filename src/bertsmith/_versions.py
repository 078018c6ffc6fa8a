"""The versions of what the bytes of a store depend on."""

import importlib.metadata
import unicodedata

__all__ = ["versions"]

_LIBRARIES = ("bertsmith", "sentencex", "jieba", "py3langid", "rensa")


def versions() -> dict[str, str]:
    """Name → version of Unicode's tables and of libraries; those not installed are left out.

    Example:
        >>> sorted(versions())[:2]
        ['Unicode', 'bertsmith']
    """
    found = {"Unicode": unicodedata.unidata_version}
    for name in _LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
