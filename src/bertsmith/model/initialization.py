"""How weights start."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

__all__ = ["initialize", "sinusoidal_positions"]


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


def sinusoidal_positions(num_positions: int, hidden_size: int, std: float) -> Float[Tensor, "S D"]:
    r"""First weights for position embeddings that know from the start who is whose neighbour.

    The first half of a row is $\sqrt 2\,\sigma \sin(t \omega_i)$ and the second half the cosines,
    with $\omega_i = 1000^{-i / (D/2)}$. They are trained like any others.

    **Source**: Vaswani et al. 2017, section 3.5. **Differs** from BERT, whose positions start at
    random: with little data most of the time goes into learning which positions are near each
    other before attention is of any use.

    Args:
        num_positions: number of positions S.
        hidden_size: size of an embedding D.
        std: root of the mean square of the values.

    Example:
        >>> table = sinusoidal_positions(64, 128, std=0.05)
        >>> tuple(table.shape), round(table.square().mean().sqrt().item(), 4)
        ((64, 128), 0.05)
    """
    half = -(-hidden_size // 2)
    frequencies = torch.exp(-math.log(1000.0) / half * torch.arange(half))
    angles = torch.arange(num_positions)[:, None] * frequencies
    table = torch.cat([angles.sin(), angles.cos()], dim=1)[:, :hidden_size]
    return math.sqrt(2.0) * std * table
