"""The same steps with `transformers`: what our speed is compared with."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from bertsmith.batches import LabelledBatch, PretrainingBatch
from bertsmith.model import BertConfig, PackedSequences

__all__ = ["padded_batch", "reference_config", "reference_model", "reference_step"]


def reference_config(config: BertConfig, attention: str = "sdpa") -> Any:
    """The same shape as a `transformers.BertConfig`; the activation is its own default's price."""
    import transformers

    return transformers.BertConfig(
        vocab_size=config.vocab_size,
        hidden_size=config.hidden_size,
        num_hidden_layers=config.num_hidden_layers,
        num_attention_heads=config.num_attention_heads,
        intermediate_size=config.intermediate_size,
        hidden_act="gelu_pytorch_tanh",
        hidden_dropout_prob=config.hidden_dropout_prob,
        attention_probs_dropout_prob=config.attention_probs_dropout_prob,
        max_position_embeddings=config.max_position_embeddings,
        num_labels=config.num_labels,
        attn_implementation=attention,
    )


def reference_model(config: BertConfig, head: str = "BertForPreTraining") -> nn.Module:
    """A fresh model of `transformers`."""
    import transformers

    torch.manual_seed(0)
    model: nn.Module = getattr(transformers, head)(reference_config(config))
    return model


def padded_batch(packed: PackedSequences, length: int | None = None) -> dict[str, Tensor]:
    """A packed batch as `transformers` takes it, padded to its longest or to `length`."""
    mask = packed.padding_mask()
    fields = {
        "input_ids": packed.pad(packed.input_ids),
        "token_type_ids": packed.pad(packed.token_type_ids),
        "attention_mask": mask.long(),
    }
    if isinstance(packed, PretrainingBatch):
        labels = torch.full_like(packed.input_ids, -100)
        labels[packed.masked_positions] = packed.masked_labels
        # What isn't a token isn't predicted either.
        fields["labels"] = packed.pad(labels).where(mask, torch.tensor(-100))
        if packed.next_sentence_labels is not None:
            fields["next_sentence_label"] = packed.next_sentence_labels
    elif isinstance(packed, LabelledBatch):
        fields["labels"] = packed.labels
    missing = (length or 0) - packed.max_seqlen
    if missing <= 0:
        return fields
    fill = {"labels": -100} if isinstance(packed, PretrainingBatch) else {}
    return {
        name: nn.functional.pad(value, (0, missing), value=fill.get(name, 0))
        if value.ndim == 2
        else value
        for name, value in fields.items()
    }


def reference_step(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    micro_batches: Sequence[dict[str, Tensor]],
    precision: str,
) -> None:
    """One update as `transformers`' Trainer does it: mean loss, clipping, AdamW."""
    device = next(model.parameters()).device
    optimizer.zero_grad(set_to_none=True)
    for batch in micro_batches:
        moved = {name: value.to(device, non_blocking=True) for name, value in batch.items()}
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16"):
            loss = model(**moved).loss / len(micro_batches)
        loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
