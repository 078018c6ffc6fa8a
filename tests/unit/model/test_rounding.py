import pytest
import torch

from bertsmith.model import BertConfig, BertForPreTraining, PackedSequences
from bertsmith.model.rounding import num_rows_for, with_rows

CPU = torch.device("cpu")


@pytest.mark.parametrize("num_rows", [0, 1, 15, 16, 17, 100, 999, 6_900, 123_457])
def test_rounds_up_by_little_to_few_values(num_rows):
    rounded = num_rows_for(num_rows, CPU)
    assert num_rows <= rounded <= num_rows * 1.0625
    with torch.no_grad():
        assert num_rows_for(num_rows, CPU) == num_rows


def test_few_shapes_recur():
    assert len({num_rows_for(n, CPU) for n in range(4096, 8193)}) == 17


def test_rows_of_no_meaning_change_nothing(monkeypatch):
    """The same loss and gradients with and without rows behind the tokens."""
    config = BertConfig.of_size("tiny", vocab_size=50, hidden_dropout_prob=0.0,
                                attention_probs_dropout_prob=0.0)  # fmt: skip
    model = BertForPreTraining(config, generator=torch.Generator().manual_seed(0)).double()
    packed = PackedSequences.from_lists([list(range(5, 5 + n)) for n in (33, 21, 40, 7)])
    positions = torch.arange(2, packed.num_tokens, 3)
    assert num_rows_for(packed.num_tokens, CPU) > packed.num_tokens
    assert num_rows_for(len(positions), CPU) > len(positions)

    def gradients():
        model.zero_grad()
        output = model.forward_packed(packed, positions)
        loss = output.prediction_logits.square().sum() + output.seq_relationship_logits.exp().sum()
        loss.backward()
        return [loss.detach(), *(parameter.grad for parameter in model.parameters())]

    rounded = gradients()
    for module in ("attention", "pretraining"):
        monkeypatch.setattr(f"bertsmith.model.{module}.num_rows_for", lambda n, device: n)
    for one, other in zip(rounded, gradients(), strict=True):
        torch.testing.assert_close(one, other, atol=1e-10, rtol=1e-10)


def test_with_rows_appends_zeros():
    assert with_rows(torch.ones(2, 2), 3).tolist() == [[1, 1], [1, 1], [0, 0]]
    assert with_rows(torch.tensor([4, 5]), 4).tolist() == [4, 5, 0, 0]
