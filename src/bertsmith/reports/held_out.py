"""Whether runs were scored on the same held-out examples."""

from collections.abc import Sequence
from typing import Any

from bertsmith.training import RunLog

__all__ = ["held_out_doubt"]


def held_out_doubt(runs: Sequence[RunLog]) -> list[str]:
    """A sentence on why the held-out scores of runs don't compare; none if they do.

    Fine-tuning runs and runs that weren't evaluated yet don't count; nor does what a log of an
    older version doesn't say.
    """
    names = ", ".join(_differences(runs))
    said = f"The held-out scores are of different examples and hardly compare; other: {names}."
    return [said] if names else []


def _differences(runs: Sequence[RunLog]) -> list[str]:
    chosen = [run for run in runs if run.is_pretraining and run.of_kind("evaluation")]
    made_from = [_made_from(run) for run in chosen]
    names = dict.fromkeys(name for values in made_from for name in values)
    return [name for name in names if _differ([values.get(name) for values in made_from])]


def _made_from(run: RunLog) -> dict[str, Any]:
    """All that the held-out examples follow from."""
    training = "training.held_out_fraction", "training.num_evaluation_examples"
    seed = run.setting("training.held_out_seed")
    # Without one, as in older versions, the run's own seed chooses.
    seed = run.setting("training.seed") if seed is None else seed
    examples = run.setting("examples", {})
    last = run.of_kind("evaluation")[-1]
    return {
        "the store": run.of_run("store"),
        "training.held_out_seed": seed,
        **{name: run.setting(name) for name in training},
        **({f"examples.{name}": value for name, value in examples.items()}),
        # The phase that the run ended in decides.
        "examples.max_seq_length": last.get("max_seq_length", examples.get("max_seq_length")),
    }


def _differ(values: Sequence[object]) -> bool:
    known = [value for value in values if value is not None]
    return any(value != known[0] for value in known)
