"""Which positions each pre-training objective predicts, and what of it a GPU is asked for."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from bertsmith.batches import LabelledBatch, PretrainingBatch
from bertsmith.model import PreTrainingSums, TokenClassifierOutput
from bertsmith.model.packing import PackedSequences, rows_at
from bertsmith.objectives import IGNORED, LeftToRight, LossSum, Measure, TokenLabels, token_labels

# What can't be known without the numbers on the device.
WAITING = {"nonzero", "_local_scalar_dense", "masked_select", "_unique2"}


def batch(lengths):
    start, ids = 5, []
    for length in lengths:
        ids.append([5 + (start + i) % 25 for i in range(length)])
        start += length
    packed = PackedSequences.from_lists(ids)
    positions = torch.arange(0, packed.num_tokens, 2)
    labels = packed.input_ids[positions]
    packed.input_ids[positions] = 4
    parts = [getattr(packed, name) for name in packed.__dataclass_fields__]
    return PretrainingBatch(*parts, positions, labels, None)


class Waits(TorchDispatchMode):
    """Notes the operators for which a GPU would be waited for."""

    def __init__(self):
        super().__init__()
        self.names = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        name = function.overloadpacket.__name__
        by_mask = name.startswith("index") and any(
            torch.is_tensor(part) and part.dtype == torch.bool
            for part in (args[1] if isinstance(args[1], (list, tuple)) else ())
        )
        counts_itself = name == "repeat_interleave" and (kwargs or {}).get("output_size") is None
        if name in WAITING or by_mask or counts_itself:
            self.names.append(name)
        return function(*args, **(kwargs or {}))


class Noting(torch.nn.Module):
    """Notes what is to be predicted."""

    def forward_sums(self, whole, positions, labels, sums):
        self.positions, self.labels = positions, labels
        zero = torch.zeros(())
        return PreTrainingSums(zero, zero.long(), torch.zeros(whole.batch_size, 2))


@pytest.mark.parametrize("lengths", [(4, 1, 6, 1), (1, 1), (1,), (3,), (2, 5)])
def test_left_to_right_predicts_the_token_after_each(lengths):
    model = Noting()
    given, expected, start = batch(lengths), [], 0
    for length in lengths:
        expected += range(start, start + length - 1)
        start += length
    with Waits() as waits:
        measure = LeftToRight()(model, given)["ltr"]
    ids = given.unmasked().input_ids.tolist()
    assert model.positions.tolist() == expected
    assert model.positions.dtype == torch.int64
    assert model.labels.tolist() == [ids[i + 1] for i in expected]
    assert measure.loss.count == len(expected) == LeftToRight().counts(given)["ltr"]
    assert waits.names == []


class Ones(torch.nn.Module):
    """Has the same logits everywhere."""

    def forward_packed(self, packed):
        return TokenClassifierOutput(torch.ones(packed.num_tokens, 2))


def test_token_labels_ask_for_their_number_once(monkeypatch):
    # On a CPU the hits are counted by a mask, which a GPU doesn't do.
    def noted(logits, labels):
        noted.given = logits, labels
        return Measure(LossSum(logits.sum(), len(labels)))

    monkeypatch.setattr(token_labels, "cross_entropy_sum", noted)
    ids = [[2, 7, 8, 3], [2, 9, 3]]
    labels = [IGNORED, 0, 1, IGNORED, IGNORED, 1, IGNORED]
    given = LabelledBatch.from_lists(ids, labels=torch.tensor(labels))
    with Waits() as waits:
        TokenLabels()(Ones(), given)
    logits, found = noted.given
    assert waits.names == ["nonzero"]
    assert logits.shape == (3, 2)
    assert found.tolist() == [0, 1, 1]


def test_rows_are_those_of_indexing_on_any_device():
    values = torch.randn(7, 3, requires_grad=True)
    rows = torch.tensor([5, 0, 2])
    assert torch.equal(rows_at(values, rows), values[rows])
    with torch.device("meta"):
        assert rows_at(torch.empty(7, 3), torch.empty(2, dtype=torch.int64)).shape == (2, 3)
    upper = torch.randn(3, 3)
    gradients = [
        torch.autograd.grad(taken, values, upper)[0]
        for taken in (values[rows], values.index_select(0, rows))
    ]
    assert torch.equal(*gradients)
