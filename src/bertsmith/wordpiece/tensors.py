"""The one place of this room that needs torch: padded tensors from encodings."""

from collections.abc import Sequence

import torch
from torch import Tensor

from bertsmith.wordpiece.encoding import Encoding

__all__ = ["TokenBatch", "pad_batch"]

TokenBatch = dict[str, Tensor]
"""`input_ids`, `attention_mask` and `token_type_ids`, each [B, S]."""


def pad_batch(encodings: Sequence[Encoding], pad_id: int) -> TokenBatch:
    """Lays encodings out as rows of tensors, padded at the end to the longest.

    Args:
        encodings: B encodings, at least one.
        pad_id: what to fill `input_ids` with.

    Returns:
        `input_ids` (int64), `attention_mask` (bool, True = real) and `token_type_ids` (int64, 0 at
        padding), each [B, S].
    """
    shape = (len(encodings), max(map(len, encodings)))
    input_ids = torch.full(shape, pad_id, dtype=torch.int64)
    token_type_ids = torch.zeros(shape, dtype=torch.int64)
    attention_mask = torch.zeros(shape, dtype=torch.bool)
    for row, encoding in enumerate(encodings):
        length = len(encoding)
        input_ids[row, :length] = torch.tensor(encoding.input_ids)
        token_type_ids[row, :length] = torch.tensor(encoding.token_type_ids)
        attention_mask[row, :length] = True
    return {
        "input_ids": input_ids,
        "attention_mask": attention_mask,
        "token_type_ids": token_type_ids,
    }
