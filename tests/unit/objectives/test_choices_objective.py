import math

import pytest
import torch

from bertsmith.batches import LabelledBatch
from bertsmith.model import BertForMultipleChoice
from bertsmith.objectives.choices import MultipleChoice
from objective_checks import (
    INPUT_IDS,
    check_foreign_batch,
    check_gradients,
    check_precision,
    check_sums,
    tiny_model,
)

LABELS = [2, 0, 1, 1]


def choices_of(index):
    return [INPUT_IDS[(index + offset) % 6] for offset in range(3)]


def make(indices):
    ids = [sequence for i in indices for sequence in choices_of(i)]
    return LabelledBatch.from_lists(ids, labels=torch.tensor([LABELS[i] for i in indices]))


@pytest.fixture
def model():
    return tiny_model(BertForMultipleChoice)


def test_loss_is_over_the_choices_of_each_example(model):
    measure = MultipleChoice()(model, make(range(4)))["choices"]
    total, num_correct = 0.0, 0
    for index, label in enumerate(LABELS):
        scores = [model(torch.tensor([[ids]])).logits.item() for ids in choices_of(index)]
        total += math.log(sum(math.exp(x) for x in scores)) - scores[label]
        num_correct += max(scores) == scores[label]
    assert measure.loss.total.item() == pytest.approx(total, rel=1e-9)
    assert (measure.loss.count, int(measure.num_correct)) == (4, num_correct)


def test_chunks_add_up(model):
    check_sums(MultipleChoice(), model, make, 4)


def test_gradients(model):
    # The bias shifts all choices alike, so its gradient is 0: gradcheck covers that too.
    check_gradients(MultipleChoice(), model, make(range(3)))


def test_sums_are_float32(model):
    check_precision(MultipleChoice(), model, make(range(4)))


def test_other_batches_are_refused(model):
    check_foreign_batch(MultipleChoice(), model)
