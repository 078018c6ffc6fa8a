import math

import pytest
import torch

from bertsmith.batches import LabelledBatch
from bertsmith.model import BertForTokenClassification
from bertsmith.objectives.token_labels import IGNORED, TokenLabels
from objective_checks import (
    INPUT_IDS,
    check_foreign_batch,
    check_gradients,
    check_precision,
    check_sums,
    tiny_model,
)

# [CLS], [SEP] and some pieces carry no label; the second sequence carries none at all.
LABELS = [
    [IGNORED, 0, 1, IGNORED],
    [IGNORED, IGNORED, IGNORED],
    [IGNORED, 2, IGNORED, 1, 0, IGNORED],
    [IGNORED, 2, IGNORED],
    [IGNORED, 1, IGNORED, IGNORED],
    [IGNORED, 0, IGNORED],
]


def make(indices):
    labels = [label for i in indices for label in LABELS[i]]
    return LabelledBatch.from_lists([INPUT_IDS[i] for i in indices], labels=torch.tensor(labels))


@pytest.fixture
def model():
    return tiny_model(BertForTokenClassification, labels=("a", "b", "c"))


def test_loss_is_over_labelled_tokens_alone(model):
    measure = TokenLabels()(model, make(range(6)))["token_labels"]
    total, count, num_correct = 0.0, 0, 0
    for ids, labels in zip(INPUT_IDS, LABELS, strict=True):
        rows = model(torch.tensor([ids])).logits[0].tolist()
        for row, label in zip(rows, labels, strict=True):
            if label != IGNORED:
                total += math.log(sum(math.exp(x) for x in row)) - row[label]
                num_correct += max(row) == row[label]
                count += 1
    assert measure.loss.total.item() == pytest.approx(total, rel=1e-9)
    assert (measure.loss.count, int(measure.num_correct)) == (count, num_correct)
    assert 0 < num_correct < count


def test_a_batch_without_labels_adds_nothing(model):
    measure = TokenLabels()(model, make([1]))["token_labels"]
    assert (measure.loss.total.item(), measure.loss.count, int(measure.num_correct)) == (0.0, 0, 0)
    measure.loss.total.backward()
    assert not model.classifier.weight.grad.any()


def test_chunks_add_up(model):
    check_sums(TokenLabels(), model, make, 6)


def test_gradients(model):
    check_gradients(TokenLabels(), model, make(range(4)))


def test_sums_are_float32(model):
    check_precision(TokenLabels(), model, make(range(6)))


def test_other_batches_are_refused(model):
    check_foreign_batch(TokenLabels(), model)
