"""What happened since the last log line."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from bertsmith.objectives import Measure
from bertsmith.training.distributed import Ranks
from bertsmith.training.guard import Verdict

__all__ = ["Window", "shown_means"]


@dataclass
class Window:
    """Sums since the last log line; they stay on the device until somebody asks for the means.

    Attributes:
        first_step: the number of its first update, from 1.
        sums: totals by score, such as "mlm_loss", one tensor a micro-batch.
        counts: numbers of items by objective name, such as "mlm", one a micro-batch.
        made: whether the update that a micro-batch belongs to was made.
        verdicts: of each update.
        num_tokens: real tokens that the model saw.
        is_counted: whether what comes of the next update counts on this rank, and not on another
            that has all of it too.
        started: when the window was opened, by the monotonic clock.
    """

    first_step: int = 1
    sums: dict[str, list[Tensor]] = field(default_factory=dict)
    counts: dict[str, list[int]] = field(default_factory=dict)
    made: list[Tensor] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    num_tokens: int = 0  # the loop counts them
    is_counted: bool = True
    started: float = field(default_factory=time.monotonic)

    def add(self, measures: Sequence[dict[str, Measure]], verdict: Verdict) -> None:
        """Adds what came of the next update.

        Args:
            measures: of each micro-batch.
            verdict: whether it was made.
        """
        self.verdicts.append(verdict)
        is_made = verdict.is_made
        for measured in measures:
            self.made.append(is_made)
            for name, measure in measured.items():
                self.counts.setdefault(name, []).append(measure.loss.count * self.is_counted)
                self._add_sum(f"{name}_loss", measure.loss.total.detach())
                if measure.num_correct is not None:
                    self._add_sum(f"{name}_accuracy", measure.num_correct)

    def _add_sum(self, key: str, value: Tensor) -> None:
        """Of what doesn't count not even a NaN does."""
        self.sums.setdefault(key, []).append(value if self.is_counted else torch.zeros_like(value))

    def means(self, ranks: Ranks | None = None) -> dict[str, float]:
        """Mean losses and accuracies per item, over the updates that were made; may be empty.

        Args:
            ranks: the processes whose windows count; all of them must call this.
        """
        ranks = ranks or Ranks()
        if not self.made:
            return {}
        kept = torch.stack(self.made)
        if not bool(kept.any()):
            return {}
        is_kept = kept.tolist()
        counts = ranks.sums(
            {
                name: sum(count for count, keep in zip(values, is_kept, strict=True) if keep)
                for name, values in self.counts.items()
            }
        )
        totals = ranks.sums(
            {
                key: float(torch.stack([value.double() for value in values])[kept].sum())
                for key, values in self.sums.items()
            }
        )
        return {key: total / max(counts[key.rsplit("_", 1)[0]], 1) for key, total in totals.items()}

    def tokens_per_second(self, ranks: Ranks | None = None) -> float:
        """Real tokens a second since the window was opened, of all ranks together."""
        num_tokens = (ranks or Ranks()).sums({"tokens": self.num_tokens})["tokens"]
        return num_tokens / max(time.monotonic() - self.started, 1e-9)


def shown_means(means: Mapping[str, float]) -> dict[str, str]:
    """What the progress bar shows of what `Window.means` returned.

    Example:
        >>> shown_means({"mlm_loss": 6.7989, "mlm_accuracy": 0.112})
        {'mlm loss': '6.799', 'mlm accuracy': '11.2%'}
    """
    return {
        name.replace("_", " "): f"{value:.1%}" if "accuracy" in name else f"{value:.3f}"
        for name, value in means.items()
    }
