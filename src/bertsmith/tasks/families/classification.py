"""Classes of single sentences and of pairs."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from bertsmith._words import counted
from bertsmith.batches import LabelledBatch
from bertsmith.errors import DataError
from bertsmith.inference.running import run_packed
from bertsmith.metrics import accuracy, binary_f1, macro_f1, matthews_correlation
from bertsmith.model import BertForSequenceClassification, Precision
from bertsmith.model.base import PretrainedModel
from bertsmith.model.config import ProblemType
from bertsmith.model.packing import PackedSequences
from bertsmith.objectives.classification import SequenceClassification
from bertsmith.tasks.base import Task, TaskData
from bertsmith.tasks.data.tables import TABLE_EXTENSIONS
from bertsmith.tasks.families.labels import label_ids, labels_given, sorted_labels
from bertsmith.tasks.families.sequences import (
    Columns,
    SequenceExample,
    SequenceFeature,
    collate_sequences,
    encode_sequences,
)
from bertsmith.wordpiece import Tokenizer

__all__ = ["ClassPrediction", "ClassificationTask"]

_METRICS: dict[str, Callable[[Sequence[str], Sequence[str]], float]] = {
    "accuracy": accuracy,
    "f1": lambda labels, predictions: binary_f1(labels, predictions, positive="1"),
    "macro_f1": macro_f1,
    "matthews_correlation": matthews_correlation,
}


@dataclass(frozen=True)
class ClassPrediction:
    """The likeliest class, and the probabilities of all classes in the order of their ids."""

    label: str
    probabilities: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class ClassificationTask(Task[SequenceExample, SequenceFeature, ClassPrediction]):
    """Classifies a text or a pair of texts by the pooled [CLS].

    **Source**: the paper, section 4.1.

    Attributes:
        columns: where texts and labels stand.
        fixed_labels: the classes by id; () to take those of the training examples, sorted.
    """

    columns: Columns
    fixed_labels: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ("accuracy",)
    extensions: tuple[str, ...] = field(default=TABLE_EXTENSIONS)

    @property
    def model_class(self) -> type[PretrainedModel[Any]]:
        """`BertForSequenceClassification`."""
        return BertForSequenceClassification

    @property
    def problem_type(self) -> ProblemType:
        """One class for each sequence."""
        return "single_label_classification"

    def labels(self, examples: Sequence[SequenceExample]) -> tuple[str, ...]:
        """The fixed classes, or those of the examples: by number if all are, else by name."""
        if self.fixed_labels:
            return self.fixed_labels
        labels = sorted_labels(example.label for example in examples)
        if len(labels) < 2:
            raise DataError(
                f"{counted(len(labels), 'class')} in the training data ({', '.join(labels)})",
                where=examples[0].where if examples else None,
                fix="give examples of two classes at least",
            )
        return labels

    def read_file(self, path: Path, *, labelled: bool) -> TaskData[SequenceExample]:
        """Reads a table; labels are checked against the fixed classes, if there are any."""
        examples, notes = self.columns.read(path, labelled=labelled)
        if self.fixed_labels and labelled:
            label_ids(((e.label, e.where) for e in examples), self.fixed_labels)
        return TaskData(examples, (path,), notes)

    def encode(
        self,
        examples: Sequence[SequenceExample],
        tokenizer: Tokenizer,
        *,
        labels: Sequence[str],
        max_seq_length: int,
    ) -> list[SequenceFeature]:
        """One feature for each example; labels become class ids."""
        ids = label_ids(((e.label, e.where) for e in examples), labels)
        return encode_sequences(examples, ids, tokenizer, max_seq_length)

    def collate(self, features: Sequence[SequenceFeature]) -> LabelledBatch:
        """Labels are class ids, int64 [B]."""
        return collate_sequences(features, torch.int64)

    def objective(self) -> SequenceClassification:
        """Cross-entropy of the classes."""
        return SequenceClassification()

    def predict(
        self,
        model: PretrainedModel[Any],
        examples: Sequence[SequenceExample],
        features: Sequence[SequenceFeature],
        *,
        max_tokens_per_batch: int = 8192,
        precision: Precision = "fp32",
    ) -> list[ClassPrediction]:
        """The likeliest class of each example."""

        def classify(
            packed: PackedSequences, _: Sequence[SequenceFeature]
        ) -> list[ClassPrediction]:
            logits = model.forward_packed(packed).logits
            return [
                ClassPrediction(names[max(range(len(row)), key=row.__getitem__)], tuple(row))
                for row in logits.float().softmax(dim=-1).tolist()
            ]

        names = model.config.labels
        return run_packed(
            model,
            features,
            classify,
            max_tokens_per_batch=max_tokens_per_batch,
            precision=precision,
        )

    def score(
        self, examples: Sequence[SequenceExample], predictions: Sequence[ClassPrediction]
    ) -> dict[str, float]:
        """The task's metrics; F1 is that of class "1"."""
        labels = labels_given((example.label, example.where) for example in examples)
        found = [prediction.label for prediction in predictions]
        return {name: _METRICS[name](labels, found) for name in self.metrics}

    def same_answer(self, examples: Sequence[SequenceExample]) -> list[ClassPrediction]:
        """The class that most of them have, of equally many the first."""
        labels = labels_given((example.label, example.where) for example in examples)
        return [ClassPrediction(Counter(labels).most_common(1)[0][0], (1.0,))] * len(labels)

    def record(self, example: SequenceExample, prediction: ClassPrediction) -> dict[str, Any]:
        """`text` or `text_a` and `text_b`, `label`, `prediction`, `probabilities`."""
        probabilities = [round(probability, 6) for probability in prediction.probabilities]
        return {
            **texts_of(example),
            "label": example.label,
            "prediction": prediction.label,
            "probabilities": probabilities,
        }


def texts_of(example: SequenceExample) -> dict[str, str]:
    """The texts under the column names of the generic tasks."""
    if example.second is None:
        return {"text": example.first}
    return {"text_a": example.first, "text_b": example.second}
