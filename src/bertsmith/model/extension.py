"""Giving a trained model tokens that it was not trained with."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from bertsmith.errors import ModelError
from bertsmith.model.base import PretrainedModel

__all__ = ["extend_embeddings"]


@torch.no_grad()
def extend_embeddings(
    model: PretrainedModel[Any], pieces_of_new: Mapping[int, Sequence[int]]
) -> None:
    """Gives new tokens the mean of the embeddings of the pieces that they were made of before.

    So a new token starts as what the model saw in its place, on average, and training goes on from
    there. In a masked-LM head the bias starts as the mean too; the output weights are the word
    embeddings and stay tied to them. Nothing else changes: text without new tokens gives the same
    hidden states, to the bit, and the same logits for old tokens.

    Args:
        model: any of the models; it is changed, and its `config.vocab_size` with it.
        pieces_of_new: id of a new token → ids of its pieces, at least one. An id below the
            `vocab_size` until now takes the place of the token there (an `[unused]` one); the
            others are appended, and must follow on without a gap. Pieces are read before
            anything is written.

    Raises:
        ModelError: ids with a gap, or pieces that the model doesn't have.

    Example:
        >>> from bertsmith.model import BertConfig, BertForMaskedLM
        >>> model = BertForMaskedLM(BertConfig.of_size("tiny", vocab_size=8))
        >>> extend_embeddings(model, {8: [6, 7]})
        >>> model.config.vocab_size, tuple(model.mlm_head.bias.shape)
        (9, (9,))
        >>> embeddings = model.bert.word_embeddings
        >>> torch.equal(embeddings[8], embeddings[6:8].mean(0))
        True
    """
    old_size = model.config.vocab_size
    appended = sorted(token_id for token_id in pieces_of_new if token_id >= old_size)
    if appended != list(range(old_size, old_size + len(appended))):
        raise ModelError(f"new tokens have to be appended from id {old_size} on, without a gap")
    for token_id, pieces in pieces_of_new.items():
        if token_id < 0 or not pieces or not 0 <= min(pieces) <= max(pieces) < old_size:
            raise ModelError(f"token {token_id} is made of {list(pieces)}, which the model lacks")
    bert: Any = getattr(model, "bert", model)
    word = bert.embeddings.word
    word.weight = _extended(word.weight, pieces_of_new, len(appended))
    word.num_embeddings = old_size + len(appended)
    if hasattr(model, "mlm_head"):
        head: Any = model.mlm_head
        head.bias = _extended(head.bias, pieces_of_new, len(appended))
    model.config = replace(model.config, vocab_size=old_size + len(appended))
    bert.config = model.config


def _extended(
    parameter: Any, pieces_of_new: Mapping[int, Sequence[int]], num_appended: int
) -> nn.Parameter:
    """A copy with the new rows; the mean is taken in fp32 at least."""
    rows: Tensor = parameter.data
    extended = torch.cat([rows, rows.new_empty(num_appended, *rows.shape[1:])])
    for token_id, pieces in pieces_of_new.items():
        extended[token_id] = rows[list(pieces)].float().mean(0).to(rows.dtype)
    return nn.Parameter(extended, requires_grad=parameter.requires_grad)
