"""A whole pre-training run: store and recipe in, a model folder out."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bertsmith.batches import PretrainingBatch, PretrainingBatches, evaluation_batches
from bertsmith.errors import CheckpointError, ModelError, RecipeError
from bertsmith.examples import split_documents
from bertsmith.model import BertConfig, BertForPreTraining, sinusoidal_positions
from bertsmith.objectives import LeftToRight, MaskedLM
from bertsmith.store import TokenStore
from bertsmith.training.compiling import compile_parts, resolve_compile, sums_for
from bertsmith.training.evaluation import (
    evaluate_objective,
    most_frequent_token,
    unigram_accuracy,
)
from bertsmith.training.initial_model import load_initial_model
from bertsmith.training.interfaces import Evaluation
from bertsmith.training.loop import Trainer
from bertsmith.training.recipe import PretrainRecipe
from bertsmith.training.run_folder import RunFolder
from bertsmith.training.schedule import ClockHorizon, Horizon, StepHorizon
from bertsmith.training.settings import FREE_TO_CHANGE
from bertsmith.training.snapshot import TrainingState
from bertsmith.training.store_check import store_identity, verify_store

__all__ = ["PretrainResult", "pretrain"]


@dataclass(frozen=True)
class PretrainResult:
    """What came of a pre-training run.

    Attributes:
        path: the run's folder, which is a model folder.
        state: steps and seconds.
        scores: the last held-out evaluation: `mlm_loss mlm_accuracy nsp_loss nsp_accuracy` (as
            far as the recipe has them) and `unigram_accuracy`, the accuracy of always answering
            the most frequent token.
    """

    path: Path
    state: TrainingState
    scores: dict[str, float]


def pretrain(
    store_path: Path,
    recipe: PretrainRecipe,
    output: Path,
    *,
    init: str | None = None,
    warn: Callable[[str], None],
) -> PretrainResult:
    """Pre-trains a model on a store, or goes on with the run that stands in `output`.

    Args:
        store_path: a token store's folder.
        recipe: model, examples and loop.
        output: the run's folder; a run of the same recipe that was stopped there goes on.
        init: a model folder or hub id to start from instead of fresh weights.
        warn: is told, in one line each, about what the user should know.

    Raises:
        BertsmithError: the store, recipe, model or folder can't be used.
        Interrupted: a signal asked to stop; the state is saved.
    """
    store = TokenStore(store_path)
    run = RunFolder(output)
    with run.lock():
        run.check_recipe(_identity(store, recipe, init), FREE_TO_CHANGE)
        if run.is_finished:
            warn(f"{output}: this run is finished; its result is shown again")
            return _result(run)
        verify_store(store, run.store_stamps_path)
        session = _Session(store, recipe, run, init, warn)
        session.trainer().train()
        return _result(run)


class _Session:
    """One sitting of a run: what the trainer is made of."""

    def __init__(
        self,
        store: TokenStore,
        recipe: PretrainRecipe,
        run: RunFolder,
        init: str | None,
        warn: Callable[[str], None],
    ) -> None:
        self.store, self.recipe, self.run, self.warn = store, recipe, run, warn
        self.checkpoint = run.last_good_checkpoint(warn, FREE_TO_CHANGE)
        torch.manual_seed(recipe.training.seed)
        self.model = self._model(init, warn)
        is_compiled = resolve_compile(recipe.training.compile, _device())
        if is_compiled:
            compile_parts(self.model)
        sums = sums_for(is_compiled)
        is_causal = self.model.config.attention == "causal"
        self.objective = LeftToRight(sums) if is_causal else MaskedLM(sums)
        self.training_ids, self.held_out_ids = split_documents(
            store.num_documents,
            held_out_fraction=recipe.training.held_out_fraction,
            seed=recipe.training.seed,
        )
        self.evaluation_batches = evaluation_batches(
            store,
            self.held_out_ids,
            recipe.examples,
            num_examples=recipe.training.num_evaluation_examples,
            micro_batch_size=recipe.training.micro_batch_size,
            seed=recipe.training.seed,
        )
        self.unigram = unigram_accuracy(
            self.evaluation_batches, most_frequent_token(store, self.training_ids)
        )

    def trainer(self) -> Trainer:
        training = self.recipe.training
        batches = PretrainingBatches(
            self.store,
            self.training_ids,
            self.recipe.examples,
            global_batch_size=training.global_batch_size,
            seed=training.seed,
        )
        trainer = Trainer(
            self.model,
            self.objective,
            _Steps(batches, training.micro_batch_size),
            training,
            self._horizon(),
            self.run,
            save_model=self.save_model,
            evaluation=Evaluation(
                self.evaluate,
                times=training.num_evaluations,
                best_checkpoint=self._main_loss() if training.keep_best else None,
            ),
            description="pre-training",
            warn=self.warn,
        )
        if self.checkpoint is not None:
            trainer.resume(self.checkpoint)
        else:
            self.run.forget_after(-1)
        return trainer

    def evaluate(self) -> dict[str, float]:
        scores = evaluate_objective(
            self.model, self.objective, self.evaluation_batches, self.recipe.training.precision
        )
        return {**scores, "unigram_accuracy": self.unigram}

    def save_model(self, folder: Path, weights: Mapping[str, Tensor]) -> None:
        self.model.save_pretrained(folder, weights=weights)
        self.store.tokenizer.save_pretrained(
            folder, max_length=self.model.config.max_position_embeddings
        )

    def _main_loss(self) -> str:
        return "ltr_loss" if isinstance(self.objective, LeftToRight) else "mlm_loss"

    def _model(self, init: str | None, warn: Callable[[str], None]) -> BertForPreTraining:
        source = self.checkpoint or init
        if self.checkpoint is not None:
            model = BertForPreTraining.from_pretrained(self.checkpoint)
        elif init is not None:
            model = load_initial_model(init, self.store.tokenizer, warn)
        else:
            config = self.recipe.model.config(len(self.store.vocabulary))
            generator = torch.Generator().manual_seed(self.recipe.training.seed)
            model = BertForPreTraining(config, generator=generator)
            if self.recipe.model.position_init == "sinusoidal":
                model.bert.set_position_embeddings(
                    sinusoidal_positions(
                        config.max_position_embeddings,
                        config.hidden_size,
                        config.initializer_range,
                    )
                )
        if model.config.vocab_size != len(self.store.vocabulary):
            raise ModelError(
                f"has {model.config.vocab_size} tokens, the store {len(self.store.vocabulary)}",
                where=str(source),
                fix="prepare the store with the model's own vocab.txt",
            )
        self._require_fit(model.config, str(source))
        return model.to(_device())

    def _require_fit(self, config: BertConfig, source: str) -> None:
        """A model that was loaded has its own shape; the recipe must not contradict it."""
        longest = self.recipe.examples.max_seq_length
        if longest > config.max_position_embeddings:
            raise RecipeError(
                f"examples.max_seq_length {longest} is over the model's "
                f"{config.max_position_embeddings} positions",
                where=source,
            )
        if config.attention != self.recipe.model.attention:
            raise RecipeError(
                f"the model's attention is {config.attention}",
                where=source,
                fix=f"--set model.attention={config.attention}",
            )

    def _horizon(self) -> Horizon:
        training = self.recipe.training
        if training.budget_seconds is not None:
            return ClockHorizon(training.budget_seconds)
        return StepHorizon(training.num_steps)


class _Steps:
    """Pre-training batches in the form that the loop asks for."""

    def __init__(self, batches: PretrainingBatches, micro_batch_size: int) -> None:
        self.batches, self.micro_batch_size = batches, micro_batch_size

    def steps(self, first_step: int) -> Iterator[list[PretrainingBatch]]:
        return self.batches.steps(
            first_step,
            micro_batch_size=self.micro_batch_size,
            pin_memory=_device().type == "cuda",
        )

    def examples(self, step: int) -> list[tuple[int, int]]:
        return [(epoch, index) for epoch, index in self.batches.global_indices(step).tolist()]

    def state(self) -> dict[str, Any]:
        return self.batches.state()

    def restore(self, state: dict[str, Any]) -> None:
        self.batches.restore(state)


def _identity(store: TokenStore, recipe: PretrainRecipe, init: str | None) -> dict[str, Any]:
    """What must be the same for a run to go on."""
    return {
        **recipe.model_dump(mode="json"),
        "run": {"store": store_identity(store), "init": init},
    }


def _result(run: RunFolder) -> PretrainResult:
    records = run.read_metrics()
    evaluations = [record for record in records if record["kind"] == "evaluation"]
    if not evaluations:
        raise CheckpointError("the log holds no evaluation", where=run.metrics_path)
    last = evaluations[-1]
    scores = {name: value for name, value in last.items() if name.endswith(("_loss", "_accuracy"))}
    state = TrainingState(step=records[-1]["step"], seconds=records[-1]["seconds"])
    return PretrainResult(run.path, state, scores)


def _device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
