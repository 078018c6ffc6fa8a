import math

import pytest
import torch

from bertsmith.batches import LabelledBatch
from bertsmith.model import BertForQuestionAnswering
from bertsmith.objectives.spans import AnswerSpans
from objective_checks import (
    INPUT_IDS,
    check_foreign_batch,
    check_gradients,
    check_precision,
    check_sums,
    tiny_model,
)

LABELS = [[1, 2], [0, 0], [2, 4], [1, 1], [2, 2], [0, 0]]


def make(indices, labels=LABELS):
    ids = [INPUT_IDS[i] for i in indices]
    return LabelledBatch.from_lists(ids, labels=torch.tensor([labels[i] for i in indices]))


@pytest.fixture
def model():
    return tiny_model(BertForQuestionAnswering)


def minus_log_softmax(values, index):
    return math.log(sum(math.exp(x) for x in values)) - values[index]


def test_loss_is_the_mean_of_start_and_end_within_the_own_sequence(model):
    measure = AnswerSpans()(model, make(range(6)))["spans"]
    total = 0.0
    for ids, (start, end) in zip(INPUT_IDS, LABELS, strict=True):
        output = model(torch.tensor([ids]))
        total += minus_log_softmax(output.start_logits[0].tolist(), start) / 2
        total += minus_log_softmax(output.end_logits[0].tolist(), end) / 2
    assert measure.loss.total.item() == pytest.approx(total, rel=1e-9)
    assert measure.loss.count == 6


def test_a_hit_needs_both_ends(model):
    best = []
    for ids in INPUT_IDS:
        output = model(torch.tensor([ids]))
        best.append([int(output.start_logits.argmax()), int(output.end_logits.argmax())])
    assert int(AnswerSpans()(model, make(range(6), best))["spans"].num_correct) == 6
    best[0][0] = (best[0][0] + 1) % len(INPUT_IDS[0])
    best[2][1] = (best[2][1] + 1) % len(INPUT_IDS[2])
    assert int(AnswerSpans()(model, make(range(6), best))["spans"].num_correct) == 4


def test_chunks_add_up(model):
    check_sums(AnswerSpans(), model, make, 6)


def test_gradients(model):
    check_gradients(AnswerSpans(), model, make(range(4)))


def test_sums_are_float32(model):
    check_precision(AnswerSpans(), model, make(range(6)))


def test_other_batches_are_refused(model):
    check_foreign_batch(AnswerSpans(), model)
