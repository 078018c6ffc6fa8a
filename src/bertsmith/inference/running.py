"""Running many encoded sequences through a model, packed, and giving results in input order."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol, TypeVar, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from bertsmith.batches import length_sorted_batches
from bertsmith.errors import InputError
from bertsmith.model import PackedSequences, Precision, resolve_precision
from bertsmith.model.precision import autocast

__all__ = ["EncodedSequence", "run_packed", "split_tokens"]


@runtime_checkable
class EncodedSequence(Protocol):
    """What can be run: ids and segments of one sequence, of the same length S."""

    @property
    def input_ids(self) -> list[int]:
        """Token ids, [S]."""
        ...

    @property
    def token_type_ids(self) -> list[int]:
        """Segments, [S]."""
        ...


S = TypeVar("S", bound=EncodedSequence)
R = TypeVar("R")


def run_packed(
    model: nn.Module,
    sequences: Sequence[S],
    forward: Callable[[PackedSequences, Sequence[S]], Sequence[R]],
    *,
    max_tokens_per_batch: int = 8192,
    precision: Precision = "fp32",
) -> list[R]:
    """Runs sequences of any lengths in packed batches of similar length.

    Without gradients and in evaluation mode; the mode of every module is restored. Which
    sequences share a batch has no influence on the results beyond rounding.

    Args:
        model: gives the device, and is what `forward` calls.
        sequences: the inputs, in any order.
        forward: gets a packed batch on the model's device and the sequences in it, and returns
            one result for each of them; see `split_tokens`.
        max_tokens_per_batch: tokens in a batch if it were padded; one longer sequence makes a
            batch by itself.
        precision: `fp32` for exactness, `bf16` or (on GPUs) `fp16` for autocast, `auto` for bf16
            where the hardware multiplies in it.

    Returns:
        The results in the order of `sequences`.

    Raises:
        InputError: an unknown precision, or a batch without a token.

    Example:
        >>> from bertsmith.inference.tagging import TagWindow
        >>> windows = [TagWindow([2, 7, 8, 3], [], []), TagWindow([2, 3], [], [])]
        >>> embedding = nn.Embedding(10, 1)
        >>> def count_tokens(packed, sequences):
        ...     return [len(values) for values in split_tokens(packed, embedding(packed.input_ids))]
        >>> run_packed(embedding, windows, count_tokens)
        [4, 2]
    """
    if max_tokens_per_batch < 1:
        raise InputError(f"is {max_tokens_per_batch}", where="max_tokens_per_batch")
    device = next(model.parameters()).device
    number_format = resolve_precision(precision, device)
    results: dict[int, R] = {}
    lengths = [len(sequence.input_ids) for sequence in sequences]
    with _evaluation_mode(model), autocast(number_format, device):
        for group in length_sorted_batches(lengths, max_tokens_per_batch):
            members = [sequences[index] for index in group]
            packed = PackedSequences.from_lists(
                [member.input_ids for member in members],
                [member.token_type_ids for member in members],
            ).to(device)
            results.update(zip(group, forward(packed, members), strict=True))
    return [results[index] for index in range(len(sequences))]


def split_tokens(
    packed: PackedSequences, values: Float[Tensor, "T *rest"]
) -> tuple[Float[Tensor, "S *rest"], ...]:
    """Cuts values of the token axis into one fp32 tensor on the CPU for each sequence."""
    return torch.split(values.float().cpu(), packed.lengths.tolist())


@contextmanager
def _evaluation_mode(model: nn.Module) -> Iterator[None]:
    training = [module for module in model.modules() if module.training]
    model.eval()
    # FSDP keeps what its first pass makes for training, which takes nothing of inference mode.
    is_sharded = hasattr(next(model.parameters()), "full_tensor")
    try:
        with torch.no_grad() if is_sharded else torch.inference_mode():
            yield
    finally:
        for module in training:
            module.training = True
