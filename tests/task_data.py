"""Tiny data sets in every task's own format, and what right and wrong predictions look like."""

import csv
import json
from pathlib import Path
from typing import Any

from bertsmith.inference.answering import AnswerCandidates, AnswerSpan
from bertsmith.tasks import Task
from bertsmith.tasks.families.answering import AnsweringTask
from bertsmith.tasks.families.choosing import ChoicePrediction, ChoosingTask
from bertsmith.tasks.families.classification import ClassificationTask, ClassPrediction
from bertsmith.tasks.families.regression import RegressionTask
from bertsmith.tasks.families.tagging import TaggingTask
from bertsmith.wordpiece import SPECIAL_TOKENS, Tokenizer, Vocabulary

WORDS = (
    *("red", "blue", "green", "cat", "dog", "bird", "sees", "likes", "the", "a", "in", "on"),
    *("house", "tree", "##s", "##ing", ".", "?", "who", "where"),
)
ANIMALS = ("cat", "dog", "bird")
COLOURS = ("red", "blue", "green")
NUM_TRAIN, NUM_DEV = 12, 6


def tiny_tokenizer() -> Tokenizer:
    return Tokenizer(Vocabulary((*SPECIAL_TOKENS, *WORDS)))


def write_task_data(task: Task[Any, Any, Any], folder: Path) -> None:
    """Writes a train file and every dev and test file of a task, in the form of its family."""
    splits = {"train": NUM_TRAIN, **dict.fromkeys((*task.dev_splits, *task.test_splits), NUM_DEV)}
    folder.mkdir(parents=True, exist_ok=True)
    for split, count in splits.items():
        if isinstance(task, ClassificationTask | RegressionTask):
            _write_table(task, folder / f"{split}.tsv", count)
        elif isinstance(task, TaggingTask):
            _write_columns(folder / f"{split}.txt", count)
        elif isinstance(task, AnsweringTask):
            _write_squad(folder / f"{split}.json", count, with_null=task.unanswerable)
        elif isinstance(task, ChoosingTask):
            _write_swag(folder / f"{split}.csv", count)
        else:
            raise AssertionError(f"say here what data of {type(task).__name__} look like")


def _write_table(task: ClassificationTask | RegressionTask, path: Path, count: int) -> None:
    columns = task.columns
    header = list(columns.layout.headerless) or [
        "index",
        columns.first[0],
        *columns.second[:1],
        columns.label[0],
    ]
    is_number = isinstance(task, RegressionTask)
    labels = ("0.5", "2.0", "4.5") if is_number else getattr(task, "fixed_labels", ()) or COLOURS
    lines = [] if columns.layout.headerless else ["\t".join(header)]
    for number in range(count):
        kind = number % len(labels)
        values = dict.fromkeys(header, "x")
        values[columns.first[0]] = f'the {COLOURS[kind]} {ANIMALS[number % 2]} "sees'
        if columns.second:
            values[columns.second[0]] = f"a {ANIMALS[kind]} in the tree"
        values[columns.label[0]] = labels[kind]
        lines.append("\t".join(values[name] for name in header))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _write_columns(path: Path, count: int) -> None:
    lines = ["-DOCSTART- -X- O O", ""]
    for number in range(count):
        animal, colour = ANIMALS[number % 3], COLOURS[number // 2 % 3]
        lines += ["the DT O", f"{colour} JJ I-ANIMAL", f"{animal} NN I-ANIMAL", "sees VB O"]
        lines += ["trees NN I-PLACE", ". . O", ""]
    path.write_text("\n".join(lines), encoding="utf-8")


def _write_squad(path: Path, count: int, *, with_null: bool) -> None:
    paragraphs = []
    for number in range(count):
        colour, animal = COLOURS[number % 3], ANIMALS[number // 2 % 3]
        context = f"The  {colour} {animal} sees a house. A tree likes the {animal}s on the house."
        answer = f"{colour} {animal}"
        is_impossible = with_null and number % 4 == 3
        found = [] if is_impossible else [{"text": answer, "answer_start": context.find(answer)}]
        qas = {
            "id": f"q{number}",
            "question": "who likes the bird?" if is_impossible else "who sees a house?",
            "answers": found,
            "is_impossible": is_impossible,
        }
        paragraphs.append({"context": context, "qas": [qas]})
    data = {"version": "2.0", "data": [{"title": "x", "paragraphs": paragraphs}]}
    path.write_text(json.dumps(data), encoding="utf-8")


def _write_swag(path: Path, count: int) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["", "sent1", "sent2", *(f"ending{i}" for i in range(4)), "label"])
        for number in range(count):
            right = number % 4
            endings = [f"{colour} tree." for colour in ("blue", "green", "red", "the")]
            endings[right] = f"{ANIMALS[number % 3]}, a bird."
            opening = f"A {ANIMALS[number % 3]} likes"
            writer.writerow([number, "The cat sees the house.", opening, *endings, right])


def right_prediction(task: Task[Any, Any, Any], example: Any) -> Any:
    """The prediction that scores best."""
    if isinstance(task, ClassificationTask):
        return ClassPrediction(example.label, (1.0,))
    if isinstance(task, RegressionTask):
        return float(example.label)
    if isinstance(task, TaggingTask):
        return list(example.tags)
    if isinstance(task, ChoosingTask):
        return ChoicePrediction(example.label, (1.0,))
    text = example.answers[0].text if example.answers else "house"
    return AnswerCandidates([AnswerSpan(text, 0, 1, 1.0)], -4.0 if example.answers else 9.0)


def wrong_prediction(task: Task[Any, Any, Any], example: Any) -> Any:
    """A prediction that is wrong in every example."""
    if isinstance(task, ClassificationTask):
        labels = task.fixed_labels or COLOURS
        return ClassPrediction(labels[(labels.index(example.label) + 1) % len(labels)], (1.0,))
    if isinstance(task, RegressionTask):
        return -float(example.label)
    if isinstance(task, TaggingTask):
        return ["O" if tag != "O" else "B-ANIMAL" for tag in example.tags]
    if isinstance(task, ChoosingTask):
        return ChoicePrediction((example.label + 1) % 4, (1.0,))
    return AnswerCandidates([AnswerSpan("tree", 0, 1, 1.0)], 9.0 if example.answers else -4.0)
