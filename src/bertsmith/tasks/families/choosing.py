"""The right one of several continuations."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from bertsmith.batches import LabelledBatch
from bertsmith.errors import DataError
from bertsmith.inference.running import run_packed
from bertsmith.metrics import accuracy
from bertsmith.model import BertForMultipleChoice, Precision
from bertsmith.model.base import PretrainedModel
from bertsmith.model.packing import PackedSequences
from bertsmith.objectives.choices import MultipleChoice
from bertsmith.tasks.base import Task, TaskData
from bertsmith.tasks.data.choices import CHOICE_EXTENSIONS, ChoiceExample, read_choices
from bertsmith.tasks.families.labels import labels_given
from bertsmith.tasks.families.sequences import SequenceFeature, encode_sequence
from bertsmith.wordpiece import Tokenizer

__all__ = ["ChoiceFeature", "ChoicePrediction", "ChoosingTask"]


@dataclass(frozen=True)
class ChoiceFeature:
    """One sequence `[CLS] context [SEP] choice [SEP]` for each choice, and the right one."""

    sequences: tuple[SequenceFeature, ...]
    example_index: int
    label: int | None

    @property
    def num_tokens(self) -> int:
        """Length of all choices' sequences together, in tokens."""
        return sum(sequence.num_tokens for sequence in self.sequences)


@dataclass(frozen=True)
class ChoicePrediction:
    """The likeliest choice, counted from 0, and the probabilities of all."""

    choice: int
    probabilities: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class ChoosingTask(Task[ChoiceExample, ChoiceFeature, ChoicePrediction]):
    """Chooses by one score for each continuation, from its pooled [CLS].

    **Source**: the paper, section 4.4.
    """

    metrics: tuple[str, ...] = ("accuracy",)
    extensions: tuple[str, ...] = CHOICE_EXTENSIONS

    @property
    def model_class(self) -> type[PretrainedModel[Any]]:
        """`BertForMultipleChoice`."""
        return BertForMultipleChoice

    def labels(self, examples: Sequence[ChoiceExample]) -> tuple[str, ...]:
        """None: the head has one score for a sequence."""
        return ()

    def read_file(self, path: Path, *, labelled: bool) -> TaskData[ChoiceExample]:
        """Reads SWAG's CSV, CODAH's TSV or a table."""
        return TaskData(read_choices(path, labelled=labelled), (path,))

    def encode(
        self,
        examples: Sequence[ChoiceExample],
        tokenizer: Tokenizer,
        *,
        labels: Sequence[str],
        max_seq_length: int,
    ) -> list[ChoiceFeature]:
        """One feature for each example, with a sequence for each choice."""
        features = []
        for index, example in enumerate(examples):
            if len(example.choices) != len(examples[0].choices):
                raise DataError(
                    f"{len(example.choices)} choices where others have {len(examples[0].choices)}",
                    where=example.where,
                    fix="give every row the same number",
                )
            sequences = [
                encode_sequence(example.context, choice, tokenizer, max_seq_length, index)
                for choice in example.choices
            ]
            features.append(ChoiceFeature(tuple(sequences), index, example.label))
        return features

    def collate(self, features: Sequence[ChoiceFeature]) -> LabelledBatch:
        """All choices follow each other; labels are the right choices, int64 [examples]."""
        labels = [feature.label for feature in features]
        if any(label is None for label in labels):
            raise DataError("an example has no label", fix="give labelled data")
        sequences = [sequence for feature in features for sequence in feature.sequences]
        return LabelledBatch.from_lists(
            [sequence.input_ids for sequence in sequences],
            [sequence.token_type_ids for sequence in sequences],
            labels=torch.tensor(labels, dtype=torch.int64),
        )

    def objective(self) -> MultipleChoice:
        """Cross-entropy over the choices."""
        return MultipleChoice()

    def predict(
        self,
        model: PretrainedModel[Any],
        examples: Sequence[ChoiceExample],
        features: Sequence[ChoiceFeature],
        *,
        max_tokens_per_batch: int = 8192,
        precision: Precision = "fp32",
    ) -> list[ChoicePrediction]:
        """The likeliest choice of each example."""

        def rate(packed: PackedSequences, _: Sequence[SequenceFeature]) -> list[float]:
            # One choice a row, since sequences of different examples share a batch here.
            logits = model.forward_packed(packed, num_choices=1).logits  # type: ignore[call-arg]
            scores: list[float] = logits.float().squeeze(-1).tolist()
            return scores

        scores = iter(
            run_packed(
                model,
                [sequence for feature in features for sequence in feature.sequences],
                rate,
                max_tokens_per_batch=max_tokens_per_batch,
                precision=precision,
            )
        )
        predictions = []
        for feature in features:
            own = torch.tensor([next(scores) for _ in feature.sequences])
            predictions.append(
                ChoicePrediction(int(own.argmax()), tuple(own.softmax(dim=0).tolist()))
            )
        return predictions

    def score(
        self, examples: Sequence[ChoiceExample], predictions: Sequence[ChoicePrediction]
    ) -> dict[str, float]:
        """Accuracy."""
        labels = labels_given((example.label, example.where) for example in examples)
        return {"accuracy": accuracy(labels, [prediction.choice for prediction in predictions])}

    def same_answer(self, examples: Sequence[ChoiceExample]) -> list[ChoicePrediction]:
        """The place at which the right choice stands most often."""
        labels = labels_given((example.label, example.where) for example in examples)
        return [ChoicePrediction(Counter(labels).most_common(1)[0][0], (1.0,))] * len(labels)

    def record(self, example: ChoiceExample, prediction: ChoicePrediction) -> dict[str, Any]:
        """`context`, `choices`, `label`, `prediction`, `probabilities`."""
        return {
            "context": example.context,
            "choices": list(example.choices),
            "label": example.label,
            "prediction": prediction.choice,
            "probabilities": [round(value, 6) for value in prediction.probabilities],
        }
