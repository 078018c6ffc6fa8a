"""What a fine-tuning run is made of, and what follows from it before any weights are loaded."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from bertsmith._files import sha256_of_file
from bertsmith.errors import DataError, ModelError
from bertsmith.model import (
    BertConfig,
    BertForMultipleChoice,
    BertForSequenceClassification,
)
from bertsmith.model.hub import find_folder
from bertsmith.model.pretrained import read_config
from bertsmith.tasks.base import Task, TaskData
from bertsmith.tasks.finetuning.dev_set import sequence_length
from bertsmith.tasks.finetuning.recipe import FinetuneRecipe
from bertsmith.training import (
    EpochBatches,
    Ranks,
    StepHorizon,
    warmup_ratio_of,
    weight_hashes,
)
from bertsmith.wordpiece import Tokenizer

__all__ = ["FinetuneJob"]


@dataclass(frozen=True)
class FinetuneJob:
    """A task, a model, data and a recipe.

    Attributes:
        task: what is learned.
        source: model folder or hub id.
        recipe: length and loop.
        from_scratch: whether the weights start afresh.
        data: where the data is.
        train: the training data.
        dev: the dev sets by name, the one that models are chosen by first.
    """

    task: Task[Any, Any, Any]
    source: str
    recipe: FinetuneRecipe
    from_scratch: bool
    data: Path
    train: TaskData[Any]
    dev: Mapping[str, TaskData[Any]]

    @classmethod
    def read(
        cls,
        task: Task[Any, Any, Any],
        source: str,
        data: Path,
        recipe: FinetuneRecipe,
        *,
        from_scratch: bool,
    ) -> Self:
        """Reads the data.

        Raises:
            DataError: it can't be used.
        """
        train = task.read(data, "train")
        dev = {split: task.read(data, split) for split in task.dev_splits_in(data)}
        return cls(task, source, recipe, from_scratch, data, train, dev)

    @property
    def parts(self) -> list[TaskData[Any]]:
        """All data: to train on, and dev sets."""
        return [self.train, *self.dev.values()]

    def identity(self) -> dict[str, Any]:
        """What must be the same for a run to go on."""
        files = dict.fromkeys(path for part in self.parts for path in part.files)
        return {
            **self.recipe.model_dump(mode="json"),
            "run": {
                "task": self.task.name,
                "model": {"source": self.source, **weight_hashes(self.source)},
                "from_scratch": self.from_scratch,
                "data": {str(path): sha256_of_file(path) for path in files},
            },
        }

    def content(self, identity: Mapping[str, Any]) -> dict[str, Any]:
        """Of what `identity` returned, what is so wherever model and data stand."""
        run = dict(identity["run"])
        run["model"] = {k: v for k, v in run["model"].items() if k != "source"}
        run["data"] = {self._name(path): found for path, found in run["data"].items()}
        return {**identity, "run": run}

    def _name(self, path: str) -> str:
        """What a file of the data is called within it."""
        inside = os.path.relpath(path, self.data)
        return Path(path).name if inside == "." else inside

    @property
    def config_changes(self) -> dict[str, Any]:
        """What the model's config has otherwise than that of its source."""
        changes: dict[str, Any] = {"problem_type": self.task.problem_type}
        # What only held-out examples of the same files have is a class all the same.
        held_out = (data for data in self.dev.values() if data.files == self.train.files)
        examples = [example for data in (self.train, *held_out) for example in data.examples]
        labels = self.task.labels(examples)
        if labels:
            changes["labels"] = labels
        return changes

    def config(self) -> BertConfig:
        """The config of the model that comes of it.

        Raises:
            ModelError: it reads from left to right, and the task asks for the whole of a sequence.
        """
        config = read_config(find_folder(self.source), **self.config_changes)
        pools = self.task.model_class in (BertForSequenceClassification, BertForMultipleChoice)
        if config.attention == "causal" and pools:
            raise ModelError(
                "reads from left to right, so its [CLS] sees nothing of a text, and "
                f"{self.task.name} is answered from there",
                where=self.source,
                fix="give one that was pre-trained with model.attention=bidirectional",
            )
        return config

    @property
    def least_score(self) -> float | None:
        """The main score on dev of always giving the same answer; None without such a one."""
        examples = next(iter(self.dev.values())).examples
        answers = self.task.same_answer(examples)
        if answers is None:
            return None
        return self.task.score(examples, answers)[self.task.main_metric]

    @property
    def num_epochs(self) -> float:
        """Passes over the training data."""
        return self.recipe.training.num_epochs or self.task.num_epochs

    def batches(self, tokenizer: Tokenizer, config: BertConfig, ranks: Ranks) -> EpochBatches[Any]:
        """Encodes the training data.

        Raises:
            DataError: no example can be trained on.
            RecipeError: the length is over the model's, or a batch can't be divided.
        """
        training = self.recipe.training
        features = self.task.encode(
            self.train.examples,
            tokenizer,
            labels=config.labels,
            max_seq_length=sequence_length(self.task, self.recipe.max_seq_length, config),
        )
        features = self.task.trainable(features)
        if not features:
            raise DataError("no example can be trained on", where=self.data)
        return EpochBatches(
            features,
            self.task.collate,
            global_batch_size=training.global_batch_size,
            micro_batch_size=training.micro_batch_size,
            seed=training.seed,
            rank=ranks.rank,
            world_size=ranks.world_size,
        )

    def horizon(self, batches: EpochBatches[Any]) -> StepHorizon:
        """The end of the run.

        Raises:
            RecipeError: the warm-up is longer than the run.
        """
        horizon = StepHorizon(max(1, round(self.num_epochs * batches.steps_per_epoch)))
        warmup_ratio_of(self.recipe.training, horizon)
        return horizon
