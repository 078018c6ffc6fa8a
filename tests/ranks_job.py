"""What the processes of a torchrun run in the tests: jobs one after the other.

Each job is an object on the command line, as JSON: `output`, `changes`, and where wanted `stop_at`
(the step after which rank `by` gets a signal) or `stop_in` (the update and its micro-batch in
which it does), `task` (then it fine-tunes), `fp16` (then that is not refused) or `bad_from` (the
update from which on all are skipped, while the checkpoint of the second is slow to be written).
What came of it is printed by the first rank, a line a job; of an error by the one that has the
word.
"""

import functools
import itertools
import json
import os
import signal
import sys
import time
from pathlib import Path
from threading import Event

import torch

from bertsmith._process import speaks
from bertsmith.errors import TrainingError
from bertsmith.recipes import load_recipe
from bertsmith.tasks import FinetuneRecipe, finetune
from bertsmith.training import (
    Interrupted,
    PretrainRecipe,
    distributed,
    evaluation,
    pretrain,
    pretraining,
    update,
)
from bertsmith.training.guard import Guard, Verdict
from bertsmith.training.saver import CheckpointSaver
from bertsmith.training.skips import SkipRecord
from bertsmith.training.update import Updater

WRITING_SECONDS, WAITING_SECONDS = 2, 60


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


def stop_in(update, micro_batch, original=Updater._run_micro_batch):
    at = [1, 1]

    def run(self, batch, is_last):
        if at == [update, micro_batch]:
            os.kill(os.getpid(), signal.SIGTERM)
        at[:] = [at[0] + 1, 1] if is_last else [at[0], at[1] + 1]
        return original(self, batch, is_last)

    Updater._run_micro_batch = run


def skip_from(first, judge=Guard.__call__, write=CheckpointSaver._write, way_on=SkipRecord.way_on):
    asked = Event()
    calls, questions = itertools.count(1), itertools.count(1)

    def judge_harshly(self, *arguments):
        verdict = judge(self, *arguments)
        return Verdict(torch.tensor(next(calls) >= first), verdict.loss, verdict.grad_norm)

    def write_slowly(self, *arguments):
        asked.wait(WAITING_SECONDS)
        time.sleep(WRITING_SECONDS)
        write(self, *arguments)

    def say_when_asked(self, *arguments):
        asked.set()
        return way_on(self, *arguments)

    Guard.__call__ = judge_harshly
    CheckpointSaver._write = write_slowly
    SkipRecord.way_on = say_when_asked
    CheckpointSaver.is_due = lambda self: next(questions) == 2


def do(job):
    """Does a job; returns what came of it."""
    original, original_run = Updater.__call__, Updater._run_micro_batch
    if job.get("fp16"):
        allow_fp16()
    if job.get("by") == int(os.environ.get("RANK", "0")):
        if "stop_at" in job:
            stop_after(job["stop_at"])
        if "stop_in" in job:
            stop_in(*job["stop_in"])
    if "silent" in job:
        distributed._SILENT_SECONDS = job["silent"]
    if "bad_from" in job:
        skip_from(job["bad_from"])
    try:
        return work(job)
    except Interrupted as stop:
        return {"stopped": stop.step}
    except TrainingError as error:
        return {"error": str(error)}
    finally:
        Updater.__call__, Updater._run_micro_batch = original, original_run


def main():
    for job in json.loads(sys.argv[1]):
        done = do(job)
        if speaks():
            print(json.dumps(done), flush=True)


if __name__ == "__main__":
    main()
