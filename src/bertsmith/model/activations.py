"""Activation functions by the names that the config gives them."""

from typing import Protocol, runtime_checkable

from torch import Tensor
from torch.nn.functional import gelu, relu

from bertsmith.model import cpu_kernels
from bertsmith.model.config import HiddenAct
from bertsmith.model.linear import with_bias

__all__ = ["Activation", "activation", "gelu_tanh"]


@runtime_checkable
class Activation(Protocol):
    """An activation function of `values + bias`; the bias, [columns], may be left out."""

    def __call__(self, values: Tensor, bias: Tensor | None = None, /) -> Tensor:
        """Returns the activations, in the values' type."""
        ...


def activation(name: HiddenAct) -> Activation:
    r"""Returns an activation function, which adds a linear layer's bias first if it is given one.

    "gelu_tanh": $\frac{x}{2}\left(1 + \tanh\left(\sqrt{2/\pi}\,(x + 0.044715\,x^3)\right)\right)$;
    "gelu_erf": $\frac{x}{2}\left(1 + \mathrm{erf}(x / \sqrt 2)\right)$; "relu": $\max(x, 0)$.

    **Source**: Hendrycks and Gimpel 2016, section 2; google-research/bert `modeling.gelu` is the
    first, Hugging Face's "gelu" the second.

    Example:
        >>> import torch
        >>> x = torch.tensor(2.0)
        >>> [round(activation(name)(x).item(), 4) for name in ("gelu_tanh", "gelu_erf", "relu")]
        [1.9546, 1.9545, 2.0]
    """
    functions: dict[HiddenAct, Activation] = {
        "gelu_tanh": gelu_tanh,
        "gelu_erf": _gelu_erf,
        "relu": _relu,
    }
    return functions[name]


def gelu_tanh(values: Tensor, bias: Tensor | None = None, /) -> Tensor:
    """GELU of `values + bias` by its tanh formula, in the values' type."""
    if values.dim() > 0 and cpu_kernels.has_cpu_kernels(values):
        return cpu_kernels.gelu(values, bias)
    return gelu(with_bias(values, bias), approximate="tanh")


def _gelu_erf(values: Tensor, bias: Tensor | None = None) -> Tensor:
    return gelu(with_bias(values, bias))


def _relu(values: Tensor, bias: Tensor | None = None) -> Tensor:
    return relu(with_bias(values, bias))
