"""What a pre-training run tells before it begins, because it may not be meant so."""

import shlex
from collections.abc import Callable

from bertsmith.store import TokenStore, describe
from bertsmith.training.phases import Phase, empty_phases

__all__ = ["tell_empty_phases", "tell_unknown"]

# As for `prepare`.
_MANY_UNKNOWN = 0.02


def tell_unknown(store: TokenStore, warn: Callable[[str], None]) -> None:
    """Tells that the vocabulary doesn't fit the store's text."""
    unknown = describe(store.manifest).unknown_rate
    if unknown >= _MANY_UNKNOWN:
        looks = shlex.join(["bertsmith", "doctor", "store", str(store.folder)])
        warn(
            f"{unknown:.1%} of the store's tokens are [UNK]: the vocabulary doesn't fit its text, "
            "and to be right about [UNK] says nothing; learn one with `bertsmith vocab`, or see "
            f"`{looks}`"
        )


def tell_empty_phases(
    phases: tuple[Phase, ...], num_steps: int, warn: Callable[[str], None]
) -> None:
    """Tells which phases get no update in a run of so many."""
    if numbers := empty_phases(phases, num_steps):
        which = ", ".join(f"phases.{number}" for number in numbers)
        warn(
            f"no update is left for {which} in a run of {num_steps}: its share comes to less than "
            "one; give a larger training.num_steps or share"
        )
