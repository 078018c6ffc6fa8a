"""Fine-tuning a pre-trained model on a task, and scoring a fine-tuned one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor

from bertsmith._files import sha256_of_file
from bertsmith._settings import Settings
from bertsmith.errors import DataError, ModelError, RecipeError
from bertsmith.model import Precision, PretrainedModel, find_device, resolve_precision
from bertsmith.model.hub import find_folder
from bertsmith.model.pretrained import read_config
from bertsmith.tasks.base import Task, TaskData
from bertsmith.tasks.lookup import get_task
from bertsmith.training import (
    FREE_TO_CHANGE,
    EpochBatches,
    Evaluation,
    LoopSettings,
    Ranks,
    RunFolder,
    StepHorizon,
    Trainer,
    TrainingState,
    compile_parts,
    held_run,
    joined_ranks,
    last_good_checkpoint,
    require_layers,
)
from bertsmith.wordpiece import Tokenizer

__all__ = [
    "FinetuneRecipe",
    "FinetuneResult",
    "FinetuneTraining",
    "evaluate",
    "finetune",
    "recipe_for",
]

Warn = Callable[[str], None]


class FinetuneTraining(LoopSettings):
    """The loop of a fine-tuning run; the defaults are from the paper's grid."""

    learning_rate: float = Field(3e-5, gt=0, description="peak learning rate")
    num_epochs: float | None = Field(
        None, gt=0, description="passes over the training data; by default the task's, mostly 3"
    )
    keep: Literal["best", "last"] = Field(
        "best", description="which model stays: the best on dev by the task's score, or the last"
    )


class FinetuneRecipe(Settings):
    """Everything that decides a fine-tuning run, apart from model and data."""

    max_seq_length: int | None = Field(
        None, ge=8, description="tokens in a sequence; by default the task's, mostly 128"
    )
    training: FinetuneTraining = FinetuneTraining()


@dataclass(frozen=True)
class FinetuneResult:
    """What came of a fine-tuning run.

    Attributes:
        path: the run's folder, which is a model folder.
        state: steps and seconds.
        scores: scores of the kept model on dev; further dev sets as `split/metric`.
        labels: the classes, by id.
    """

    path: Path
    state: TrainingState
    scores: dict[str, float]
    labels: tuple[str, ...]


def recipe_for(model_source: str) -> str:
    """The preset that fits a model's size: "small" below hidden size 512, else "default".

    The paper's learning rates are for base and large; small models hardly move at them.
    """
    config = read_config(find_folder(model_source))
    return "small" if config.hidden_size < 512 else "default"


def finetune(
    task_name: str,
    model_source: str,
    data: Path,
    recipe: FinetuneRecipe,
    output: Path,
    *,
    from_scratch: bool = False,
    warn: Warn,
) -> FinetuneResult:
    """Trains all parameters and one added layer, or goes on with the run that stands in `output`.

    **Source**: the paper, section 3.2 and appendix A.3.

    Args:
        task_name: a name from `task_names()`.
        model_source: model folder or hub id.
        data: the task's data: a folder, or a file.
        recipe: length and loop.
        output: the run's folder.
        from_scratch: start from fresh weights of the same shape, for comparison.
        warn: is told, in one line each, about what the user should know.

    Raises:
        BertsmithError: task, model, data or recipe can't be used.
        Interrupted: a signal asked to stop; the state is saved.
    """
    task = get_task(task_name)
    resolve_precision(recipe.training.precision, find_device())
    config = read_config(find_folder(model_source))
    require_layers(recipe.training.freeze_layers, config.num_hidden_layers)
    with joined_ranks() as ranks, held_run(output, ranks) as run:
        train = task.read(data, "train")
        for note in train.notes:
            warn(note)
        identity = _identity(task, model_source, data, train, recipe, from_scratch)
        ranks.on_first(lambda: run.check_recipe(identity, FREE_TO_CHANGE))
        if ranks.on_first(lambda: run.is_finished):
            warn(f"{output}: this run is finished; its result is shown again")
        else:
            session = _Session(
                task, model_source, data, train, recipe, run, from_scratch, warn, ranks
            )
            session.train()
        return ranks.on_first(lambda: _result(run, task))


