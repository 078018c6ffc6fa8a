"""Logs of runs as the trainer writes them, made up, sound or with an illness planted."""

import json
import math
from collections.abc import Callable

import yaml

from bertsmith.doctor import examine_run
from bertsmith.recipes import load_recipe
from bertsmith.training import PretrainRecipe

NUM_LINES = 200


def train_line(step, loss=None, **changes):
    """A line of a run of base that goes well; its keys are compared with a real one's below."""
    loss = 1.6 + 6.5 * math.exp(-step / 40_000) if loss is None else loss
    return {
        "kind": "train",
        "step": step,
        "mlm_loss": loss,
        "mlm_accuracy": 0.6,
        "nsp_loss": 0.1,
        "nsp_accuracy": 0.97,
        "learning_rate": 1e-4 * max(1 - step / 1e6, 0),
        "epochs": step * 256 / 40_000_000,
        "tokens_per_second": 5e5,
        "mfu": 0.52,
        "waiting_share": 0.001,
        "peak_memory_bytes": 3 * 10**10,
        "seconds": step / 10,
        **changes,
    }


def evaluation_line(step, loss=None, **changes):
    return {
        "kind": "evaluation",
        "step": step,
        "mlm_loss": 1.65 + 6.5 * math.exp(-step / 40_000) if loss is None else loss,
        "mlm_accuracy": 0.6,
        "nsp_loss": 0.1,
        "nsp_accuracy": 0.97,
        "unigram_accuracy": 0.05,
        "unigram_loss": 7.3,
        "majority_accuracy": 0.55,
        "max_seq_length": 512,
        "num_predictions": 36_000,
        "seconds": step / 10,
        **changes,
    }


def start_line(**changes):
    return {
        "kind": "start",
        "step": 0,
        "seconds": 0.0,
        "store": "store",
        "num_documents": 6_000_000,
        "num_tokens": 4_000_000_000,
        "vocab_size": 30_522,
        "unknown_rate": 0.0003,
        "epoch_examples": 40_000_000,
        "evaluation_examples": 2000,
        "evaluation_predictions": 36_000,
        "unigram_loss": 7.3,
        "majority_accuracy": 0.55,
        "device": "NVIDIA H100",
        "threads": 16,
        "precision": "bf16",
        "matmul_flops_per_second": 7e14,
        "num_parameters": 110_000_000,
        "bertsmith_version": "0.1.0",
        "torch_version": "2.13.0",
        "python_version": "3.12.0",
        "system": "Linux x86_64",
        "processes": 1,
        **changes,
    }


def written(folder, *, train=train_line, evaluation=evaluation_line, more=(), changes=()):
    """A run of base as it would be logged, with some lines of another kind."""
    folder.mkdir(exist_ok=True)
    settings = load_recipe(
        PretrainRecipe, "pretrain", "base", ["examples.max_seq_length=512", *changes]
    )
    content = {**settings.model_dump(mode="json"), "run": {"init": None}}
    (folder / "recipe.yaml").write_text(yaml.safe_dump(content))
    steps = [1_000_000 * n // NUM_LINES for n in range(1, NUM_LINES + 1)]
    lines = [start_line(), *(train(step) for step in steps)]
    lines += [evaluation(step) for step in steps[19::20]]
    lines += [*more, {"kind": "end", "step": 1_000_000, "seconds": 100_000.0}]
    lines.sort(key=lambda line: line["step"])
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def fine_tuned(folder):
    """A fine-tuning run that has learned nothing."""
    folder.mkdir(exist_ok=True)
    content = {
        "run": {
            "task": "rte",
            "model": {"source": "bert-large"},
            "data": {"glue/RTE/train.tsv": "0"},
        },
        "training": {"seed": 4, "learning_rate": 3e-5, "micro_batch_size": 32},
    }
    (folder / "recipe.yaml").write_text(yaml.safe_dump(content))
    lines = [
        {"kind": "train", "step": step, "classification_loss": 0.694, "seconds": step / 10}
        for step in range(20, 240, 20)
    ]
    lines.append({"kind": "evaluation", "step": 220, "accuracy": 0.53, "seconds": 22.0})
    lines.append({"kind": "end", "step": 220, "seconds": 22.0})
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def jumping(step):
    return train_line(step, 6.0) if step in (300_000, 500_000, 700_000) else train_line(step)


WRITTEN: dict[str, Callable] = {
    "diverged": lambda folder, **more: written(
        folder, train=lambda s: train_line(s, 7.4 if s > 600_000 else None), **more
    ),
    "skipped_updates": lambda folder, **more: written(
        folder,
        more=[
            {
                "kind": "skipped",
                "step": step,
                "reason": "loss nan",
                "loss": "nan",
                "grad_norm": "nan",
            }
            for step in range(400_000, 400_012)
        ],
        **more,
    ),
    "loss_spikes": lambda folder, **more: written(folder, train=jumping, **more),
    "learning_rate_too_high": lambda folder, **more: written(
        folder, train=lambda s: train_line(s, 3.0 if s < 100_000 else 3.5), **more
    ),
    "overfitting": lambda folder, **more: written(
        folder, evaluation=lambda s: evaluation_line(s, 2.5 + s / 1e6), **more
    ),
    "low_utilisation": lambda folder, **more: written(
        folder, train=lambda s: train_line(s, mfu=0.06), **more
    ),
    "frozen_noise": lambda folder, changes=(), **more: written(
        folder, changes=["training.freeze_layers=2", *changes], **more
    ),
    "not_learned": lambda folder, **_: fine_tuned(folder),
}


def finding_of(folder, name):
    found = {finding.name: finding for finding in examine_run(folder).findings}
    assert name in found, list(found)
    return found[name]
