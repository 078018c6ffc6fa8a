"""Whole runs of either side, each called in a process of its own."""

import contextlib
import io
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from benchmarks.training.flops import matrix_product_rate, training_flops
from benchmarks.training.reference import padded_batch, reference_model, reference_step
from benchmarks.training.workload import examples_of_length

from bertsmith.batches import PretrainingBatch, PretrainingBatches, evaluation_batches
from bertsmith.examples import split_documents
from bertsmith.model import BertConfig, PackedSequences
from bertsmith.recipes import load_recipe
from bertsmith.store import TokenStore
from bertsmith.training import PretrainRecipe, RunFolder, pretrain
from bertsmith.training.flops import matmul_rate

__all__ = ["our_tuning", "ours", "their_tuning", "theirs"]

CPU = torch.device("cpu")
_SEED, _HELD_OUT, _NUM_EVALUATION_EXAMPLES = 0, 0.01, 64
# What is done before the clock starts: kernels are made, caches filled.
_WARMUP = 0.25


def ours(
    store: Path,
    size: str,
    length: int,
    batch: int,
    num_steps: int,
    warmup: int | None = None,
    precision: str = "bf16",
) -> dict[str, float]:
    """`bertsmith pretrain`, evaluation at its end included.

    Args:
        store: token store.
        size: of the model.
        length: of the examples, at most.
        batch: sequences of an update.
        num_steps: updates that are measured.
        warmup: updates before; None takes a share of the others.
        precision: "bf16" or "fp32".
    """
    if warmup is None:
        warmup = max(2, round(_WARMUP * num_steps))
    changes = [
        f"model.size={size}",
        f"examples={{max_seq_length: {length}, max_predictions_per_seq: "
        f"{examples_of_length(length).max_predictions_per_seq}}}",
        f"training.global_batch_size={batch}",
        f"training.micro_batch_size={batch}",
        f"training.num_steps={warmup + num_steps}",
        f"training.log_every_steps={warmup}",
        "training.num_evaluations=1",
        f"training.num_evaluation_examples={_NUM_EVALUATION_EXAMPLES}",
        f"training.held_out_fraction={_HELD_OUT}",
        f"training.seed={_SEED}",
        f"training.precision={precision}",
        "phases=[]",
    ]
    recipe = load_recipe(PretrainRecipe, "pretrain", "base", changes)
    with tempfile.TemporaryDirectory() as work, contextlib.redirect_stderr(io.StringIO()):
        run = Path(work) / "run"
        pretrain(store, recipe, run, warn=print)
        records = RunFolder(run).read_metrics()
    logged = [record for record in records if record["kind"] == "train"]
    evaluation = next(record for record in records if record["kind"] == "evaluation")
    seconds = evaluation["seconds"] - logged[0]["seconds"]
    config = BertConfig.of_size(size, vocab_size=len(TokenStore(store).vocabulary))
    work_done = _work(store, config, length, batch, warmup, num_steps)
    waits = [record.get("waiting_share", 0.0) for record in logged[1:]]
    return {
        **{f"{name}_per_second": value / seconds for name, value in work_done.items()},
        "product_rate": _product_rate(precision),
        "waiting": sum(waits) / max(len(waits), 1),
    }


def _product_rate(precision: str) -> float:
    """PyTorch's; of fp32 ours, where that is faster."""
    if precision == "bf16":
        return matrix_product_rate(CPU)
    return max(matrix_product_rate(CPU, torch.float32), matmul_rate(CPU, precision))


def theirs(
    store: Path,
    size: str,
    length: int,
    batch: int,
    num_steps: int,
    precision: str,
    is_compiled: bool,
) -> dict[str, float]:
    """The same steps and evaluation with `transformers`."""
    warmup = max(2, round(_WARMUP * num_steps))
    opened = TokenStore(store)
    config = BertConfig.of_size(size, vocab_size=len(opened.vocabulary))
    model = reference_model(config).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, weight_decay=0.01)
    if is_compiled:
        model = torch.compile(model)  # type: ignore[assignment]
    # As its examples do it, a batch is padded to its longest; what is compiled has one shape.
    padded_to = length if is_compiled else None
    held_out = _evaluation(opened, length, batch)
    started = 0.0
    for step, micro_batches in enumerate(_batches(opened, length, batch)):
        if step == warmup:
            started = time.perf_counter()
        if step == warmup + num_steps:
            break
        padded = [padded_batch(part, padded_to) for part in micro_batches]
        reference_step(model, optimizer, padded, precision)
    model.eval()
    with torch.no_grad(), torch.autocast("cpu", enabled=precision == "bf16"):
        for part in held_out:
            model(**padded_batch(part, padded_to))
    seconds = time.perf_counter() - started
    work_done = _work(store, config, length, batch, warmup, num_steps)
    return {f"{name}_per_second": value / seconds for name, value in work_done.items()}


