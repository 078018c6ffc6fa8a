"""A number for each sentence or pair."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from bertsmith.batches import LabelledBatch
from bertsmith.errors import DataError
from bertsmith.inference.running import run_packed
from bertsmith.metrics import pearson_correlation, spearman_correlation
from bertsmith.model import BertForSequenceClassification, Precision
from bertsmith.model.base import PretrainedModel
from bertsmith.model.config import ProblemType
from bertsmith.model.packing import PackedSequences
from bertsmith.objectives.regression import SequenceRegression
from bertsmith.tasks.base import Task, TaskData
from bertsmith.tasks.data.tables import TABLE_EXTENSIONS
from bertsmith.tasks.families.classification import texts_of
from bertsmith.tasks.families.labels import labels_given
from bertsmith.tasks.families.sequences import (
    Columns,
    SequenceExample,
    SequenceFeature,
    collate_sequences,
    encode_sequences,
)
from bertsmith.wordpiece import Tokenizer

__all__ = ["RegressionTask"]


@dataclass(frozen=True, kw_only=True)
class RegressionTask(Task[SequenceExample, SequenceFeature, float]):
    """Predicts a number for a text or a pair by the pooled [CLS], in the labels' own unit.

    Attributes:
        columns: where texts and scores stand.
    """

    columns: Columns
    metrics: tuple[str, ...] = ("pearson_correlation", "spearman_correlation")
    extensions: tuple[str, ...] = field(default=TABLE_EXTENSIONS)

    @property
    def model_class(self) -> type[PretrainedModel[Any]]:
        """`BertForSequenceClassification` with one output."""
        return BertForSequenceClassification

    @property
    def problem_type(self) -> ProblemType:
        """A number for each sequence."""
        return "regression"

    def labels(self, examples: Sequence[SequenceExample]) -> tuple[str, ...]:
        """The name of the one output; numbers that are all the same are refused."""
        scores = {_score(example) for example in examples}
        if len(scores) < 2:
            same = f", {scores.pop():g}" if scores and None not in scores else ""
            raise DataError(
                f"all examples have the same number{same}",
                where=examples[0].where if examples else None,
                fix="give examples whose numbers differ",
            )
        return ("score",)

    def read_file(self, path: Path, *, labelled: bool) -> TaskData[SequenceExample]:
        """Reads a table; every score must be a finite number."""
        examples, notes = self.columns.read(path, labelled=labelled)
        for example in examples:
            _score(example)
        return TaskData(examples, (path,), notes)

    def encode(
        self,
        examples: Sequence[SequenceExample],
        tokenizer: Tokenizer,
        *,
        labels: Sequence[str],
        max_seq_length: int,
    ) -> list[SequenceFeature]:
        """One feature for each example; labels are the scores."""
        scores = [_score(example) for example in examples]
        return encode_sequences(examples, scores, tokenizer, max_seq_length)

    def collate(self, features: Sequence[SequenceFeature]) -> LabelledBatch:
        """Labels are the scores, float32 [B]."""
        return collate_sequences(features, torch.float32)

    def objective(self) -> SequenceRegression:
        """Squared error."""
        return SequenceRegression()

    def predict(
        self,
        model: PretrainedModel[Any],
        examples: Sequence[SequenceExample],
        features: Sequence[SequenceFeature],
        *,
        max_tokens_per_batch: int = 8192,
        precision: Precision = "fp32",
    ) -> list[float]:
        """The predicted number of each example."""

        def predict_scores(packed: PackedSequences, _: Sequence[SequenceFeature]) -> list[float]:
            scores: list[float] = model.forward_packed(packed).logits.float().squeeze(-1).tolist()
            return scores

        return run_packed(
            model,
            features,
            predict_scores,
            max_tokens_per_batch=max_tokens_per_batch,
            precision=precision,
        )

    def score(
        self, examples: Sequence[SequenceExample], predictions: Sequence[float]
    ) -> dict[str, float]:
        """Pearson and Spearman correlation."""
        labels = labels_given((_score(example), example.where) for example in examples)
        return {
            "pearson_correlation": pearson_correlation(labels, predictions),
            "spearman_correlation": spearman_correlation(labels, predictions),
        }

    def same_answer(self, examples: Sequence[SequenceExample]) -> list[float]:
        """The mean; its correlation with anything is 0."""
        scores = labels_given((_score(example), example.where) for example in examples)
        return [math.fsum(scores) / len(scores)] * len(scores)

    def record(self, example: SequenceExample, prediction: float) -> dict[str, Any]:
        """`text` or `text_a` and `text_b`, `score`, `prediction`."""
        return {**texts_of(example), "score": _score(example), "prediction": prediction}


def _score(example: SequenceExample) -> float | None:
    """The label as a finite number, None if there is none."""
    if example.label is None:
        return None
    try:
        score = float(example.label)
    except ValueError:
        score = math.nan
    if not math.isfinite(score):
        raise DataError(
            f"score {example.label!r} is not a number", where=example.where, fix="correct the row"
        )
    return score
