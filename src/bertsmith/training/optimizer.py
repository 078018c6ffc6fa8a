"""The optimizers by name, with BERT's parameter groups."""

from typing import Any

import torch
from torch import nn

from bertsmith.training.adamw import AdamW
from bertsmith.training.google_adam import GoogleAdam
from bertsmith.training.lamb import LAMB
from bertsmith.training.settings import OptimizerSettings

__all__ = ["build_optimizer"]


def build_optimizer(
    model: nn.Module, settings: OptimizerSettings, *, uses_kernels: bool = False
) -> torch.optim.Optimizer:
    """Builds the optimizer; biases and LayerNorm weights (all one-dimensional) don't decay.

    Parameters that need no gradient are left out.

    Args:
        model: what is trained.
        settings: the optimizer's name and numbers.
        uses_kernels: whether AdamW and Google's Adam may use kernels in C on a CPU.

    Source: `optimization.py` of google-research/bert, `exclude_from_weight_decay`.

    Example:
        >>> model = nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4))
        >>> groups = build_optimizer(model, OptimizerSettings()).param_groups
        >>> [(len(group["params"]), group["weight_decay"]) for group in groups]
        [(1, 0.01), (3, 0.0)]
    """
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    matrices = [parameter for parameter in trainable if parameter.ndim >= 2]
    vectors = [parameter for parameter in trainable if parameter.ndim < 2]
    decaying: dict[str, Any] = {"params": matrices, "weight_decay": settings.weight_decay}
    others: dict[str, Any] = {"params": vectors, "weight_decay": 0.0}
    groups = [decaying, others]
    rate, epsilon = settings.learning_rate, settings.adam_epsilon
    betas = (settings.adam_beta1, settings.adam_beta2)
    decay = settings.weight_decay
    if settings.optimizer == "lamb":
        others["adapts"] = False
        return LAMB(groups, lr=rate, betas=betas, eps=epsilon, weight_decay=decay)
    kind = GoogleAdam if settings.optimizer == "google_adam" else AdamW
    return kind(
        groups, lr=rate, betas=betas, eps=epsilon, weight_decay=decay, uses_kernels=uses_kernels
    )
