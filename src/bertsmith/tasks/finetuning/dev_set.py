"""Data that a model is scored on."""

from typing import Any

from bertsmith.errors import RecipeError
from bertsmith.model import BertConfig, Precision, PretrainedModel
from bertsmith.tasks.base import Task, TaskData
from bertsmith.wordpiece import Tokenizer

__all__ = ["DevSet", "sequence_length"]


class DevSet:
    """A dev set, encoded once and scored many times.

    Args:
        task: whose data it is.
        split: its name.
        data: what was read.
        tokenizer: the model's.
        config: the model's; its classes are the labels.
        max_seq_length: tokens in a sequence, or None for the task's.
    """

    def __init__(
        self,
        task: Task[Any, Any, Any],
        split: str,
        data: TaskData[Any],
        tokenizer: Tokenizer,
        config: BertConfig,
        max_seq_length: int | None,
    ) -> None:
        self.task, self.split, self.data = task, split, data
        self.features = task.encode(
            data.examples,
            tokenizer,
            labels=config.labels,
            max_seq_length=sequence_length(task, max_seq_length, config),
        )

    def predict(self, model: PretrainedModel[Any], precision: Precision) -> list[Any]:
        """One prediction for each example."""
        return self.task.predict(model, self.data.examples, self.features, precision=precision)

    def score(self, predictions: list[Any], *, first: str) -> dict[str, float]:
        """The first dev set's scores by their names, the others' with the split before.

        Args:
            predictions: from `predict`.
            first: the name of the first dev set.
        """
        scores = self.task.score(self.data.examples, predictions)
        if self.split == first:
            return scores
        return {f"{self.split}/{name}": value for name, value in scores.items()}


def sequence_length(task: Task[Any, Any, Any], wanted: int | None, config: BertConfig) -> int:
    """Tokens in a sequence: what is wanted, or the task's, as far as the model has positions.

    Raises:
        RecipeError: more are wanted than the model has.
    """
    longest = config.max_position_embeddings
    if wanted is not None and wanted > longest:
        raise RecipeError(f"max_seq_length {wanted} is over the model's {longest} positions")
    return wanted or min(task.max_seq_length, longest)
