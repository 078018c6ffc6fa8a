"""The runtime type checker that jaxtyping's import hook decorates functions with."""

from collections.abc import Callable
from typing import Any

from beartype import beartype
from beartype.roar import BeartypeDecorHintPep673Exception


def check(function: Callable[..., Any]) -> Callable[..., Any]:
    """Beartype, except for methods that return `Self`, which it can't check one by one."""
    try:
        return beartype(function)
    except BeartypeDecorHintPep673Exception:
        return function
