import math

import pytest
import torch

from bertsmith.batches import LabelledBatch
from bertsmith.model import BertForSequenceClassification
from bertsmith.objectives.classification import SequenceClassification
from objective_checks import (
    INPUT_IDS,
    check_foreign_batch,
    check_gradients,
    check_precision,
    check_sums,
    tiny_model,
)

LABELS = [0, 2, 1, 1, 2, 0]


def make(indices):
    ids = [INPUT_IDS[i] for i in indices]
    return LabelledBatch.from_lists(ids, labels=torch.tensor([LABELS[i] for i in indices]))


@pytest.fixture
def model():
    return tiny_model(BertForSequenceClassification, labels=("a", "b", "c"))


def test_loss_is_the_sum_of_each_sequences_own(model):
    measure = SequenceClassification()(model, make(range(6)))["classification"]
    total, num_correct = 0.0, 0
    for ids, label in zip(INPUT_IDS, LABELS, strict=True):
        logits = model(torch.tensor([ids])).logits[0].tolist()
        total += math.log(sum(math.exp(x) for x in logits)) - logits[label]
        num_correct += max(logits) == logits[label]
    assert measure.loss.total.item() == pytest.approx(total, rel=1e-9)
    assert (measure.loss.count, int(measure.num_correct)) == (6, num_correct)
    assert 0 < num_correct < 6


def test_chunks_add_up(model):
    check_sums(SequenceClassification(), model, make, 6)


def test_gradients(model):
    check_gradients(SequenceClassification(), model, make(range(4)))


def test_sums_are_float32(model):
    check_precision(SequenceClassification(), model, make(range(6)))


def test_other_batches_are_refused(model):
    check_foreign_batch(SequenceClassification(), model)
