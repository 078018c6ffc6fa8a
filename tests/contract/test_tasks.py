"""What every fine-tuning task must do; a new task is picked up by its module's name."""

import json
import math

import pytest
import torch

from bertsmith.errors import DataError
from bertsmith.model import BertConfig
from bertsmith.tasks import get_task, task_names
from task_data import (
    NUM_DEV,
    NUM_TRAIN,
    right_prediction,
    tiny_tokenizer,
    write_task_data,
    wrong_prediction,
)

MAX_SEQ_LENGTH = 24


@pytest.fixture(scope="module", params=task_names())
def task(request):
    return get_task(request.param)


@pytest.fixture(scope="module")
def tokenizer():
    return tiny_tokenizer()


@pytest.fixture(scope="module")
def folder(task, tmp_path_factory):
    path = tmp_path_factory.mktemp(task.name)
    write_task_data(task, path)
    return path


@pytest.fixture(scope="module")
def train(task, folder):
    return task.read(folder, "train").examples


@pytest.fixture(scope="module")
def dev(task, folder):
    return task.read(folder, "dev").examples


def new_model(task, train, tokenizer, **changes):
    labels = task.labels(train)
    config = BertConfig(
        vocab_size=len(tokenizer.vocabulary),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
        problem_type=task.problem_type,
        **({"labels": labels} if labels else {}),
        **changes,
    )
    return task.model_class(config, generator=torch.Generator().manual_seed(0))


def encode(task, model, examples, tokenizer, max_seq_length=MAX_SEQ_LENGTH):
    return task.encode(
        examples, tokenizer, labels=model.config.labels, max_seq_length=max_seq_length
    )


def test_is_described(task, request):
    assert task.name == request.node.callspec.params["task"]
    assert task.main_metric == task.metrics[0]
    assert len(set(task.metrics)) == len(task.metrics) > 0
    assert 0 < len(task.summary) <= 100
    assert "\n" not in task.summary
    assert task.max_seq_length >= 128
    assert task.num_epochs > 0


def test_reads_every_split(task, folder):
    assert len(task.read(folder, "train").examples) == NUM_TRAIN
    assert task.dev_splits_in(folder) == task.dev_splits
    for split in ("dev", *task.dev_splits, *task.test_splits):
        assert len(task.read(folder, split).examples) == NUM_DEV


def test_encodes_every_example_within_the_length(task, train, tokenizer):
    model = new_model(task, train, tokenizer)
    features = encode(task, model, train, tokenizer)
    indices = [feature.example_index for feature in features]
    assert sorted(set(indices)) == list(range(len(train)))
    assert indices == sorted(indices)
    for feature in features:
        sequences = getattr(feature, "sequences", (feature,))
        assert feature.num_tokens == sum(len(sequence.input_ids) for sequence in sequences)
        for sequence in sequences:
            assert 2 < len(sequence.input_ids) <= MAX_SEQ_LENGTH
            assert len(sequence.input_ids) == len(sequence.token_type_ids)
            assert sequence.input_ids[0] == tokenizer.vocabulary.cls_id
            assert sequence.input_ids[-1] == tokenizer.vocabulary.sep_id


def test_objective_counts_and_adds_up(task, train, tokenizer):
    model = new_model(task, train, tokenizer).eval()
    features = task.trainable(encode(task, model, train, tokenizer))
    objective = task.objective()
    whole = task.collate(features)
    assert whole.num_tokens == sum(feature.num_tokens for feature in features)
    ((name, measure),) = objective(model, whole).items()
    assert objective.counts(whole) == {name: measure.loss.count}
    chunks = [task.collate(features[start : start + 5]) for start in range(0, len(features), 5)]
    parts = [objective(model, chunk)[name] for chunk in chunks]
    assert sum(part.loss.count for part in parts) == measure.loss.count > 0
    total = sum(part.loss.total.item() for part in parts)
    assert total == pytest.approx(measure.loss.total.item(), rel=1e-5)
    if measure.num_correct is not None:
        assert sum(int(part.num_correct) for part in parts) == int(measure.num_correct)


def test_gradients_reach_every_layer(task, train, tokenizer):
    model = new_model(task, train, tokenizer)
    features = task.trainable(encode(task, model, train, tokenizer))
    ((_, measure),) = task.objective()(model, task.collate(features)).items()
    measure.loss.mean.backward()
    for name, parameter in model.named_parameters():
        # The same number added to all choices, or to all positions, changes no probability.
        shifts_all = name == "classifier.bias" and task.model_class.__name__.endswith("Choice")
        if not shifts_all and not name.endswith(("key.bias", "qa_outputs.bias")):
            assert parameter.grad is not None, name
            assert parameter.grad.abs().max() > 0, name


