"""Held-out evaluation of a pre-training model, beside the unigram baseline."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from bertsmith.batches import PretrainingBatch
from bertsmith.model.precision import autocast, resolve_precision
from bertsmith.objectives import Objective
from bertsmith.store import TokenStore
from bertsmith.training.distributed import Ranks

__all__ = ["evaluate_objective", "most_frequent_token", "unigram_accuracy"]


@torch.inference_mode()
def evaluate_objective(
    model: nn.Module,
    objective: Objective,
    batches: Sequence[PretrainingBatch],
    precision: str,
    ranks: Ranks | None = None,
) -> dict[str, float]:
    """Mean loss and accuracy of each of the objective's names over all batches.

    Args:
        model: set to evaluation mode by the caller.
        objective: what is measured.
        batches: held-out batches.
        precision: "auto", "fp32", "bf16" or "fp16".
        ranks: the processes that share the work; this one alone by default.

    Returns:
        `{name}_loss` in nats per item and `{name}_accuracy` in [0, 1], for each name.
    """
    device = next(model.parameters()).device
    resolved = resolve_precision(precision, device)
    ranks = ranks or Ranks()
    sums: dict[str, float] = {}
    counts: dict[str, float] = {}
    mine, num_own = ranks.share(batches)
    for index, batch in enumerate(mine):
        is_own = index < num_own
        with autocast(resolved, device):
            measures = objective(model, batch.to(device))
        for name, measure in measures.items():
            counts[name] = counts.get(name, 0) + is_own * measure.loss.count
            sums[f"{name}_loss"] = sums.get(f"{name}_loss", 0.0) + is_own * float(
                measure.loss.total
            )
            if measure.num_correct is not None:
                key = f"{name}_accuracy"
                sums[key] = sums.get(key, 0.0) + is_own * float(measure.num_correct)
    sums, counts = ranks.sums(sums), ranks.sums(counts)
    return {key: value / max(counts[key.rsplit("_", 1)[0]], 1) for key, value in sums.items()}


def most_frequent_token(
    store: TokenStore, documents: Sequence[int] | np.ndarray, max_tokens: int = 20_000_000
) -> int:
    """The id that occurs most often in the documents (the first `max_tokens` tokens of them)."""
    counts = np.zeros(len(store.vocabulary), dtype=np.int64)
    ids = np.asarray(documents)
    starts = store.sentence_offsets[store.document_offsets[ids]]
    stops = store.sentence_offsets[store.document_offsets[ids + 1]]
    for start, stop in zip(starts.tolist(), stops.tolist(), strict=True):
        counts += np.bincount(store.tokens(start, stop), minlength=len(counts))
        if counts.sum() >= max_tokens:
            break
    return int(counts.argmax())


def unigram_accuracy(batches: Sequence[PretrainingBatch], token_id: int) -> float:
    """The accuracy of always answering `token_id` at the masked positions of the batches."""
    labels = torch.cat([batch.masked_labels for batch in batches])
    return float((labels == token_id).double().mean())
