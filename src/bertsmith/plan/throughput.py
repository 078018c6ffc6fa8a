"""The table of devices that comes with the package."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import yaml

from bertsmith.errors import RecipeError
from bertsmith.model import BertConfig
from bertsmith.training.flops import ModelFlops

__all__ = ["Device", "device_names", "find_device"]

_MASKED = 0.15


@dataclass(frozen=True)
class Device:
    """How fast a device trains.

    Attributes:
        name: what it is, for people.
        memory_gb: its memory, in 10⁹ bytes.
        matmul_rate: FLOPs a second of matrix products, in the precision of training.
        mfu: the share of it that training reaches, by size.
        measured: which of the numbers were measured ("matmul_tflops", or a size), and where.
        note: what to know about the rest.
        is_gpu: whether it is one, which takes larger batches.
    """

    name: str
    memory_gb: float
    matmul_rate: float
    mfu: Mapping[str, float]
    measured: Mapping[str, str]
    note: str
    is_gpu: bool = True

    def tokens_per_second(
        self, size: str, config: BertConfig, max_seq_length: int, mean_length: float
    ) -> float:
        """Real tokens a second of training.

        Args:
            size: one of Google's sizes.
            config: its shape.
            max_seq_length: longest sequence; decides the predictions.
            mean_length: real tokens in a sequence.
        """
        flops = ModelFlops.of_config(config)
        length = round(mean_length)
        a_token = flops.training(1, length, round(_MASKED * length)) / length
        return self.mfu[size] * self.matmul_rate / a_token

    def is_estimated(self, size: str) -> bool:
        """Whether the speed of a size rests on an estimate."""
        return not {"matmul_tflops", size} <= self.measured.keys()


def device_names() -> list[str]:
    """The devices of the table.

    Example:
        >>> device_names()
        ['h200', 'h100', 'a100', 'rtx4090', 'l4', 'cpu']
    """
    return list(_table())


def find_device(name: str) -> Device:
    """A device of the table.

    Raises:
        RecipeError: it isn't there.

    Example:
        >>> find_device("h100").memory_gb
        80
    """
    row = _table().get(name.lower())
    if row is None:
        raise RecipeError(
            "is no device of the table",
            where=f"--gpu {name}",
            fix=f"give one of {', '.join(_table())}, or --measure on the machine itself",
        )
    return Device(
        row["name"],
        row["memory_gb"],
        row["matmul_tflops"] * 1e12,
        row["mfu"],
        row["measured"],
        row["note"],
        row.get("is_gpu", True),
    )


@cache
def _table() -> dict[str, dict[str, Any]]:
    text = (resources.files("bertsmith.plan") / "throughput.yaml").read_text(encoding="utf-8")
    devices: dict[str, dict[str, Any]] = yaml.safe_load(text)["devices"]
    return devices
