import pytest
import torch

from bertsmith.batches import LabelledBatch
from bertsmith.model import BertForSequenceClassification
from bertsmith.objectives.regression import SequenceRegression
from objective_checks import (
    INPUT_IDS,
    check_foreign_batch,
    check_gradients,
    check_precision,
    check_sums,
    tiny_model,
)

LABELS = [0.5, -1.25, 3.0, 5.0, 2.5, 0.0]


def make(indices):
    ids = [INPUT_IDS[i] for i in indices]
    return LabelledBatch.from_lists(ids, labels=torch.tensor([LABELS[i] for i in indices]))


@pytest.fixture
def model():
    return tiny_model(BertForSequenceClassification, labels=("score",))


def test_loss_is_the_squared_error(model):
    measure = SequenceRegression()(model, make(range(6)))["regression"]
    found = [model(torch.tensor([ids])).logits.item() for ids in INPUT_IDS]
    total = sum((x - label) ** 2 for x, label in zip(found, LABELS, strict=True))
    assert measure.loss.total.item() == pytest.approx(total, rel=1e-9)
    assert measure.loss.count == 6
    assert measure.num_correct is None


def test_chunks_add_up(model):
    check_sums(SequenceRegression(), model, make, 6)


def test_gradients(model):
    check_gradients(SequenceRegression(), model, make(range(4)))


def test_sums_are_float32(model):
    check_precision(SequenceRegression(), model, make(range(6)))


def test_other_batches_are_refused(model):
    check_foreign_batch(SequenceRegression(), model)
