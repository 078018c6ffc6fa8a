"""Where one of several processes fails, all end, and one says why."""

import re
import signal
import time
from contextlib import suppress

from torch.distributed import DistError
from torch.distributed.distributed_c10d import Store

from bertsmith._process import let_speak
from bertsmith.errors import BertsmithError, WorkerError
from bertsmith.training.network import is_here

__all__ = ["judged"]

# Where all ranks fail alike, the first has the word; the others wait this long for it to take it.
_GRACE_SECONDS = 0.5
_NO_ANSWER = "connection|broken pipe|timed out|timeout"
_LOST = re.compile(f"gloo|NCCL|{_NO_ANSWER}", re.IGNORECASE)
# Of those, what is said where another is gone; a library that fails by itself says other things.
_GONE = re.compile(f"{_NO_ANSWER}|closed|reset|recv|remote|abort", re.IGNORECASE)
# A machine without power or network closes no connection.
_SILENT = re.compile("timed out|timeout|no route|unreachable", re.IGNORECASE)
_ADDRESS = re.compile(r"\[([\d.]+|[\da-f:]+:[\da-f:]+)\]:\d", re.IGNORECASE)

# An error of all ranks that already tells which of them is to blame.
_RANK = re.compile(r"rank \d+\b")


def judged(error: Exception, rank: int, store: Store) -> Exception:
    """Decides which process speaks, and returns what this one shall raise.

    Args:
        error: what happened here.
        rank: of this process.
        store: where the processes tell each other that one has spoken.

    Returns:
        The error itself, with the rank in it unless it names one; or a `WorkerError` where
        it means that another process is gone.
    """
    # The launcher ends those that are left as soon as it sees one fail: this one ends by itself.
    with suppress(ValueError):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if rank > 0:
        time.sleep(_GRACE_SECONDS)
    let_speak(_is_first_to_fail(store))
    if _is_lost(error):
        is_gone = _GONE.search(str(error)) is not None
        other = f"another process of this run{_place(str(error))}"
        if _SILENT.search(str(error)):
            what = f"{other} no longer answers, its machine or network may have failed"
        elif is_gone:
            what = f"{other} has ended"
        else:
            # Of NCCL's lines the last says what failed; the first is where in its source.
            last = str(error).strip().splitlines()[-1:]
            what = f"the processes of this run can't reach each other ({''.join(last)})"
        return WorkerError(
            what,
            where=f"rank {rank}",
            fix=f"{'' if is_gone else 'mend that, and '}the same command goes on from the last "
            "checkpoint, if there is one",
        )
    if rank > 0 and isinstance(error, BertsmithError) and not _RANK.match(str(error)):
        return type(error)(f"rank {rank}: {error}")
    return error


def _is_first_to_fail(store: Store) -> bool:
    try:
        return bool(store.add("count", 1) == 1)
    except RuntimeError:  # the store was in the process that is gone
        return True


def _place(said: str) -> str:
    """Which machine it is about, where it isn't this one."""
    found = _ADDRESS.search(said)
    if found is None or is_here(found[1]):
        return ""
    return f" at {found[1]}"


def _is_lost(error: Exception) -> bool:
    if isinstance(error, DistError):
        return True
    return isinstance(error, RuntimeError) and bool(_LOST.search(str(error)))
