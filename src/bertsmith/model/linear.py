"""Linear layers whose bias a later kernel adds.

On a CPU a bias costs PyTorch a pass over the products before it multiplies and, backward, a slow
pass over their gradient. Where one of our kernels takes the products next, it adds the bias on the
way.
"""

from torch import Tensor, nn
from torch.nn.modules.module import _has_any_global_hook

from bertsmith.model import cpu_kernels

__all__ = ["is_plain", "products_and_bias", "products_and_inputs", "with_bias"]


def products_and_bias(layer: nn.Linear, inputs: Tensor) -> tuple[Tensor, Tensor | None]:
    """`layer(inputs)` and None; or, where a kernel can add the bias, what is without it, and it.

    Args:
        layer: a linear layer.
        inputs: what it is applied to, [..., in_features].
    """
    return products_and_inputs(layer, inputs)[:2]


def products_and_inputs(layer: nn.Linear, inputs: Tensor) -> tuple[Tensor, Tensor | None, Tensor]:
    """What `products_and_bias` gives, and the inputs for whoever uses them once more.

    Where a kernel multiplies, it adds what their gradient is there to its own.
    """
    if cpu_kernels.has_cpu_kernels(inputs) and is_plain(layer, nn.Linear):
        products, inputs = cpu_kernels.product_and_values(inputs, layer.weight)
        return products, layer.bias, inputs
    return layer(inputs), None, inputs


def is_plain(module: nn.Module, kind: type[nn.Module]) -> bool:
    """Whether nothing is lost by working with a module's weights instead of calling it.

    Somebody may have put another in its place, such as an adapter, or hooks on it or on all
    modules, or another `forward` into it.
    """
    return (
        type(module) is kind
        and "forward" not in module.__dict__
        and not module._forward_hooks
        and not module._forward_pre_hooks
        and not module._backward_hooks
        and not module._backward_pre_hooks
        and not _has_any_global_hook()  # type: ignore[no-untyped-call]
    )


def with_bias(products: Tensor, bias: Tensor | None) -> Tensor:
    """The sum, in the products' type, for whoever has no kernel that adds the bias."""
    return products if bias is None else products + bias.to(products.dtype)
