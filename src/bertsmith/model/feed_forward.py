"""The two linear layers of a feed-forward block, with the activation between them."""

import torch
from torch import Tensor, nn

from bertsmith.model import cpu_kernels
from bertsmith.model.activations import Activation, gelu_tanh
from bertsmith.model.linear import is_plain, products_and_bias, products_and_inputs

__all__ = ["feed_forward"]


def feed_forward(
    first: nn.Linear, act: Activation, second: nn.Linear, inputs: Tensor
) -> tuple[Tensor, Tensor | None, Tensor]:
    """`second(act(first(inputs)))` and None; or what is without the second bias, and that bias.

    The third is the inputs, for whoever uses them once more: see `products_and_inputs`.

    Args:
        first: the layer in front of the activation.
        act: the activation.
        second: the layer behind it.
        inputs: what the first is applied to, [..., in_features].
    """
    if (
        act is gelu_tanh
        and all(is_plain(layer, nn.Linear) for layer in (first, second))
        and cpu_kernels.fits_tiles(inputs, first.weight, second.weight)
        and first.bias is not None
        and first.bias.dtype == torch.float32
    ):
        given = first.weight, first.bias, second.weight
        products, inputs = cpu_kernels.feed_forward_and_values(inputs, *given)
        return products, second.bias, inputs
    products, bias, inputs = products_and_inputs(first, inputs)
    return *products_and_bias(second, act(products, bias)), inputs