def evaluate(
    task_name: str,
    model_source: str,
    data: Path,
    *,
    split: str = "dev",
    max_seq_length: int | None = None,
    precision: str = "fp32",
    predictions: Path | None = None,
    warn: Warn,
) -> dict[str, float]:
    """Scores a fine-tuned model on a task's data.

    Args:
        task_name: a name from `task_names()`.
        model_source: model folder or hub id, with the task's head.
        data: a folder, or a file.
        split: which of the task's splits; "dev" scores every dev set that there is.
        max_seq_length: tokens in a sequence; by default the task's.
        precision: "auto", "fp32", "bf16" or "fp16".
        predictions: where each example's prediction is written, as JSON lines.
        warn: is told what the user should know.

    Raises:
        ModelError: the folder has no head for this task.
        DataError: the data can't be read, or has no labels.
    """
    task = get_task(task_name)
    number_format = resolve_precision(precision, find_device())
    model = task.model_class.from_pretrained(model_source).to(find_device())
    report = model.loading_report
    if report is not None and report.missing:
        raise ModelError(
            f"has no head for {task_name}",
            where=model_source,
            fix=f"fine-tune it first: bertsmith finetune {task_name} --model {model_source}",
        )
    trained_for = _trained_for(model_source)
    if trained_for not in (None, task_name):
        warn(f"{model_source} was fine-tuned for {trained_for}, not {task_name}")
    tokenizer = Tokenizer.from_pretrained(model_source)
    length = _length(task, max_seq_length, model)
    splits = task.dev_splits_in(data) if split == "dev" else (split,)
    scores: dict[str, float] = {}
    for name in splits:
        read = task.read(data, name)
        for note in read.notes:
            warn(note)
        encoded = _Encoded(task, name, read, tokenizer, model, length)
        predicted = encoded.predict(model, number_format)
        scores.update(encoded.named(task.score(read.examples, predicted), first=splits[0]))
        if predictions is not None:
            path = predictions
            if name != splits[0]:
                path = path.with_stem(f"{path.stem}-{name}")
            task.write_predictions(path, read.examples, predicted)
    return scores


class _Encoded:
    """A dev set, encoded once and scored many times."""

    def __init__(
        self,
        task: Task[Any, Any, Any],
        split: str,
        data: TaskData[Any],
        tokenizer: Tokenizer,
        model: PretrainedModel[Any],
        max_seq_length: int,
    ) -> None:
        self.task, self.split, self.data = task, split, data
        self.features = task.encode(
            data.examples, tokenizer, labels=model.config.labels, max_seq_length=max_seq_length
        )

    def predict(self, model: PretrainedModel[Any], precision: Precision) -> list[Any]:
        return self.task.predict(model, self.data.examples, self.features, precision=precision)

    def named(self, scores: dict[str, float], *, first: str) -> dict[str, float]:
        """The first dev set's scores by their names, the others' with the split before."""
        if self.split == first:
            return scores
        return {f"{self.split}/{name}": value for name, value in scores.items()}


