"""How weights start."""

import torch
from torch import nn

__all__ = ["initialize"]


@torch.no_grad()
def initialize(module: nn.Module, std: float, generator: torch.Generator | None = None) -> None:
    """Gives a module and everything in it their first weights.

    Matrices and embeddings are drawn from a normal of standard deviation `std` that is cut off at
    two standard deviations; biases are 0; LayerNorm starts as the identity.

    **Source**: google-research/bert `create_initializer`. As there, `std` is that of the normal
    before the cut: what is drawn has 0.88 of it.

    Args:
        module: the module. On the meta device there is nothing to set.
        std: standard deviation before the cut.
        generator: where the numbers come from; the default generator if None.

    Example:
        >>> layer = torch.nn.Linear(1000, 1000)
        >>> initialize(layer, 0.02, torch.Generator().manual_seed(0))
        >>> bool(layer.weight.abs().max() <= 0.04), round(layer.weight.std().item(), 4)
        (True, 0.0176)
    """
    for part in module.modules():
        for name, parameter in part.named_parameters(recurse=False):
            if parameter.is_meta:
                continue
            if isinstance(part, nn.LayerNorm):
                parameter.fill_(1.0 if name == "weight" else 0.0)
            elif name == "bias":
                parameter.zero_()
            else:
                nn.init.trunc_normal_(parameter, 0.0, std, -2 * std, 2 * std, generator)
