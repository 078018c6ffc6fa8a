"""Activation functions by the names that the config gives them."""

from collections.abc import Callable

from torch import Tensor
from torch.nn.functional import gelu, relu

from bertsmith.model import cpu_kernels
from bertsmith.model.config import HiddenAct

__all__ = ["activation"]


def activation(name: HiddenAct) -> Callable[[Tensor], Tensor]:
    r"""Returns an activation function.

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
    functions: dict[HiddenAct, Callable[[Tensor], Tensor]] = {
        "gelu_tanh": _gelu_tanh,
        "gelu_erf": gelu,
        "relu": relu,
    }
    return functions[name]


def _gelu_tanh(values: Tensor) -> Tensor:
    if cpu_kernels.has_cpu_kernels(values):
        return cpu_kernels.gelu(values)
    return gelu(values, approximate="tanh")
