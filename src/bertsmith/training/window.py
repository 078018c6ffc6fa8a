"""What happened since the last log line."""

import time
from dataclasses import dataclass, field

import torch
from torch import Tensor

from bertsmith.objectives import Measure

__all__ = ["Window"]


@dataclass
class Window:
    """Sums since the last log line; they stay on the device until somebody asks for the means.

    Attributes:
        sums: totals by score, such as "mlm_loss", one tensor a micro-batch.
        counts: number of items by objective name, such as "mlm".
        num_tokens: real tokens that the model saw.
        started: when the window was opened, by the monotonic clock.
    """

    sums: dict[str, list[Tensor]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    num_tokens: int = 0
    started: float = field(default_factory=time.monotonic)

    def add(self, measures: dict[str, Measure], num_tokens: int) -> None:
        """Adds what came of a micro-batch."""
        self.num_tokens += num_tokens
        for name, measure in measures.items():
            self.counts[name] = self.counts.get(name, 0) + measure.loss.count
            self.sums.setdefault(f"{name}_loss", []).append(measure.loss.total.detach())
            if measure.num_correct is not None:
                self.sums.setdefault(f"{name}_accuracy", []).append(measure.num_correct)

    def means(self) -> dict[str, float]:
        """Mean losses and accuracies per item."""
        return {
            key: float(torch.stack([value.double() for value in values]).sum())
            / max(self.counts[key.rsplit("_", 1)[0]], 1)
            for key, values in self.sums.items()
        }

    def tokens_per_second(self) -> float:
        """Real tokens a second since the window was opened."""
        return self.num_tokens / max(time.monotonic() - self.started, 1e-9)
