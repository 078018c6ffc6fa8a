"""A whole pre-training run: store and recipe in, a model folder out."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bertsmith.batches import PretrainingBatch, evaluation_batches
from bertsmith.errors import CheckpointError, ModelError, StoreError
from bertsmith.examples import split_documents
from bertsmith.model import BertConfig, find_device, resolve_precision
from bertsmith.model.hub import find_folder
from bertsmith.model.pretrained import read_config
from bertsmith.objectives import LeftToRight, MaskedLM
from bertsmith.store import TokenStore, describe, missing_words, unfit_vocabulary
from bertsmith.training.alike import require_alike, weight_hashes
from bertsmith.training.checkpoint_folders import checkpoint_folders
from bertsmith.training.compiling import compile_parts, resolve_compile, sums_for
from bertsmith.training.distributed import Ranks, joined_ranks
from bertsmith.training.doubts import tell_empty_phases
from bertsmith.training.evaluation import baselines, count_tokens, evaluate_objective
from bertsmith.training.freezing import require_layers
from bertsmith.training.initial_model import starting_model
from bertsmith.training.interfaces import Evaluation
from bertsmith.training.loop import Trainer
from bertsmith.training.lost_models import is_over
from bertsmith.training.older_runs import as_started
from bertsmith.training.own_shape import settings_of_model, unapplied_settings
from bertsmith.training.phased_batches import PhasedBatches
from bertsmith.training.phases import Phase
from bertsmith.training.recipe import ModelSettings, PretrainRecipe
from bertsmith.training.run_folder import RunFolder
from bertsmith.training.run_log import read_run
from bertsmith.training.shared_run import held_run, last_good_checkpoint
from bertsmith.training.snapshot import TrainingState
from bertsmith.training.store_check import shard_hashes, store_identity, verify_all_copies

__all__ = ["PretrainResult", "pretrain"]


@dataclass(frozen=True)
class PretrainResult:
    """What came of a pre-training run.

    Attributes:
        path: the run's folder, which is a model folder.
        state: `step`, `seconds` and `num_skipped`, as the log has them; nothing else of a
            checkpoint's state.
        scores: the last held-out evaluation: `mlm_loss mlm_accuracy nsp_loss nsp_accuracy` (as
            far as the recipe has them), and what knows no context scores, see `baselines`:
            `unigram_loss unigram_accuracy majority_accuracy`.
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
    unapplied: ModelSettings | None = None,
    warn: Callable[[str], None],
) -> PretrainResult:
    """Pre-trains a model on a store, or goes on with the run that stands in `output`.

    Processes that torchrun started do it together.

    Args:
        store_path: a token store's folder.
        recipe: model, examples and loop.
        output: the run's folder; a run of the same recipe that was stopped there goes on.
        init: a model folder or hub id to start from instead of fresh weights; it keeps its shape,
            which no model setting that was written must contradict.
        unapplied: a preset's model settings, which are for fresh models: with `init` a line says
            which of them the model has otherwise.
        warn: is told, in one line each, about what the user should know.

    Raises:
        BertsmithError: the store, recipe, model or folder can't be used.
        Interrupted: a signal asked to stop; the state is saved.
    """
    recipe = _possible(recipe, init, output, warn)
    with joined_ranks() as ranks, held_run(output, ranks, warn) as run:
        store = TokenStore(store_path)
        saved = ranks.on_first(lambda: run.read_recipe() if run.recipe_path.exists() else None)
        recipe, free = as_started(recipe, saved, init)
        is_begun = ranks.on_first(lambda: bool(run.checkpoints()))
        require_alike(ranks, lambda: _content(store, recipe, None if is_begun else init))
        ranks.on_first(lambda: run.check_recipe(_identity(store, recipe, init), free))
        if not ranks.on_first(lambda: is_over(run, warn)):
            verify_all_copies(store, run.store_stamps_path, ranks)
            session = _Session(store, recipe, run, init, warn, ranks, free)
            if unapplied is not None and session.checkpoint is None:
                session.tell_unapplied(unapplied)
            session.trainer().train()
        return ranks.on_first(lambda: _result(run))


