"""Phases of a pre-training run: short sequences first, long ones at the end."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import Field

from bertsmith._settings import Settings
from bertsmith.examples import ExampleSettings

__all__ = ["Phase", "PhaseSettings", "empty_phases", "phase_at", "resolve_phases"]

# 0.1 + 0.2 is a little over 3 / 10.
_ROUNDING = 1e-9


class PhaseSettings(Settings):
    """One stretch of a run, and what differs in it.

    **Source**: the paper, appendix A.2: 90 % of the updates at length 128, then 10 % at 512 "to
    learn the positional embeddings".
    """

    share: float = Field(
        gt=0,
        le=1,
        description="share of the run: of its steps, or of its time if it has a budget; the "
        "shares of all phases add up to 1",
    )
    max_seq_length: int | None = Field(
        None, ge=5, le=65_535, description="longest example in this phase, in tokens"
    )
    max_predictions_per_seq: int | None = Field(
        None,
        ge=1,
        description="most predictions in an example; where a phase has a max_seq_length of its "
        "own, by default masked_lm_prob × that",
    )
    global_batch_size: int | None = Field(
        None, ge=1, description="sequences per optimizer update in this phase"
    )
    micro_batch_size: int | None = Field(
        None, ge=1, description="sequences per forward pass in this phase"
    )


@dataclass(frozen=True)
class Phase:
    """A phase with nothing left open.

    Attributes:
        start: share of the run that is done when the phase begins, in [0, 1).
        examples: how its examples are made.
        global_batch_size: sequences per optimizer update.
        micro_batch_size: sequences per forward pass.
    """

    start: float
    examples: ExampleSettings
    global_batch_size: int
    micro_batch_size: int


def resolve_phases(
    phases: Sequence[PhaseSettings],
    examples: ExampleSettings,
    *,
    global_batch_size: int,
    micro_batch_size: int,
) -> tuple[Phase, ...]:
    """Fills up what the phases leave open; no phases are one phase.

    Example:
        >>> short, long = PhaseSettings(share=0.9), PhaseSettings(share=0.1, max_seq_length=512)
        >>> sizes = {"global_batch_size": 256, "micro_batch_size": 32}
        >>> for phase in resolve_phases([short, long], ExampleSettings(), **sizes):
        ...     print(phase.start, phase.examples.max_seq_length, phase.examples.max_predictions)
        0.0 128 20
        0.9 512 77
    """
    resolved, start = [], 0.0
    for phase in phases or [PhaseSettings(share=1.0)]:
        changes = phase.model_dump(include={"max_seq_length", "max_predictions_per_seq"})
        if phase.max_seq_length is None:
            changes = {name: value for name, value in changes.items() if value is not None}
        resolved.append(
            Phase(
                start,
                ExampleSettings.model_validate({**examples.model_dump(), **changes}),
                phase.global_batch_size or global_batch_size,
                phase.micro_batch_size or micro_batch_size,
            )
        )
        start += phase.share
    return tuple(resolved)


def phase_at(phases: Sequence[Phase], fraction: float) -> int:
    """The number of the phase that an update belongs to.

    Args:
        phases: all of them, in order.
        fraction: share of the run that is done before the update, in [0, 1].

    Example:
        >>> sizes = {"global_batch_size": 1, "micro_batch_size": 1}
        >>> shares = [PhaseSettings(share=share) for share in (0.1, 0.2, 0.7)]
        >>> phases = resolve_phases(shares, ExampleSettings(), **sizes)
        >>> [phase_at(phases, step / 10) for step in range(6)]
        [0, 1, 1, 2, 2, 2]
    """
    return sum(phase.start <= fraction + _ROUNDING for phase in phases) - 1


def empty_phases(phases: Sequence[Phase], num_steps: int) -> list[int]:
    """The numbers of the phases to which no update of so short a run belongs.

    Example:
        >>> sizes = {"global_batch_size": 1, "micro_batch_size": 1}
        >>> shares = [PhaseSettings(share=share) for share in (0.9, 0.1)]
        >>> phases = resolve_phases(shares, ExampleSettings(), **sizes)
        >>> empty_phases(phases, num_steps=5), empty_phases(phases, num_steps=10)
        ([1], [])
    """
    ends = [*(phase.start for phase in phases[1:]), 1.0]
    return [
        number
        for number, (phase, end) in enumerate(zip(phases, ends, strict=True))
        if _first_update(phase.start, num_steps) >= _first_update(end, num_steps)
    ]


def _first_update(start: float, num_steps: int) -> int:
    """The first update that isn't before a share of the run."""
    return math.ceil((start - _ROUNDING) * num_steps)
