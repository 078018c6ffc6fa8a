"""What the processes of a torchrun run in the tests: jobs one after the other.

Each job is an object on the command line, as JSON: `output`, `changes`, and where wanted `stop_at`
(the step after which rank `by` gets a signal) or `task` (then it fine-tunes). What came of it is
printed by the first rank, a line a job.
"""

import json
import os
import signal
import sys
from pathlib import Path

from bertsmith._process import speaks
from bertsmith.recipes import load_recipe
from bertsmith.tasks import FinetuneRecipe, finetune
from bertsmith.training import Interrupted, PretrainRecipe, pretrain
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
    return {"step": result.state.step, "scores": result.scores}


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
