"""A machine that waits, or does far less than it could."""

import shlex
from collections.abc import Iterator

from bertsmith.doctor.finding import Finding, Limits, percent
from bertsmith.doctor.run_measures import RunMeasures

__all__ = ["check"]

WAITING_LIMITS = Limits(warning=0.02, problem=0.2)
# By hidden size: small models reach less by nature, since a product of 128 columns keeps no unit
# busy.
UTILISATION_LIMITS = (
    (768, Limits(info=0.35, warning=0.2, problem=0.08, below=True)),
    (256, Limits(info=0.3, warning=0.12, problem=0.03, below=True)),
    (0, Limits(info=0.05, warning=0.01, below=True)),
)

# Parameters of a model whose products are large.
_LARGE = 30_000_000


def check(measures: RunMeasures) -> Iterator[Finding]:
    """Finds what makes a run slow."""
    yield from _waiting(measures)
    yield from _utilisation(measures)


def _waiting(measures: RunMeasures) -> Iterator[Finding]:
    share = measures.run.median("waiting_share")
    if share is None:
        return
    store = shlex.quote(measures.store)
    if (crossed := WAITING_LIMITS.crossed(share)) is not None:
        yield Finding(
            "waiting_for_data",
            crossed[0],
            f"{percent(share)} of the time passes in waiting for the next batch",
            share,
            crossed[1],
            effect="Batches are made by a thread beside the training. If that is too slow the "
            "device stands still, and every hour that is paid for is worth so much less.",
            remedy=("Put the store on a local disk, leave" if measures.is_pretraining else "Leave")
            + " the process a core to itself, and look whether something else keeps the machine "
            "busy.",
            command=f"bertsmith store info {store}" if measures.is_pretraining else "",
        )


def _utilisation(measures: RunMeasures) -> Iterator[Finding]:
    share = measures.run.median("mfu")
    if share is None:
        return
    hidden = measures.hidden_size if measures.is_pretraining else _hidden_size_of_tuning(measures)
    limits = next(limits for least, limits in UTILISATION_LIMITS if hidden >= least)
    if (crossed := limits.crossed(share)) is not None:
        names = _batch_sizes(measures)
        doubled = [
            f"training.{name}={2 * int(measures.run.setting(f'training.{name}', 32))}"
            for name in names
        ]
        phases = measures.run.setting("phases") or [{}]
        longest = max(phases, key=lambda phase: phase.get("share", 0.0))
        is_set_by_phase = any(longest.get(name) for name in {*names, "micro_batch_size"})
        yield Finding(
            "low_utilisation",
            crossed[0],
            f"the run reaches {percent(share)} of the rate at which this machine multiplies "
            f"matrices in {measures.fact('precision') or 'its precision'}",
            share,
            crossed[1],
            effect="The rest goes into what is no matrix product (memory traffic, small kernels, "
            "the optimizer) or into nothing. Small models and small batches reach little by "
            "nature; base at length 128 reached 43 % on an H100.",
            remedy="Take larger micro-batches if memory allows, and see that nothing else runs on "
            "the machine.",
            command="" if is_set_by_phase else measures.again(*doubled),
        )


def _hidden_size_of_tuning(measures: RunMeasures) -> int:
    """Whose limits fine-tuning is held to: texts of many lengths keep less of a device busy."""
    return 256 if (measures.fact("num_parameters") or _LARGE) >= _LARGE else 0


def _batch_sizes(measures: RunMeasures) -> list[str]:
    """What makes micro-batches larger: also the global batch, where a rank has only one of it."""
    whole, micro = (
        measures.run.setting(f"training.{name}_batch_size", 32) for name in ("global", "micro")
    )
    share = whole // (measures.fact("processes") or 1)
    return ["micro_batch_size"] if micro < share else ["global_batch_size", "micro_batch_size"]
