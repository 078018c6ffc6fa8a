"""Products of values and a linear layer's weights, where PyTorch's own are slow.

Of bf16 values, on the tiles of AMX, of which PyTorch's get a third of what they can do, and a sixth
where the sum goes over the tokens, as it does for the weights' gradients; on vectors where there is
AVX512-BF16 alone. These read the weights as they are, in float32, and give their gradient in
float32. Of float32 values by `float_products`.

Shape suffixes: T tokens, N outputs, K inputs.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import linear

from bertsmith.model.cpu_kernels.derivatives import first_derivatives
from bertsmith.model.cpu_kernels.float_products import fits_floats
from bertsmith.model.cpu_kernels.multiplying import input_gradient, multiply, weight_gradient
from bertsmith.model.cpu_kernels.running import must_agree
from bertsmith.model.cpu_kernels.tiles import fits_tiles

__all__ = ["biased_product", "product", "product_and_values"]


def product(values: Tensor, weight: Tensor) -> Tensor:
    """Returns `values @ weight.T`, [..., N], in the values' type; sums are float32.

    Args:
        values: [..., K], bf16 under autocast to bf16 or float32 without.
        weight: a linear layer's weights, [N, K].
    """
    return product_and_values(values, weight)[0]


def product_and_values(values: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Returns `product(values, weight)`, and the values.

    Who uses the values once more takes those: then both gradients of the values are added where
    the product's is written, not in a pass over both. They must not be written over.
    """
    if not (fits_tiles(values, weight) or fits_floats(values, weight)):
        return linear(values, weight), values
    both: tuple[Tensor, Tensor] = _Product.apply(values, weight, None)  # type: ignore[no-untyped-call]
    return both


def biased_product(values: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Returns `values @ weight.T + bias`, [..., N], of what `fits_floats`.

    Args:
        values: [..., K].
        weight: a linear layer's weights, [N, K].
        bias: its bias, [N].
    """
    must_agree("the bias", bias.shape, weight.shape[:1])
    output: Tensor = _Product.apply(values, weight, bias)[0]  # type: ignore[no-untyped-call]
    return output


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, values: Tensor, weight: Tensor, bias: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        values_TK = values.reshape(-1, values.shape[-1]).contiguous()
        ctx.save_for_backward(values_TK, weight)
        ctx.shape = values.shape
        ctx.set_materialize_grads(False)
        return multiply(values_TK, weight, values.shape[:-1], bias), values

    @staticmethod
    @first_derivatives
    def backward(
        ctx: Any, grad_output: Tensor | None, grad_beside: Tensor | None
    ) -> tuple[Tensor | None, ...]:
        values_TK, weight = ctx.saved_tensors
        if grad_output is None:
            return grad_beside, None, None
        above_TN = grad_output.reshape(len(values_TK), -1).contiguous()
        grad_values = grad_weight = None
        if ctx.needs_input_grad[0]:
            grad_values = input_gradient(above_TN, weight, ctx.shape, grad_beside)
        if ctx.needs_input_grad[1]:
            grad_weight = weight_gradient(above_TN, values_TK)
        return grad_values, grad_weight, above_TN.sum(0) if ctx.needs_input_grad[2] else None
