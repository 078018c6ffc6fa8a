"""What the processes of a torchrun run in the tests: jobs one after the other.

Each job is an object on the command line, as JSON: `output`, `changes`, and where wanted `stop_at`
(the step after which rank `by` gets a signal), `task` (then it fine-tunes) or `fp16` (then that is
not refused). What came of it is printed by the first rank, a line a job.
"""

import functools
import json
import os
import signal
import sys
from pathlib import Path

import torch

from bertsmith._process import speaks
from bertsmith.recipes import load_recipe
from bertsmith.tasks import FinetuneRecipe, finetune
from bertsmith.training import (
    Interrupted,
    PretrainRecipe,
    evaluation,
    pretrain,
    pretraining,
    update,
)
from bertsmith.training.update import Updater


def ignore(line):
    pass


def work(job):
    output, changes = Path(job["output"]), job["changes"]
    if "task" in job:
        recipe = load_recipe(FinetuneRecipe, "finetune", "small", changes)
        result = finetune(job["task"], job["model"], Path(job["data"]), recipe, output, warn=ignore)
    else:
        recipe = load_recipe(PretrainRecipe, "pretrain", "tiny", changes)
        result = pretrain(Path(job["store"]), recipe, output, warn=ignore)
    done = {"step": result.state.step, "scores": result.scores}
    if recipe.training.compile is True:
        done["compiled"] = torch._dynamo.utils.counters["frames"]["ok"]
    return done


def allow_fp16():
    """PyTorch can do fp16 on a CPU, slowly. The first factors are so high that they overflow."""
    for room in (pretraining, update, evaluation):
        room.resolve_precision = lambda precision, device: precision
    kind = getattr(torch.amp.GradScaler, "func", torch.amp.GradScaler)
    torch.amp.GradScaler = functools.partial(kind, init_scale=2.0**30, growth_interval=4)


def stop_after(num_updates, original=Updater.__call__):
    def update(self, *arguments):
        nonlocal num_updates
        original(self, *arguments)
        num_updates -= 1
        if num_updates == 0:
            os.kill(os.getpid(), signal.SIGTERM)

    Updater.__call__ = update


def do(job):
    """Does a job; returns what came of it."""
    original = Updater.__call__
    if job.get("fp16"):
        allow_fp16()
    if "stop_at" in job and job["by"] == int(os.environ.get("RANK", "0")):
        stop_after(job["stop_at"])
    try:
        return work(job)
    except Interrupted as stop:
        return {"stopped": stop.step}
    finally:
        Updater.__call__ = original


def main():
    for job in json.loads(sys.argv[1]):
        done = do(job)
        if speaks():
            print(json.dumps(done), flush=True)


if __name__ == "__main__":
    main()
