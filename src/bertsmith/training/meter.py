"""What a run does with the machine: its share of the limit, waiting for data, memory."""

import os
import platform
import resource
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import torch
from torch import nn

from bertsmith import __version__
from bertsmith.model import BertConfig
from bertsmith.model.cpu_kernels import has_cpu_kernels, wants_products
from bertsmith.model.packing import PackedSequences
from bertsmith.objectives import Objective
from bertsmith.training.flops import ModelFlops, matmul_rate

__all__ = ["Meter", "peak_memory_bytes", "shown_machine"]

# The objectives whose items are positions at which the MLM head runs.
_PREDICTING = ("mlm", "ltr")
_MUCH_WAITING = 0.02
# The limit is measured again after so many seconds of training, then after twice as many, and so
# on: it takes under half a second each time.
_MEASURED_AGAIN_AFTER = 30.0
# Further ones, where a share of the limit is over 1.
_MAX_MEASUREMENTS = 5


class Meter:
    """Counts the arithmetic that steps need and the time spent waiting for their batches.

    Args:
        model: what is trained; its `config` gives the shape.
        objective: tells how many positions are predicted.
        device: where it is trained.
        precision: "fp32", "bf16" or "fp16".
    """

    def __init__(
        self, model: nn.Module, objective: Objective, device: torch.device, precision: str
    ) -> None:
        self.model, self.objective = model, objective
        self.device, self.precision = device, precision
        self.flops = ModelFlops.of_model(model, _config_of(model))
        self._num_flops, self._waited = 0, 0.0
        self._measurements_left = _MAX_MEASUREMENTS
        self._seconds, self._measured_again_at = 0.0, _MEASURED_AGAIN_AFTER

    def timed(
        self, batches: Iterable[Sequence[PackedSequences]]
    ) -> Iterator[Sequence[PackedSequences]]:
        """Yields the same micro-batches; the time that getting them takes counts as waiting.

        On a GPU, which works on while the next batch is awaited, that is an upper bound.
        """
        iterator = iter(batches)
        while True:
            started = time.monotonic()
            try:
                micro_batches = next(iterator)
            except StopIteration:
                return
            self._waited += time.monotonic() - started
            yield micro_batches

    def count(self, micro_batches: Sequence[PackedSequences]) -> None:
        """Adds the arithmetic of a step."""
        for batch in micro_batches:
            counts = self.objective.counts(batch)
            predictions = sum(counts.get(name, 0) for name in _PREDICTING)
            self._num_flops += self.flops.of_batch(batch, predictions)

    def take(self, seconds: float, *, is_logged: bool = True) -> dict[str, float]:
        """What was measured since the last call, for the log; counting starts anew.

        Args:
            seconds: how long that was, evaluation and saving left out.
            is_logged: whether the values come into the log, as a new rate must.

        Returns:
            `mfu`: the share of the device's rate of matrix products; `waiting_share`: the share of
            the time spent waiting for data; `peak_memory_bytes`. A CPU's rate is measured again now
            and then, and where the share was over 1, since a core that slept, or that others used,
            was slow before: where it is higher, also `matmul_flops_per_second`, the rate from now
            on.
        """
        seconds = max(seconds, 1e-9)
        self._seconds += seconds
        done, known = self._num_flops / seconds, matmul_rate(self.device, self.precision)
        may_measure = is_logged and self.device.type == "cpu"
        again = may_measure and self._is_to_be_measured(done > known)
        rate = matmul_rate(self.device, self.precision, again=again)
        measured = {"matmul_flops_per_second": round(rate)} if rate > known else {}
        values = {
            "mfu": round(done / rate, 4),
            "waiting_share": round(min(self._waited / seconds, 1.0), 4),
            "peak_memory_bytes": peak_memory_bytes(self.device),
            **measured,
        }
        self._num_flops, self._waited = 0, 0.0
        return values

    def _is_to_be_measured(self, is_exceeded: bool) -> bool:
        """Whether the device's rate may well be higher than it was found to be."""
        is_due = self._seconds >= self._measured_again_at
        if is_due:
            self._measured_again_at = 2 * self._seconds
        elif is_exceeded and self._measurements_left:
            self._measurements_left -= 1
        else:
            return False
        return True

    def facts(self) -> dict[str, float | int | str]:
        """Machine, versions and model, for the log's record of a start."""
        rate = matmul_rate(self.device, self.precision)
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
        kernels = {}
        if self.device.type == "cpu":
            kernels["cpu_kernels"] = _kernels()
        return {
            "device": device_name(self.device),
            "threads": torch.get_num_threads(),
            "precision": self.precision,
            **kernels,
            "matmul_flops_per_second": round(rate),
            "num_parameters": sum(parameter.numel() for parameter in self.model.parameters()),
            "bertsmith_version": __version__,
            "torch_version": torch.__version__,
            "python_version": platform.python_version(),
            "system": f"{platform.system()} {platform.machine()}",
        }


def shown_machine(values: Mapping[str, float]) -> dict[str, str]:
    """What the progress bar shows of what `Meter.take` returned.

    Example:
        >>> shown_machine({"mfu": 0.452, "waiting_share": 0.031, "peak_memory_bytes": 2.5e9})
        {'of peak': '45%', 'memory': '2.5 GB', 'waiting for data': '3%'}
    """
    shown = {
        "of peak": f"{values['mfu']:.0%}",
        "memory": f"{values['peak_memory_bytes'] / 1e9:.1f} GB",
    }
    # What costs nothing needs no room.
    if values["waiting_share"] >= _MUCH_WAITING:
        shown["waiting for data"] = f"{values['waiting_share']:.0%}"
    return shown


def _config_of(model: nn.Module) -> BertConfig:
    """The shape of a model; whatever wraps it for parallel training keeps it inside."""
    for module in model.modules():
        config = getattr(module, "config", None)
        if isinstance(config, BertConfig):
            return config
    raise TypeError(f"{type(model).__name__} has no BertConfig")


def _kernels() -> str:
    if not has_cpu_kernels():
        return "no"
    return "yes" if wants_products() else "no products"


def peak_memory_bytes(device: torch.device) -> int:
    """The most memory so far: allocated on a GPU, else resident in this process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    # Linux counts in KiB, macOS in bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def device_name(device: torch.device) -> str:
    """The name of a GPU, or of the processor with its number of cores."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{processor_name()}, {os.cpu_count()} cores"


def processor_name() -> str:
    """What the system calls its processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return (names or [platform.processor() or platform.machine()])[0]
