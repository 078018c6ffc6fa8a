"""Looking words up in a matrix that a masked-LM head multiplies by as well.

Backward, each of the two uses has a gradient for the whole matrix. The head's is full of numbers;
the look-up's has a row for each token and zeros elsewhere, and on a CPU making those zeros and
adding them takes as long as a layer. So the head leaves its gradient to the look-up, whose backward
comes last, and that adds its rows to it.
"""

import threading
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import embedding

__all__ = ["TiedUse", "TiedUses", "as_output_weights", "look_up"]


@dataclass
class TiedUse:
    """What the two uses of the matrix in one forward pass know of each other.

    Attributes:
        gradient: the head's gradient, [V, D], until the look-up takes it in the same backward pass.
    """

    gradient: Tensor | None = None  # of several heads, the sum


class TiedUses(threading.local):
    """The forward pass that each thread is in: a model may be trained in several at once.

    Attributes:
        latest: of this thread; None where each use has a gradient of its own. Copies of a model,
            and what is written of one, are in none.
    """

    latest: TiedUse | None = None

    def __reduce__(self) -> tuple[type["TiedUses"], tuple[()]]:
        return TiedUses, ()


def look_up(weight_VD: Tensor, ids: Tensor, use: TiedUse) -> Tensor:
    """Returns the rows `ids` of the matrix, [*ids, D].

    Args:
        weight_VD: the matrix.
        ids: int64 numbers of rows, any shape.
        use: shared with `as_output_weights` of the same forward pass.
    """
    rows: Tensor = _LookUp.apply(weight_VD, ids, use)  # type: ignore[no-untyped-call]
    return rows


def as_output_weights(weight_VD: Tensor, use: TiedUse) -> Tensor:
    """Returns the matrix itself for the head.

    What the head is applied to must depend on what was looked up; else its gradient is lost.

    Example:
        >>> weight = torch.zeros(3, 1, requires_grad=True)
        >>> use = TiedUse()
        >>> hidden = 2 + look_up(weight, torch.tensor([1]), use)
        >>> (hidden @ as_output_weights(weight, use).T).sum().backward()
        >>> weight.grad.tolist()
        [[2.0], [2.0], [2.0]]
    """
    weights: Tensor = _OutputWeights.apply(weight_VD, use)  # type: ignore[no-untyped-call]
    return weights


class _LookUp(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, weight_VD: Tensor, ids: Tensor, use: TiedUse) -> Tensor:
        ctx.save_for_backward(ids)
        ctx.shape, ctx.use = weight_VD.shape, use
        return embedding(ids, weight_VD)

    @staticmethod
    def backward(ctx: Any, grad_rows: Tensor) -> tuple[Tensor, None, None]:
        (ids,) = ctx.saved_tensors
        V, D = ctx.shape
        gradient, ctx.use.gradient = ctx.use.gradient, None
        if gradient is None or torch.is_grad_enabled():  # what comes out may be derived again
            dense = torch.ops.aten.embedding_dense_backward(grad_rows, ids, V, -1, False)
            return dense if gradient is None else gradient + dense, None, None
        # PyTorch 2.11 and 2.12 warn unless it is said in this way.
        with torch.sparse.check_sparse_tensor_invariants(False):  # type: ignore[no-untyped-call]
            rows = torch.sparse_coo_tensor(ids.reshape(1, -1), grad_rows.reshape(-1, D), (V, D))
            return gradient.add_(rows), None, None


class _OutputWeights(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, weight_VD: Tensor, use: TiedUse) -> Tensor:
        ctx.use = use
        return weight_VD.view_as(weight_VD)

    @staticmethod
    def backward(ctx: Any, gradient_VD: Tensor) -> tuple[None, None]:
        left = ctx.use.gradient
        ctx.use.gradient = gradient_VD if left is None else left + gradient_VD
        return None, None