class _Session:
    """One sitting of a run: what the trainer is made of."""

    def __init__(
        self,
        store: TokenStore,
        recipe: PretrainRecipe,
        run: RunFolder,
        init: str | None,
        warn: Callable[[str], None],
        ranks: Ranks,
        free_to_change: frozenset[str],
    ) -> None:
        self.store, self.recipe, self.run, self.warn = store, recipe, run, warn
        self.ranks = ranks
        self.checkpoint = last_good_checkpoint(run, ranks, warn, free_to_change)
        torch.manual_seed(recipe.training.seed)
        self.model = starting_model(
            recipe, store.tokenizer, checkpoint=self.checkpoint, init=init, warn=warn
        ).to(ranks.device)
        is_compiled = resolve_compile(recipe.training.compile, ranks.device)
        if is_compiled:
            compile_parts(self.model)
        sums = sums_for(is_compiled)
        is_causal = self.model.config.attention == "causal"
        self.objective = LeftToRight(sums) if is_causal else MaskedLM(sums)
        self.training_ids, self.held_out_ids = split_documents(
            store.num_documents,
            held_out_fraction=recipe.training.held_out_fraction,
            seed=recipe.training.resolved_held_out_seed,
        )
        self.batches = PhasedBatches(
            store, self.training_ids, recipe.resolved_phases, recipe.training.seed, ranks
        )
        if recipe.examples.whole_word_masking and (told := missing_words(store)):
            warn(told)
        if told := unfit_vocabulary(store.manifest, store.folder):
            warn(told)
        self.token_counts = count_tokens(store, self.training_ids)
        self.special_ids = store.vocabulary.cls_id, store.vocabulary.sep_id
        self.held_out: dict[Phase, list[PretrainingBatch]] = {}
        self.held_out_batches()

    def tell_unapplied(self, preset: ModelSettings) -> None:
        """Says which of a preset's model settings the model that is there has otherwise."""
        if names := unapplied_settings(preset, self.model.config):
            self.warn(f"the model stays as it is, without the recipe's {', '.join(names)}")

    def trainer(self) -> Trainer:
        training = self.recipe.training
        trainer = Trainer(
            self.model,
            self.objective,
            self.batches,
            training,
            training.horizon,
            self.run,
            save_model=self.save_model,
            evaluation=Evaluation(
                self.evaluate,
                times=training.num_evaluations,
                best_checkpoint=self._main_loss() if training.keep_best else None,
                num_updates=self._updates_of_an_evaluation,
            ),
            description="pre-training",
            ranks=self.ranks,
            warn=self.warn,
            facts=self._facts,
        )
        if self.checkpoint is not None:
            trainer.resume(self.checkpoint)
        else:
            self.run.start_anew(self.warn)
        return trainer

    def _facts(self) -> dict[str, float | int | str]:
        """What the log says about the data when the run starts."""
        held_out = self.held_out_batches()
        known = self._baselines(held_out)  # the first evaluation may be hours away
        return {
            "store": str(self.store.folder),
            "num_documents": self.store.num_documents,
            "num_tokens": self.store.num_tokens,
            "vocab_size": len(self.store.vocabulary),
            "unknown_rate": describe(self.store.manifest).unknown_rate,
            "epoch_examples": self.batches.epoch_length,
            "evaluation_examples": sum(batch.batch_size for batch in held_out),
            "evaluation_predictions": self._num_predictions(held_out),
            **{name: value for name, value in known.items() if name != "unigram_accuracy"},
        }

    def evaluate(self) -> dict[str, float]:
        batches = self.held_out_batches()
        scores = evaluate_objective(
            self.model, self.objective, batches, self.recipe.training.precision, self.ranks
        )
        return {
            **scores,
            **self._baselines(batches),
            "max_seq_length": self.batches.phase.examples.max_seq_length,
            "num_predictions": self._num_predictions(batches),
        }

    def _baselines(self, batches: Sequence[PretrainingBatch]) -> dict[str, float]:
        return baselines(batches, self.token_counts, self.objective.labels, self.special_ids)

    def _updates_of_an_evaluation(self) -> float:
        """How many updates take as long: it has no way back, which takes twice as long as there."""
        num_examples = sum(batch.batch_size for batch in self.held_out_batches())
        return num_examples / self.batches.phase.global_batch_size / 3

    def held_out_batches(self) -> list[PretrainingBatch]:
        """The held-out examples as the phase that the run is in makes them."""
        phase = self.batches.phase
        if phase not in self.held_out:
            self.held_out[phase] = evaluation_batches(
                self.store,
                self.held_out_ids,
                phase.examples,
                num_examples=self.recipe.training.num_evaluation_examples,
                micro_batch_size=phase.micro_batch_size,
                seed=self.recipe.training.resolved_held_out_seed,
            )
            if self._num_predictions(self.held_out[phase]) == 0:
                raise StoreError(
                    "no word of the held-out examples can be masked: whole_word_masking masks none "
                    f"of more pieces than {phase.examples.max_predictions_per_seq}",
                    where=self.store.folder,
                    fix="set examples.max_predictions_per_seq higher, or "
                    "training.num_evaluation_examples",
                )
        return self.held_out[phase]

    def _num_predictions(self, batches: Sequence[PretrainingBatch]) -> int:
        return sum(len(self.objective.labels(batch)) for batch in batches)

    def save_model(self, folder: Path, weights: Mapping[str, Tensor]) -> None:
        self.model.save_pretrained(folder, weights=weights)
        self.store.tokenizer.save_pretrained(
            folder, max_length=self.model.config.max_position_embeddings
        )

    def _main_loss(self) -> str:
        return "ltr_loss" if isinstance(self.objective, LeftToRight) else "mlm_loss"


