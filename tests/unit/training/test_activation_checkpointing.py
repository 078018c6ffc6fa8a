"""Computing activations again changes no gradient, with dropout neither."""

import pytest
import torch

from bertsmith.model import BertConfig, BertForPreTraining
from bertsmith.model.encoder import EncoderLayer
from bertsmith.model.packing import PackedSequences
from bertsmith.objectives import LossSum, Measure
from bertsmith.training import LoopSettings
from bertsmith.training.update import Updater
from bertsmith.training.window import Window


class Logits:
    """A loss that every weight has a part in."""

    def counts(self, batch):
        return {"logits": batch.num_tokens}

    def __call__(self, model, batch):
        outputs = model.forward_packed(batch)
        total = outputs.prediction_logits.logsumexp(-1).sum()
        return {
            "logits": Measure(
                LossSum(total + outputs.seq_relationship_logits.sum(), batch.num_tokens)
            )
        }


def trained(attention, **settings):
    """A model after two updates with dropout, and how many layers were run for them."""
    config = BertConfig.of_size(
        "tiny", vocab_size=40, hidden_dropout_prob=0.2, attention_probs_dropout_prob=0.2,
        attention=attention,
    )  # fmt: skip
    model = BertForPreTraining(config, generator=torch.Generator().manual_seed(0))
    num_runs = 0

    def count(*_):
        nonlocal num_runs
        num_runs += 1

    for module in model.modules():
        if isinstance(module, EncoderLayer):
            module.attention.register_forward_pre_hook(count)
    update = Updater(model, Logits(), LoopSettings(precision="fp32", **settings))
    batch = PackedSequences.from_lists([[2, 7, 9, 3], [2, 11, 3], [2, 5, 6, 7, 8, 3]])
    torch.manual_seed(5)
    for _ in range(2):
        update([batch, batch], 1.0, Window())
    return model, num_runs


@pytest.mark.parametrize("attention", ["bidirectional", "causal"])
def test_the_same_gradients_from_twice_the_work(attention):
    kept, num_kept = trained(attention)
    again, num_again = trained(attention, activation_checkpointing=True)
    assert num_again == 2 * num_kept
    for (name, one), other in zip(kept.named_parameters(), again.parameters(), strict=True):
        assert torch.equal(one.grad, other.grad), name
        assert torch.equal(one, other), name
