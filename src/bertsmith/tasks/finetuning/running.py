"""A whole fine-tuning run: a model, a task's data and a recipe in, a model folder out."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bertsmith.errors import CheckpointError
from bertsmith.model import find_device, resolve_precision
from bertsmith.model.hub import find_folder
from bertsmith.model.pretrained import read_config
from bertsmith.tasks.finetuning.job import FinetuneJob
from bertsmith.tasks.finetuning.recipe import FinetuneRecipe, with_epochs
from bertsmith.tasks.finetuning.session import FinetuneSession
from bertsmith.tasks.lookup import get_task, with_main_metric
from bertsmith.training import (
    FREE_TO_CHANGE,
    RunFolder,
    TrainingState,
    held_run,
    is_over,
    joined_ranks,
    read_run,
    require_alike,
    require_layers,
)

__all__ = ["FinetuneResult", "finetune"]


@dataclass(frozen=True)
class FinetuneResult:
    """What came of a fine-tuning run.

    Attributes:
        path: the run's folder, which is a model folder.
        state: `step`, `seconds` and `num_skipped`, as the log has them; nothing else of a
            checkpoint's state.
        scores: scores of the kept model on dev; further dev sets as `split/metric`.
        labels: the classes, by id.
        main_metric: the name of the score that models are chosen by.
        least_score: that score on dev of always giving the same answer; None where
            the task has no such answer.
    """

    path: Path
    state: TrainingState
    scores: dict[str, float]
    labels: tuple[str, ...]
    main_metric: str
    least_score: float | None


def finetune(
    task_name: str,
    model_source: str,
    data: Path,
    recipe: FinetuneRecipe,
    output: Path,
    *,
    from_scratch: bool = False,
    warn: Callable[[str], None],
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
    with joined_ranks() as ranks, held_run(output, ranks, warn) as run:
        recipe = with_epochs(recipe, task.num_epochs, ranks.on_first(run.recipe_to_go_on_with))
        job = FinetuneJob.read(task, model_source, data, recipe, from_scratch=from_scratch)
        for note in dict.fromkeys(note for part in job.parts for note in part.notes):
            warn(note)  # what is held out of one file is said once
        identity = job.identity()
        require_alike(ranks, lambda: job.content(identity))
        ranks.on_first(lambda: run.check_recipe(identity, FREE_TO_CHANGE))
        if not ranks.on_first(lambda: is_over(run, warn)):
            FinetuneSession(job, run, ranks, warn).train()
        return ranks.on_first(lambda: _result(run, job))


def _result(run: RunFolder, job: FinetuneJob) -> FinetuneResult:
    log = with_main_metric(read_run(run.path))
    if not log.scores:
        raise CheckpointError(
            "the log lacks the evaluation of the model that was kept",
            where=run.metrics_path,
            fix=f"`bertsmith evaluate {job.task.name} --model {run.path} ...` scores it",
        )
    state = TrainingState(step=log.step, seconds=log.seconds, num_skipped=log.num_skipped)
    return FinetuneResult(
        run.path,
        state,
        log.scores,
        read_config(run.path).labels,
        job.task.main_metric,
        job.least_score,
    )
