"""Freezing the lowest part of a model."""

from itertools import chain

from torch import nn

from bertsmith.errors import RecipeError
from bertsmith.model import BertModel

__all__ = ["freeze_lowest", "require_layers"]


def freeze_lowest(model: nn.Module, num_layers: int | None) -> None:
    """Freezes the embeddings and the lowest layers: they get no gradient and no decay.

    The output weights of the masked-LM head are the word embeddings, and freeze with them.

    Args:
        model: a BERT, alone or with a head.
        num_layers: how many layers, from the lowest; 0 freezes the embeddings alone, None nothing.

    Raises:
        RecipeError: the model has fewer layers.
    """
    if num_layers is None:
        return
    bert = next(module for module in model.modules() if isinstance(module, BertModel))
    layers = list(bert.encoder.layers)
    require_layers(num_layers, len(layers))
    frozen = [bert.embeddings, *layers[:num_layers]]
    for parameter in chain.from_iterable(part.parameters() for part in frozen):
        parameter.requires_grad_(False)


def require_layers(wanted: int | None, there: int) -> None:
    """Raises `RecipeError` if more layers shall be frozen than there are."""
    if wanted is not None and wanted > there:
        raise RecipeError(
            f"{wanted} is over the model's {there} layers", where="training.freeze_layers"
        )
