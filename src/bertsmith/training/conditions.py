"""What a run's numbers depend on to the bit, beside its recipe: threads, processor, kernels."""

from collections.abc import Mapping, Sequence
from typing import Any

from bertsmith._words import counted

__all__ = ["changed_conditions"]

_KERNELS = {
    "yes": "with the C kernels",
    "no": "without the C kernels",
    "no products": "without the C kernels' products",
}


def changed_conditions(
    records: Sequence[Mapping[str, Any]], step: int, now: Mapping[str, Any], *, on_cpu: bool
) -> str | None:
    """Says what a run goes on with otherwise than it did before, in a line for the user.

    Args:
        records: the run's log; what it doesn't say, as of an older version, isn't compared.
        step: optimizer updates that are done.
        now: what the log will say about the start of this sitting.
        on_cpu: whether sums are divided over the processor's threads.

    Example:
        >>> start = {"kind": "start", "step": 0, "threads": 2, "cpu_kernels": "yes"}
        >>> now = {"threads": 1, "cpu_kernels": "no"}
        >>> changed_conditions([start], 80, now, on_cpu=True).partition(":")[0]
        'this run goes on with 1 thread, not 2, and without the C kernels'
        >>> changed_conditions([start], 80, start, on_cpu=True)
    """
    # A sitting that began where this one does has left nothing behind.
    starts = [r for r in records if r["kind"] == "start" and r["step"] < step]
    if not starts:
        return None
    was, told = starts[-1], list[str]()

    def changed(name: str) -> bool:
        return name in was and name in now and was[name] != now[name]

    if changed("processes"):
        processes = counted(now["processes"], "process")
        told.append(f"with {processes}, not {was['processes']}")
    if on_cpu and changed("threads"):
        told.append(f"with {counted(now['threads'], 'thread')}, not {was['threads']}")
    if changed("cpu_kernels"):
        told.append(_KERNELS[now["cpu_kernels"]])
    if changed("device") and _kind(was["device"]) != _kind(now["device"]):
        told.append(f"on {_kind(now['device'])}, not {_kind(was['device'])}")
    if changed("torch_version"):
        told.append(f"with PyTorch {now['torch_version']}, not {was['torch_version']}")
    if not told:
        return None
    return (
        f"this run goes on {', and '.join(told)}: its numbers won't be those of a run without a "
        "stop to the bit"
    )


def _kind(device: str) -> str:
    """A processor without its number of cores: threads are what counts."""
    name, _, cores = device.rpartition(", ")
    return name if cores.endswith(" cores") else device
