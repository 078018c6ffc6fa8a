"""Weights & Biases: `pip install 'bertsmith[wandb]'`; its own variables say where to and as whom.

WANDB_MODE=offline keeps everything in the run's folder until `wandb sync`.
"""

import os
import uuid
from collections.abc import Mapping
from typing import Any

from bertsmith.training.trackers.base import Ending, TrackedRun, Tracker, numbers

__all__ = ["PACKAGE", "start"]

PACKAGE = "bertsmith[wandb]"


def start(run: TrackedRun) -> Tracker:
    """Opens a run of the project WANDB_PROJECT ("bertsmith"), or goes on with this run's own.

    Each kind of record has steps of its own, such as `evaluation/step`: Weights & Biases' common
    one never goes back, and an evaluation that a stop left to the next sitting would be lost. Steps
    that are done again after a stop are not logged twice, as far as the server tells what it has.
    """
    import wandb

    run_id = run.recall("wandb") or uuid.uuid4().hex[:12]
    opened = wandb.init(
        project=os.environ.get("WANDB_PROJECT", "bertsmith"),
        name=run.name,
        id=run_id,
        resume="allow",
        dir=str(run.path),
        config=dict(run.recipe),
    )
    run.remember("wandb", run_id)
    return _WeightsAndBiases(opened)


class _WeightsAndBiases:
    def __init__(self, run: Any) -> None:
        self.run = run
        self.step = int(run.step)  # asking takes a while
        self.done: dict[str, float] = {}
        for kind in ("train", "evaluation", "skipped", "end"):
            run.define_metric(f"{kind}/step")
            run.define_metric(f"{kind}/*", step_metric=f"{kind}/step")
            self.done[kind] = run.summary.get(f"{kind}/step", -1)  # of earlier sittings

    def log(self, kind: str, step: int, values: Mapping[str, Any]) -> None:
        if kind == "start":
            self.run.config.update({"machine": dict(values)}, allow_val_change=True)
            return
        if step > self.done.get(kind, -1):
            points = {f"{kind}/{name}": value for name, value in numbers(values).items()}
            points[f"{kind}/step"] = step
            if step >= self.step:
                self.run.log(points, step=step)
                self.step = step
            else:  # which takes the common step and goes on to the next
                self.run.log(points)
                self.step += 1

    def close(self, ending: Ending) -> None:
        if ending == "stopped":  # with another exit code than 0 it is called preempted, not failed
            self.run.mark_preempting()
        self.run.finish(exit_code=0 if ending == "finished" else 1)
