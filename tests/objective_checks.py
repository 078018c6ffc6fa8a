"""What the tests of the fine-tuning objectives share."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch

from bertsmith.batches import LabelledBatch
from bertsmith.model import BertConfig, PretrainedModel
from bertsmith.objectives import Objective

MakeBatch = Callable[[Sequence[int]], LabelledBatch]

INPUT_IDS = [[2, 7, 8, 3], [2, 9, 3], [2, 10, 11, 12, 13, 3], [2, 14, 3], [2, 15, 16, 3], [2, 5, 3]]


def tiny_model(kind: Callable[..., PretrainedModel[Any]], **changes: Any) -> PretrainedModel[Any]:
    """One layer, 8 wide, float64, large weights so that outputs differ, no dropout."""
    config = BertConfig(
        vocab_size=20,
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=16,
        initializer_range=0.5,
        **changes,
    )
    return kind(config, generator=torch.Generator().manual_seed(3)).double().eval()


def check_sums(objective: Objective, model: PretrainedModel[Any], make: MakeBatch, n: int) -> None:
    """Counts are those announced, and the sums over chunks are the sums over the whole."""
    whole = make(range(n))
    ((name, measure),) = objective(model, whole).items()
    assert objective.counts(whole) == {name: measure.loss.count}
    total, count, num_correct = 0.0, 0, 0
    for start, stop in ((0, 1), (1, n - 1), (n - 1, n)):
        part = objective(model, make(range(start, stop)))[name]
        total += part.loss.total.item()
        count += part.loss.count
        num_correct += 0 if part.num_correct is None else int(part.num_correct)
    assert count == measure.loss.count
    assert total == pytest.approx(measure.loss.total.item(), rel=1e-12)
    if measure.num_correct is not None:
        assert num_correct == int(measure.num_correct)


def check_gradients(
    objective: Objective, model: PretrainedModel[Any], batch: LabelledBatch
) -> None:
    """The head's gradients equal finite differences."""
    head = [
        parameter
        for name, parameter in model.named_parameters()
        if name.startswith(("classifier", "qa_outputs"))
    ]
    assert head

    def total(*_: torch.Tensor) -> torch.Tensor:
        ((_, measure),) = objective(model, batch).items()
        return measure.loss.total

    assert torch.autograd.gradcheck(total, head)


def check_precision(
    objective: Objective, model: PretrainedModel[Any], batch: LabelledBatch
) -> None:
    """Logits in bfloat16 are summed in float32."""
    ((_, measure),) = objective(model.bfloat16(), batch).items()
    assert measure.loss.total.dtype == torch.float32


def check_foreign_batch(objective: Objective, model: PretrainedModel[Any]) -> None:
    """A batch without labels is refused."""
    from bertsmith.model import PackedSequences

    batch = PackedSequences.from_lists(INPUT_IDS)
    with pytest.raises(TypeError, match="LabelledBatch"):
        objective.counts(batch)
    with pytest.raises(TypeError, match="LabelledBatch"):
        objective(model, batch)
