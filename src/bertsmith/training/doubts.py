"""What a pre-training run tells before it begins, because it may not be meant so."""

from collections.abc import Callable

from bertsmith.training.phases import Phase, empty_phases

__all__ = ["tell_empty_phases"]


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
