"""Padded tensors, as callers have them, to packed sequences; with every check on the way."""

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from bertsmith.errors import InputError
from bertsmith.model.config import BertConfig
from bertsmith.model.packing import PackedSequences

__all__ = ["pack_inputs"]


def pack_inputs(
    config: BertConfig,
    input_ids: Int[Tensor, "B S"],
    attention_mask: Int[Tensor, "B S"] | Bool[Tensor, "B S"] | None,
    token_type_ids: Int[Tensor, "B S"] | None,
) -> tuple[PackedSequences, Bool[Tensor, "B S"]]:
    """Checks a padded batch against the config and packs it.

    Returns:
        The packed batch, and the mask (True at tokens) that pads its outputs again.

    Raises:
        InputError: if shapes, lengths or ids don't fit the model, or a row has no token.

    Example:
        >>> packed, _ = pack_inputs(
        ...     BertConfig(), torch.tensor([[0, 5, 6]]), torch.tensor([[0, 1, 1]]), None
        ... )
        >>> packed.input_ids.tolist(), packed.position_ids.tolist()
        ([5, 6], [1, 2])
    """
    _check_shapes(config, input_ids, attention_mask, token_type_ids)
    mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
    mask = mask.bool()
    types = torch.zeros_like(input_ids) if token_type_ids is None else token_type_ids
    if not (has_token := mask.any(dim=1)).all():
        row = int((~has_token).nonzero()[0])
        raise InputError(f"row {row} has no token", where="attention_mask")
    packed = PackedSequences.from_padded(input_ids, mask, types)
    _check_range("input_ids", packed.input_ids, "vocab_size", config.vocab_size)
    _check_range("token_type_ids", packed.token_type_ids, "type_vocab_size", config.type_vocab_size)
    return packed, mask


def _check_shapes(
    config: BertConfig,
    input_ids: Tensor,
    attention_mask: Tensor | None,
    token_type_ids: Tensor | None,
) -> None:
    shape = list(input_ids.shape)
    if len(shape) != 2 or 0 in shape:
        raise InputError(f"has shape {shape}, not [sequences, length]", where="input_ids")
    if shape[1] > config.max_position_embeddings:
        raise InputError(
            f"sequences of {shape[1]} tokens are over the model's "
            f"{config.max_position_embeddings} positions",
            where="input_ids",
            fix="cut them, with the tokenizer's max_length",
        )
    given = {
        "input_ids": input_ids,
        "attention_mask": attention_mask,
        "token_type_ids": token_type_ids,
    }
    for name, tensor in given.items():
        if tensor is None:
            continue
        if list(tensor.shape) != shape:
            raise InputError(f"has shape {list(tensor.shape)}, input_ids has {shape}", where=name)
        if tensor.is_floating_point():
            raise InputError(f"holds {tensor.dtype}, not whole numbers", where=name)


def _check_range(name: str, ids: Tensor, limit_name: str, limit: int) -> None:
    low, high = torch.stack(ids.aminmax()).tolist()
    if low < 0 or high >= limit:
        wrong = low if low < 0 else high
        raise InputError(f"holds {wrong}, outside 0 to {limit_name} - 1 = {limit - 1}", where=name)