def our_tuning(task: str, data: Path, vocabulary: Path, precision: str) -> dict[str, float]:
    """Updates of BERT-base from fresh weights on a task's batches, by our trainer's update."""
    from bertsmith.tasks.lookup import get_task
    from bertsmith.training import LoopSettings
    from bertsmith.training.cpu import keep_freed_memory
    from bertsmith.training.update import Updater
    from bertsmith.training.window import Window

    keep_freed_memory()
    model, batches = _tuning_batches(task, data, vocabulary)
    settings = LoopSettings(learning_rate=2e-5, precision=precision)
    update = Updater(model, get_task(task).objective(), settings)
    return _timed(batches, lambda batch: update([batch], 1.0, Window()))


def their_tuning(
    task: str, data: Path, vocabulary: Path, precision: str, length: int | None
) -> dict[str, float]:
    """The same with `transformers`."""
    ours, batches = _tuning_batches(task, data, vocabulary)
    model = reference_model(ours.config, "BertForSequenceClassification").train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-5)
    return _timed(
        batches,
        lambda batch: reference_step(model, optimizer, [padded_batch(batch, length)], precision),
    )


def _tuning_batches(task: str, data: Path, vocabulary: Path) -> tuple[Any, list[PackedSequences]]:
    from bertsmith.model import BertForSequenceClassification
    from bertsmith.tasks.lookup import get_task
    from bertsmith.training import EpochBatches
    from bertsmith.wordpiece import Tokenizer

    found = get_task(task)
    examples = found.read(data, "train").examples[:2000]
    labels = found.labels(examples) or ("0", "1")
    config = BertConfig.of_size("base", labels=tuple(labels))
    features = found.trainable(
        found.encode(examples, Tokenizer(vocabulary), labels=config.labels, max_seq_length=128)
    )
    batches = EpochBatches(
        features, found.collate, global_batch_size=32, micro_batch_size=32, seed=_SEED
    )
    made = [part for step in range(14) for part in batches.micro_batches(step)]
    return BertForSequenceClassification(config), made


def _timed(batches: list[PackedSequences], step: Any) -> dict[str, float]:
    warmup = 4
    started = 0.0
    for number, batch in enumerate(batches):
        if number == warmup:
            started = time.perf_counter()
        step(batch)
    seconds = time.perf_counter() - started
    return {"tokens_per_second": sum(b.num_tokens for b in batches[warmup:]) / seconds}


def _batches(store: TokenStore, length: int, batch: int) -> Iterator[list[PretrainingBatch]]:
    return _source(store, length, batch).steps(0, micro_batch_size=batch)


def _source(store: TokenStore, length: int, batch: int) -> PretrainingBatches:
    training, _ = split_documents(store.num_documents, held_out_fraction=_HELD_OUT, seed=_SEED)
    settings = examples_of_length(length)
    return PretrainingBatches(store, training, settings, global_batch_size=batch, seed=_SEED)


def _evaluation(store: TokenStore, length: int, batch: int) -> list[PretrainingBatch]:
    _, held_out = split_documents(store.num_documents, held_out_fraction=_HELD_OUT, seed=_SEED)
    return evaluation_batches(
        store, held_out, examples_of_length(length), num_examples=_NUM_EVALUATION_EXAMPLES,
        micro_batch_size=batch, seed=_SEED,
    )  # fmt: skip


def _work(
    store: Path, config: BertConfig, length: int, batch: int, first: int, number: int
) -> dict[str, float]:
    """Real tokens of some steps, and what their matrix products need."""
    source = _source(TokenStore(store), length, batch)
    parts = [p for step in range(first, first + number) for p in source.micro_batches(step, batch)]
    flops = sum(training_flops(config, part) for part in parts)
    return {"tokens": sum(part.num_tokens for part in parts), "flops": flops}
