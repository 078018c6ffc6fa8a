"""One update has the same gradients however its examples are laid out and cut up."""

import numpy as np
import pytest
import torch

from bertsmith.batches import PretrainingBatches
from bertsmith.examples import ExampleSettings
from bertsmith.model import BertForPreTraining
from bertsmith.objectives import MaskedLM
from bertsmith.store import TokenStore
from bertsmith.training.update import Updater
from bertsmith.training.window import Window
from pretraining_runs import recipe

NO_DROPOUT = ["model.hidden_dropout_prob=0", "model.attention_probs_dropout_prob=0"]
NUM_SEQUENCES = 32


@pytest.fixture
def source(store):
    return TokenStore(store)


def micro_batches(source, size):
    batches = PretrainingBatches(
        source,
        np.arange(source.num_documents),
        ExampleSettings(max_seq_length=32, short_seq_prob=0.5),
        global_batch_size=NUM_SEQUENCES,
        seed=0,
    )
    return batches.micro_batches(0, size)


def fresh_model(source):
    config = recipe(*NO_DROPOUT).model.config(len(source.vocabulary))
    return BertForPreTraining(config, generator=torch.Generator().manual_seed(1))


def gradients_of_an_update(source, size):
    """Gradients of one update, and the weights after it."""
    settings = recipe(*NO_DROPOUT, "training.max_grad_norm=0").training
    update = Updater(fresh_model(source), MaskedLM(), settings)
    window = Window()
    update(micro_batches(source, size), 1.0, window)
    gradients = {name: p.grad.clone() for name, p in update.model.named_parameters()}
    weights = {name: p.detach().clone() for name, p in update.model.named_parameters()}
    return gradients, weights, window.means()


def padded_gradients(source):
    """The same loss, written down once more for the padded interface."""
    model = fresh_model(source).train()
    (batch,) = micro_batches(source, NUM_SEQUENCES)
    lengths = batch.cu_seqlens.diff()
    mask = torch.arange(int(lengths.max())) < lengths[:, None]
    input_ids, token_types = torch.zeros(2, *mask.shape, dtype=torch.int64)
    input_ids[mask], token_types[mask] = batch.input_ids.long(), batch.token_type_ids.long()
    outputs = model(input_ids, mask, token_types)
    logits = outputs.prediction_logits[mask][batch.masked_positions]
    cross_entropy = torch.nn.functional.cross_entropy
    loss = cross_entropy(logits, batch.masked_labels) + cross_entropy(
        outputs.seq_relationship_logits, batch.next_sentence_labels.long()
    )
    loss.backward()
    return {name: p.grad for name, p in model.named_parameters()}


def assert_close(found, expected):
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        scale = value.abs().max().item()
        torch.testing.assert_close(found[name], value, atol=1e-5 * scale, rtol=1e-5, msg=name)


@pytest.mark.parametrize("size", [8, 5, 1], ids=["4 x 8", "6 x 5 + 2", "one by one"])
def test_accumulation_has_the_gradients_of_the_whole_batch(source, size):
    whole, weights, means = gradients_of_an_update(source, NUM_SEQUENCES)
    parts, weights_of_parts, means_of_parts = gradients_of_an_update(source, size)
    assert_close(parts, whole)
    assert means_of_parts == pytest.approx(means, rel=1e-5)
    # The first step of Adam is the gradient's sign, nearly: tiny gradients may differ in it.
    for name, value in weights.items():
        is_clear = whole[name].abs() > 1e-6
        torch.testing.assert_close(
            weights_of_parts[name][is_clear], value[is_clear], atol=1e-5, rtol=1e-4, msg=name
        )


def test_packed_and_padded_have_the_same_gradients(source):
    lengths = micro_batches(source, NUM_SEQUENCES)[0].cu_seqlens.diff()
    assert lengths.min() < lengths.max()
    packed, _, _ = gradients_of_an_update(source, NUM_SEQUENCES)
    assert_close(packed, padded_gradients(source))