def test_predicts_each_example_whatever_the_batches(task, train, dev, tokenizer):
    model = new_model(task, train, tokenizer, initializer_range=0.5)
    features = encode(task, model, dev, tokenizer)
    records = []
    for max_tokens in (1, 60, 10_000):
        found = task.predict(model, dev, features, max_tokens_per_batch=max_tokens)
        assert len(found) == len(dev)
        assert math.isfinite(task.score(dev, found)[task.main_metric])
        records.append([task.record(*pair) for pair in zip(dev, found, strict=True)])
    assert model.training
    for others in records[1:]:
        for one, other in zip(records[0], others, strict=True):
            assert_close(one, other)


def assert_close(one, other):
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        for name, value in one.items():
            assert_close(value, other[name])
    elif isinstance(one, list):
        for a, b in zip(one, other, strict=True):
            assert_close(a, b)
    elif isinstance(one, float):
        assert one == pytest.approx(other, abs=1e-3)
    else:
        assert one == other


def test_perfect_predictions_score_one_and_wrong_ones_less(task, dev):
    perfect = task.score(dev, [right_prediction(task, example) for example in dev])
    wrong = task.score(dev, [wrong_prediction(task, example) for example in dev])
    assert set(task.metrics) <= perfect.keys()
    for name in task.metrics:
        assert perfect[name] == pytest.approx(1.0), name
        # With a threshold found on dev, never answering is right where there is no answer.
        assert wrong[name] <= 0.2, name
    with pytest.raises(DataError, match="nothing to score"):
        task.score([], [])


def test_the_same_answer_is_what_most_examples_have_or_their_mean(task, dev):
    examples = [*dev, dev[0], dev[0]]
    answers = task.same_answer(examples)
    if answers is None:
        assert "accuracy" not in task.metrics
        return
    if task.problem_type == "regression":
        assert answers == [sum(float(example.label) for example in examples) / len(examples)] * len(
            examples
        )
        assert task.score(examples, answers)[task.main_metric] == 0
        return
    is_tags = isinstance(answers[0], list)
    assert answers[0] == (["O"] * 6 if is_tags else right_prediction(task, dev[0]))
    assert all(answer == answers[0] for answer in answers)
    scores = task.score(examples, answers)
    rights = [right_prediction(task, example) for example in examples]
    share = 0.5 if is_tags else rights.count(rights[0]) / len(rights)
    assert scores.get("accuracy", share) == pytest.approx(share)
    assert 0 <= scores[task.main_metric] < 1


def test_unlabelled_examples_are_predicted_but_not_scored(task, train, folder, tokenizer, tmp_path):
    examples = strip_labels(task, task.read(folder, "test").examples)
    model = new_model(task, train, tokenizer)
    features = encode(task, model, examples, tokenizer)
    found = task.predict(model, examples, features)
    task.write_predictions(tmp_path / "predictions.jsonl", examples, found)
    lines = (tmp_path / "predictions.jsonl").read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    assert [record["index"] for record in records] == list(range(len(examples)))
    assert all("prediction" in record for record in records)
    with pytest.raises(DataError, match="no label"):
        task.score(examples, found)
    with pytest.raises(DataError, match="labelled data"):
        task.collate(features)


def strip_labels(task, examples):
    from dataclasses import fields, replace

    names = {field.name for field in fields(examples[0])}
    (name,) = names & {"label", "tags", "answers"}
    return [replace(example, **{name: None}) for example in examples]


def test_learns_its_examples_by_heart(task, train, tokenizer):
    """The way from labels to loss and the way from outputs to predictions agree."""
    model = new_model(task, train, tokenizer, initializer_range=0.1).eval()  # without dropout
    features = task.trainable(encode(task, model, train, tokenizer))
    batch, objective = task.collate(features), task.objective()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(150):
        ((_, measure),) = objective(model, batch).items()
        if measure.loss.mean < 0.02:
            break
        optimizer.zero_grad()
        measure.loss.mean.backward()
        optimizer.step()
    features = encode(task, model, train, tokenizer)
    scores = task.score(train, task.predict(model, train, features))
    assert scores[task.main_metric] > 0.95
