"""Linear layers whose bias a later kernel adds.

PyTorch multiplies matrices on a CPU as fast as the machine can, but a bias costs it a pass over the
products before that and, backward, a slow pass over their gradient. Where one of our kernels takes
the products next, it adds the bias on the way.
"""

from torch import Tensor, nn
from torch.nn.functional import linear

from bertsmith.model.cpu_kernels import has_cpu_kernels

__all__ = ["products_and_bias", "with_bias"]


def products_and_bias(layer: nn.Linear, inputs: Tensor) -> tuple[Tensor, Tensor | None]:
    """`layer(inputs)` and None; or, where a kernel can add the bias, what is without it, and it.

    Args:
        layer: a linear layer.
        inputs: what it is applied to, [..., in_features].
    """
    if has_cpu_kernels(inputs):
        return linear(inputs, layer.weight), layer.bias
    return layer(inputs), None


def with_bias(products: Tensor, bias: Tensor | None) -> Tensor:
    """The sum, in the products' type, for whoever has no kernel that adds the bias."""
    return products if bias is None else products + bias.to(products.dtype)
