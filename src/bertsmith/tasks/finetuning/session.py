"""One sitting of a fine-tuning run."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bertsmith.model import BertConfig, PretrainedModel
from bertsmith.tasks.finetuning.dev_set import DevSet
from bertsmith.tasks.finetuning.job import FinetuneJob
from bertsmith.training import (
    FREE_TO_CHANGE,
    Evaluation,
    Ranks,
    RunFolder,
    Trainer,
    compile_parts,
    last_good_checkpoint,
)
from bertsmith.wordpiece import Tokenizer

__all__ = ["FinetuneSession"]


class FinetuneSession:
    """What the trainer is made of: batches, model and dev sets.

    Args:
        job: what is trained on what.
        run: the run's folder.
        ranks: the processes of the run.
        warn: is told, in one line each, about what the user should know.

    Raises:
        BertsmithError: model, data and recipe don't fit together. What can be told without the
            weights is told before they are loaded.
    """

    def __init__(
        self, job: FinetuneJob, run: RunFolder, ranks: Ranks, warn: Callable[[str], None]
    ) -> None:
        self.job, self.run, self.ranks, self.warn = job, run, ranks, warn
        training = job.recipe.training
        self.checkpoint = last_good_checkpoint(run, ranks, warn, FREE_TO_CHANGE)
        self.tokenizer = Tokenizer.from_pretrained(job.source)
        config = job.config()
        self.batches = job.batches(self.tokenizer, config, ranks)
        self.horizon = job.horizon(self.batches)
        torch.manual_seed(training.seed)
        self.model = self._model(config).to(ranks.device)
        if training.compile is True:
            compile_parts(self.model)
        self.dev = [
            DevSet(job.task, split, data, self.tokenizer, config, job.recipe.max_seq_length)
            for split, data in job.dev.items()
        ]

    def train(self) -> None:
        """Trains to the end, or until a signal asks to stop."""
        task, training = self.job.task, self.job.recipe.training
        trainer = Trainer(
            self.model,
            task.objective(),
            self.batches,
            training,
            self.horizon,
            self.run,
            save_model=self.save_model,
            evaluation=Evaluation(
                self.evaluate,
                times=max(1, round(self.job.num_epochs)),
                best=task.main_metric if training.keep == "best" else None,
            ),
            description=f"fine-tuning {task.name}",
            ranks=self.ranks,
            warn=self.warn,
            facts=self._facts,
        )
        if self.checkpoint is not None:
            trainer.resume(self.checkpoint)
        else:
            self.run.start_anew(self.warn)
        trainer.train()

    def _facts(self) -> dict[str, float | int | str]:
        """What the log says about the data when the run starts."""
        least = self.job.least_score
        return {
            "epoch_examples": len(self.batches.features),
            "evaluation_examples": sum(len(dev.data.examples) for dev in self.dev),
            **({} if least is None else {"least_score": least}),
        }

    def evaluate(self) -> dict[str, float]:
        """Every rank runs all examples, as sharded models need; the first one's scores count."""
        scores: dict[str, float] = {}
        for dev in self.dev:
            predictions = dev.predict(self.model, self.job.recipe.training.precision)
            scores.update(dev.score(predictions, first=self.dev[0].split))
        return self.ranks.on_first(lambda: scores)

    def save_model(self, folder: Path, weights: Mapping[str, Tensor]) -> None:
        """Writes a model folder with these weights."""
        self.model.save_pretrained(folder, weights=weights)
        self.tokenizer.save_pretrained(folder, max_length=self.model.config.max_position_embeddings)

    def _model(self, config: BertConfig) -> PretrainedModel[Any]:
        kind: Any = self.job.task.model_class
        source = self.job.source
        generator = torch.Generator().manual_seed(self.job.recipe.training.seed)
        if self.checkpoint is not None:
            resumed: PretrainedModel[Any] = kind.from_pretrained(self.checkpoint)
            return resumed
        if self.job.from_scratch:
            fresh: PretrainedModel[Any] = kind(config, generator=generator)
            return fresh
        model: PretrainedModel[Any] = kind.from_pretrained(
            source, generator=generator, **self.job.config_changes
        )
        report = model.loading_report
        if report is not None and any("pooler" in name for name in report.missing):
            self.warn(
                f"{source} has no pooler: it starts from fresh weights, like the task's layer"
            )
        return model