class _Session:
    """One sitting of a fine-tuning run."""

    def __init__(
        self,
        task: Task[Any, Any, Any],
        source: str,
        data: Path,
        train: TaskData[Any],
        recipe: FinetuneRecipe,
        run: RunFolder,
        from_scratch: bool,
        warn: Warn,
        ranks: Ranks,
    ) -> None:
        self.task, self.recipe, self.run, self.warn = task, recipe, run, warn
        self.ranks = ranks
        self.checkpoint = last_good_checkpoint(run, ranks, warn, FREE_TO_CHANGE)
        torch.manual_seed(recipe.training.seed)
        self.tokenizer = Tokenizer.from_pretrained(source)
        self.model = self._model(source, train, from_scratch, warn).to(ranks.device)
        if recipe.training.compile is True:
            compile_parts(self.model)
        length = _length(task, recipe.max_seq_length, self.model)
        self.features = task.trainable(
            task.encode(
                train.examples,
                self.tokenizer,
                labels=self.model.config.labels,
                max_seq_length=length,
            )
        )
        if not self.features:
            raise DataError("no example can be trained on", where=data)
        self.dev = [
            _Encoded(task, split, task.read(data, split), self.tokenizer, self.model, length)
            for split in task.dev_splits_in(data)
        ]

    def train(self) -> None:
        training = self.recipe.training
        batches = EpochBatches(
            self.features,
            self.task.collate,
            global_batch_size=training.global_batch_size,
            micro_batch_size=training.micro_batch_size,
            seed=training.seed,
            rank=self.ranks.rank,
            world_size=self.ranks.world_size,
        )
        num_epochs = training.num_epochs or self.task.num_epochs
        trainer = Trainer(
            self.model,
            self.task.objective(),
            batches,
            training,
            StepHorizon(max(1, round(num_epochs * batches.steps_per_epoch))),
            self.run,
            save_model=self.save_model,
            evaluation=Evaluation(
                self.evaluate,
                times=max(1, round(num_epochs)),
                best=self.task.main_metric if training.keep == "best" else None,
            ),
            description=f"fine-tuning {self.task.name}",
            ranks=self.ranks,
            warn=self.warn,
            facts=lambda: {
                "epoch_examples": len(self.features),
                "evaluation_examples": sum(len(dev.data.examples) for dev in self.dev),
            },
        )
        if self.checkpoint is not None:
            trainer.resume(self.checkpoint)
        else:
            self.run.forget_after(-1)
        trainer.train()

    def evaluate(self) -> dict[str, float]:
        """Every rank runs all examples, as sharded models need; the first one's scores count."""
        scores: dict[str, float] = {}
        for dev in self.dev:
            predictions = dev.predict(self.model, self.recipe.training.precision)
            found = self.task.score(dev.data.examples, predictions)
            scores.update(dev.named(found, first=self.dev[0].split))
        return self.ranks.on_first(lambda: scores)

    def save_model(self, folder: Path, weights: Mapping[str, Tensor]) -> None:
        self.model.save_pretrained(folder, weights=weights)
        self.tokenizer.save_pretrained(folder, max_length=self.model.config.max_position_embeddings)

    def _model(
        self, source: str, train: TaskData[Any], from_scratch: bool, warn: Warn
    ) -> PretrainedModel[Any]:
        kind: Any = self.task.model_class
        changes: dict[str, Any] = {"problem_type": self.task.problem_type}
        labels = self.task.labels(train.examples)
        if labels:
            changes["labels"] = labels
        generator = torch.Generator().manual_seed(self.recipe.training.seed)
        if self.checkpoint is not None:
            resumed: PretrainedModel[Any] = kind.from_pretrained(self.checkpoint)
            return resumed
        if from_scratch:
            fresh: PretrainedModel[Any] = kind(
                read_config(find_folder(source), **changes), generator=generator
            )
            return fresh
        model: PretrainedModel[Any] = kind.from_pretrained(source, generator=generator, **changes)
        report = model.loading_report
        if report is not None and any("pooler" in name for name in report.missing):
            warn(f"{source} has no pooler: it starts from fresh weights, like the task's layer")
        return model


def _trained_for(model_source: str) -> str | None:
    """The task of the run that a model folder is, if it is one of ours."""
    path = Path(model_source)
    if not (path / "recipe.yaml").is_file():
        return None
    run = RunFolder(path).read_recipe().get("run")
    return run.get("task") if isinstance(run, dict) else None


def _length(task: Task[Any, Any, Any], wanted: int | None, model: PretrainedModel[Any]) -> int:
    longest = model.config.max_position_embeddings
    if wanted is not None and wanted > longest:
        raise RecipeError(f"max_seq_length {wanted} is over the model's {longest} positions")
    return wanted or min(task.max_seq_length, longest)


def _identity(
    task: Task[Any, Any, Any],
    source: str,
    data: Path,
    train: TaskData[Any],
    recipe: FinetuneRecipe,
    from_scratch: bool,
) -> dict[str, Any]:
    """What must be the same for a run to go on."""
    dev = [path for split in task.dev_splits_in(data) for path in task.read(data, split).files]
    weights = [
        path
        for path in sorted(find_folder(source).iterdir())
        if path.suffix in (".safetensors", ".bin") and not path.name.startswith("training_state")
    ]
    files = dict.fromkeys([*train.files, *dev])
    return {
        **recipe.model_dump(mode="json"),
        "run": {
            "task": task.name,
            "model": {"source": source, **{path.name: sha256_of_file(path) for path in weights}},
            "from_scratch": from_scratch,
            "data": {str(path): sha256_of_file(path) for path in files},
        },
    }


def _result(run: RunFolder, task: Task[Any, Any, Any]) -> FinetuneResult:
    records = run.read_metrics()
    evaluations = [record for record in records if record["kind"] == "evaluation"]
    keep_last = run.read_recipe()["training"]["keep"] == "last"
    chosen = (
        evaluations[-1]
        if keep_last
        else max(evaluations, key=lambda record: record[task.main_metric])
    )
    scores = {
        name: value for name, value in chosen.items() if name not in ("kind", "step", "seconds")
    }
    state = TrainingState(step=records[-1]["step"], seconds=records[-1]["seconds"])
    return FinetuneResult(run.path, state, scores, read_config(run.path).labels)
