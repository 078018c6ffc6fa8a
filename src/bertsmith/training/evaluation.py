"""Held-out evaluation of a pre-training model, beside the unigram baseline."""

from collections.abc import Callable, Sequence
from operator import attrgetter

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bertsmith.batches import PretrainingBatch
from bertsmith.model.precision import autocast, resolve_precision
from bertsmith.objectives import Objective
from bertsmith.store import TokenStore
from bertsmith.training.distributed import Ranks

__all__ = ["baselines", "count_tokens", "evaluate_objective"]


@torch.no_grad()  # FSDP keeps what its first pass makes for training: nothing of inference mode
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


def count_tokens(
    store: TokenStore, documents: Sequence[int] | np.ndarray, max_tokens: int = 20_000_000
) -> NDArray[np.int64]:
    """How often each token is in the documents (in the first `max_tokens` tokens of them), [V]."""
    counts = np.zeros(len(store.vocabulary), dtype=np.int64)
    ids = np.asarray(documents)
    starts = store.sentence_offsets[store.document_offsets[ids]]
    stops = store.sentence_offsets[store.document_offsets[ids + 1]]
    for start, stop in zip(starts.tolist(), stops.tolist(), strict=True):
        counts += np.bincount(store.tokens(start, stop), minlength=len(counts))
        if counts.sum() >= max_tokens:
            break
    return counts


def baselines(
    batches: Sequence[PretrainingBatch],
    token_counts: NDArray[np.int64],
    labels_of: Callable[[PretrainingBatch], Tensor] = attrgetter("masked_labels"),
    special_ids: Sequence[int] = (),
) -> dict[str, float]:
    """What a model scores that sees no context at all.

    Args:
        batches: held-out batches.
        token_counts: how often each token is in the text that is trained on, [V].
        labels_of: the tokens of a batch that are predicted.
        special_ids: tokens that no text has, such as [SEP]; such a model knows how often they come.

    Returns:
        `unigram_accuracy`: of always answering the most frequent token. `unigram_loss`, in nats:
        of giving every token the probability that its count says (each is counted once more, so
        that none has 0). `majority_accuracy`: of always giving the more frequent label of pairs;
        not there where there are no pairs.
    """
    labels = torch.cat([labels_of(batch) for batch in batches])
    counts = torch.from_numpy(token_counts + 1).double()
    special = torch.bincount(labels, minlength=len(counts))[list(special_ids)]
    num_ordinary = len(labels) - special.sum()
    counts[list(special_ids)] += special / num_ordinary.clamp(min=1) * token_counts.sum()
    log_shares = (counts / counts.sum()).log()
    found = {
        "unigram_accuracy": float((labels == int(counts.argmax())).double().mean()),
        "unigram_loss": float(-log_shares[labels].mean()),
    }
    pairs = [b.next_sentence_labels for b in batches if b.next_sentence_labels is not None]
    if pairs:
        share = float(torch.cat(pairs).double().mean())
        found["majority_accuracy"] = max(share, 1 - share)
    return found
