"""The optimizer's pass over memory: the gradients' norm, and AdamW with clipping in it.

PyTorch reads the gradients for their norm, reads and writes them to clip them, and reads them again
to use them: 0.10 s of a step of BERT-base, however small its batch.
"""

import functools
from collections.abc import Sequence

import torch
from torch import Tensor

from bertsmith.model.cpu_kernels.running import ask, call, has_cpu_kernels, is_plain_float32

__all__ = ["adamw_update", "gradient_norm", "is_updatable"]


def is_updatable(*tensors: Tensor) -> bool:
    """Whether the kernels can take these: plain float32 tensors on the CPU, each in one piece."""
    return all(map(is_plain_float32, tensors)) and has_cpu_kernels()


def gradient_norm(gradients: Sequence[Tensor]) -> Tensor:
    """The global L2 norm, float32 [], the same bits for any number of threads.

    Args:
        gradients: of any shapes, which `is_updatable` takes.

    Raises:
        ValueError: others.
    """
    _check(*gradients)
    lengths = [gradient.numel() for gradient in gradients]
    sums = torch.zeros(sum(map(_num_sums, lengths)), dtype=torch.float64, device="cpu")
    table = [[g.data_ptr(), n] for g, n in zip(gradients, lengths, strict=True)]
    call("squares_of", _table(table, 2), sums, len(table))
    return sums.sum().sqrt().float()


def adamw_update(
    weights: Sequence[Tensor],
    gradients: Sequence[Tensor],
    means: Sequence[Tensor],
    squares: Sequence[Tensor],
    steps: Sequence[float],
    *,
    factor: float,
    learning_rate: float,
    betas: tuple[float, float],
    eps: float,
    weight_decay: float,
) -> None:
    r"""One update of AdamW, in place, where each gradient counts `factor` times.

    $m \leftarrow \beta_1 m + (1-\beta_1) f g$, $v \leftarrow \beta_2 v + (1-\beta_2) (f g)^2$,
    $\theta \leftarrow (1 - \eta\lambda)\theta -
    \frac{\eta}{1-\beta_1^t} \frac{m}{\sqrt{v / (1-\beta_2^t)} + \epsilon}$.

    Args:
        weights: the parameters; they and the others are what `is_updatable` takes.
        gradients: of each; they stay as they are.
        means: of the gradients, m.
        squares: their mean, v.
        steps: number t of this update of each parameter, from 1.
        factor: what the gradients are multiplied by.
        learning_rate: η.
        betas: β of m and v.
        eps: ε.
        weight_decay: λ.

    Raises:
        ValueError: other tensors, or of other lengths than their parameter.
    """
    parts = weights, gradients, means, squares
    _check(*(tensor for part in parts for tensor in part))
    table, rates = [], []
    for number, *tensors in zip(steps, *parts, strict=True):
        lengths = {tensor.numel() for tensor in tensors}
        if len(lengths) != 1:
            raise ValueError(f"a parameter's tensors have {sorted(lengths)} numbers")
        table.append([*(tensor.data_ptr() for tensor in tensors), lengths.pop()])
        first, second = (1 - beta**number for beta in betas)
        rates.append([learning_rate * weight_decay, learning_rate / first, second**-0.5])
    numbers = torch.tensor(rates, dtype=torch.float32, device="cpu")
    rests = factor, 1 - betas[0], betas[1], 1 - betas[1], eps
    call("adamw", _table(table, 5), numbers, len(table), *map(float, rests))


@functools.lru_cache(maxsize=1024)
def _num_sums(length: int) -> int:
    return ask("num_sums", length)


def _check(*tensors: Tensor) -> None:
    if not is_updatable(*tensors):
        raise ValueError("a kernel takes float32 tensors on the CPU, each in one piece")


def _table(rows: list[list[int]], width: int) -> Tensor:
    return torch.tensor(rows, dtype=torch.int64, device="cpu").reshape(-1, width)