def _possible(
    recipe: PretrainRecipe, init: str | None, output: Path, warn: Callable[[str], None]
) -> PretrainRecipe:
    """Checks what can be told before a run's folder is made, and what mends it is a setting.

    Returns the recipe; with `init` its model settings are those of the model that is there.
    """
    resolve_precision(recipe.training.precision, find_device())
    if init is None:
        config = recipe.model.config(vocab_size=1)
    else:
        config = _config_of(init, output)
        model = settings_of_model(recipe.model, config, init, warn)
        recipe = recipe.model_copy(update={"model": model})
    require_layers(recipe.training.freeze_layers, config.num_hidden_layers)
    if recipe.training.budget_seconds is None:
        tell_empty_phases(recipe.resolved_phases, recipe.training.num_steps, warn)
    return recipe


def _config_of(init: str, output: Path) -> BertConfig:
    """Of the model to start from; where that is gone, of the run that has started from it."""
    try:
        return read_config(find_folder(init))
    except ModelError:
        for checkpoint in checkpoint_folders(output):
            with suppress(ModelError):
                return read_config(checkpoint)
        raise


def _identity(store: TokenStore, recipe: PretrainRecipe, init: str | None) -> dict[str, Any]:
    """What must be the same for a run to go on."""
    return {
        **recipe.model_dump(mode="json"),
        "run": {"store": store_identity(store), "init": init},
    }


def _content(store: TokenStore, recipe: PretrainRecipe, init: str | None) -> dict[str, Any]:
    """What all ranks must have alike, wherever on their machines it stands."""
    found = {**store_identity(store), "shards": shard_hashes(store)}
    model = None if init is None else weight_hashes(init)
    return {**recipe.model_dump(mode="json"), "run": {"store": found, "init": model}}


def _result(run: RunFolder) -> PretrainResult:
    log = read_run(run.path)
    if not log.scores:
        raise CheckpointError(
            "the log lacks the last evaluation",
            where=run.metrics_path,
            fix="copy it back from elsewhere; the model itself can be used",
        )
    scores = {n: value for n, value in log.scores.items() if n.endswith(("_loss", "_accuracy"))}
    step = log.step if log.model is None else log.model.step
    state = TrainingState(step=step, seconds=log.seconds, num_skipped=log.num_skipped)
    return PretrainResult(run.path, state, scores)
