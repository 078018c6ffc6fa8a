"""What checkpoints cost a run, and how long it takes to go on from one.

    python -m benchmarks.training.saving [--size small]

The model is one of Google's sizes with a vocabulary of 30,522, trained on random tokens: 64
sequences of length 128 an update.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

import torch
from benchmarks.figures import Figure, print_table, save_results
from torch import Tensor

from bertsmith.batches import PretrainingBatch
from bertsmith.model import BertConfig, BertForPreTraining
from bertsmith.objectives import MaskedLM
from bertsmith.training import LoopSettings, RunFolder, TrainingState
from bertsmith.training.checkpoint import load_training_state, verify_checkpoint, write_checkpoint
from bertsmith.training.saver import CheckpointSaver
from bertsmith.training.snapshot import Snapshots
from bertsmith.training.update import Updater
from bertsmith.training.window import Window

NUM_SEQUENCES, LENGTH, VOCAB_SIZE = 64, 128, 30_522


def main() -> None:
    """Measures, prints the table and writes the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", default="small", help="tiny, mini, small, medium, base, large")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--results", type=Path, default=Path("benchmarks/results/saving.json"))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        figures = list(measure(arguments.size, arguments.rounds, Path(work)))
    save_results(arguments.results, figures)
    print_table(figures)


def measure(size: str, rounds: int, work: Path) -> Iterator[Figure]:
    """Times the loop with checkpoints at once, in the background, and without."""
    torch.manual_seed(0)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    config = BertConfig.of_size(size, vocab_size=VOCAB_SIZE)
    model = BertForPreTraining(config).to(device)
    update = Updater(model, MaskedLM(), LoopSettings())
    batch, window = random_batch(), Window()

    def step() -> None:
        update([batch], 1.0, window)
        if device.type == "cuda":
            torch.cuda.synchronize()

    def save_model(folder: Path, weights: Mapping[str, Tensor]) -> None:
        model.save_pretrained(folder, weights=weights)

    for _ in range(3):
        step()
    at_once, snapshots = [], Snapshots()
    for number in range(rounds):
        snapshot = snapshots.take(TrainingState(number), model, update.optimizer, {})
        write = partial(write_checkpoint, work / f"at_once/{number}", snapshot, save_model)
        at_once.append(seconds(write))
    run = RunFolder(work / "run")
    run.path.mkdir()
    held_up, beside, plain, written = [], [], [], []
    with CheckpointSaver(run, LoopSettings(), save_model) as saver:
        for number in range(rounds + 1):
            state = TrainingState(number)
            save = partial(saver.save, state, model, update.optimizer, {})
            held_up.append(seconds(save))
            started = time.perf_counter()
            beside.append([])
            while saver._background._thread.is_alive():  # type: ignore[union-attr]
                beside[-1].append(seconds(step))
            written.append(time.perf_counter() - started)
            plain.append(seconds(step))
    # The first save makes room for the copies.
    details = {"first": held_up[0], "held_up": held_up[1:], "at_once": at_once}
    details |= {"steps": plain, "steps_beside": beside, "written": written}
    # What updates beside the writer take longer than the one after it.
    price = [sum(b) - len(b) * after for b, after in zip(beside, plain, strict=True)]
    size_in_mb = sum(file.stat().st_size for file in run.checkpoints()[0].iterdir()) / 1e6
    median = statistics.median
    yield Figure(
        f"BERT-{size}: a checkpoint of {size_in_mb:,.0f} MB holds the loop up",
        median(held_up[1:]), "s", 0.25, "at most", median(at_once), "written at once", details,
    )  # fmt: skip
    yield Figure(
        "what it costs the loop in all: held up, and slower updates while it is written",
        median(held_up[1:]) + median(price[1:]), "s", 1.0, "at most",
        median(at_once), "written at once",
    )  # fmt: skip
    yield Figure(
        "going on: checking the hashes, loading model and optimizer",
        median(seconds(lambda: go_on(run.checkpoints()[0])) for _ in range(rounds)),
        "s", 10.0, "at most",
    )  # fmt: skip


def go_on(checkpoint: Path) -> None:
    """What a run that goes on does before its first update."""
    verify_checkpoint(checkpoint)
    model = BertForPreTraining.from_pretrained(checkpoint)
    load_training_state(checkpoint, model, Updater(model, MaskedLM(), LoopSettings()).optimizer)


def seconds(function: Callable[[], None]) -> float:
    """How long a call takes."""
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def random_batch() -> PretrainingBatch:
    """Sequences of one length, 15 % of whose tokens are to be predicted."""
    num_tokens = NUM_SEQUENCES * LENGTH
    positions = torch.randperm(num_tokens)[: num_tokens * 15 // 100].sort().values
    ids = torch.randint(5, VOCAB_SIZE, (num_tokens,))
    return PretrainingBatch(
        input_ids=ids,
        token_type_ids=torch.zeros_like(ids),
        position_ids=torch.arange(LENGTH).repeat(NUM_SEQUENCES),
        cu_seqlens=torch.arange(0, num_tokens + 1, LENGTH, dtype=torch.int32),
        max_seqlen=LENGTH,
        masked_positions=positions,
        masked_labels=ids[positions],
        next_sentence_labels=torch.randint(0, 2, (NUM_SEQUENCES,)),
    )


if __name__ == "__main__":
    main()
