"""Measuring how fast this machine trains: some updates of each size, as `pretrain` does them."""

import gc
import os
import random
import statistics
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from bertsmith.corpus import open_corpus
from bertsmith.errors import RecipeError, is_out_of_memory
from bertsmith.model import BertConfig
from bertsmith.plan.memory import choose_micro_batch, needed_memory_gb
from bertsmith.plan.throughput import Device
from bertsmith.recipes import load_recipe
from bertsmith.store import TokenStore, write_store
from bertsmith.training import PretrainRecipe, RunLog, pretrain, read_run
from bertsmith.wordpiece import SPECIAL_TOKENS, Tokenizer, Vocabulary

__all__ = ["NUM_STEPS", "measure_device"]

NUM_STEPS = 20
_EVERY = 4
_NUM_WORDS, _NUM_DOCUMENTS, _SENTENCES, _WORDS = 4000, 60, 40, 25
# Sequences in an update, by hidden size: on a GPU about as many as in plans, with fewer the
# optimizer would be measured; on a CPU enough to keep it busy for a moment.
_GPU_BATCHES, _CPU_BATCHES = ((768, 512), (0, 2048)), ((768, 8), (0, 32))
_MOST_EVALUATED = 32


def measure_device(store: Path | None, sizes: Sequence[str], say: Callable[[str], None]) -> Device:
    """Trains each size for some updates; reading, optimizer and all are counted.

    Args:
        store: what is trained on; made-up text where None.
        sizes: what is measured; those that don't fit into the memory are left out.
        say: is told what was measured and what was left out, a line a size.

    Returns:
        The device, with the sizes that were measured.

    Raises:
        RecipeError: none of them fits.
    """
    done: dict[str, float] = {}
    rate, device, memory, is_gpu = 0.0, "", _memory_gb(), torch.cuda.is_available()
    with tempfile.TemporaryDirectory(prefix="bertsmith-plan-") as folder:
        made = store or _made_up_store(Path(folder))
        for size in sizes:
            recipe = _recipe(size, memory, is_gpu)
            log = _trained(made, recipe, Path(folder) / size, memory, say)
            if log is None:
                continue
            # The first lines are of a machine that warms up.
            tokens = statistics.median(log.series("train", "tokens_per_second")[1][1:])
            done[size], rate = _flops_per_second(log)
            device = log.facts["device"]
            batch = recipe.training.global_batch_size
            share = f"{done[size] / rate:.0%} of {rate / 1e12:.3g} TFLOP/s"
            say(f"{size}: {tokens:,.0f} real tokens/s in updates of {batch} sequences, {share}")
    if not done:
        raise RecipeError(
            f"no size could be measured with {memory:,.1f} GB of memory",
            where="--measure",
            fix="give a smaller --size, or another machine's --gpu",
        )
    found = {size: flops / rate for size, flops in done.items()}
    where = f"here, {NUM_STEPS} updates"
    measured = {"matmul_tflops": where, **dict.fromkeys(done, where)}
    note = "measured on this machine just now"
    return Device(device, memory, rate, found, measured, note, is_gpu)


def _trained(
    store: Path, recipe: PretrainRecipe, folder: Path, memory: float, say: Callable[[str], None]
) -> RunLog | None:
    """The log of a run; None, and a line, where the memory isn't enough."""
    config = recipe.model.config(vocab_size=len(TokenStore(store).vocabulary))
    needed = needed_memory_gb(config, recipe.training.micro_batch_size)
    left_out = f"{folder.name}: left out, there are {memory:,.1f} GB of memory"
    if needed > memory:
        say(f"{left_out} and it takes about {needed:,.1f}")
        return None
    gc.collect()  # a run before that ran out of memory may still hold some
    try:
        pretrain(store, recipe, folder, warn=lambda _: None)
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        say(f"{left_out} and it ran out of them")
        return None
    return read_run(folder)


def _flops_per_second(log: RunLog) -> tuple[float, float]:
    """What a run did, the median of all but its first lines, and what matrix products do."""
    rate: float = log.facts["matmul_flops_per_second"]
    return rate * statistics.median(log.series("train", "mfu")[1][1:]), rate


def _recipe(size: str, memory: float, is_gpu: bool) -> PretrainRecipe:
    config = BertConfig.of_size(size)
    batches = _GPU_BATCHES if is_gpu else _CPU_BATCHES
    batch = next(batch for least, batch in batches if config.hidden_size >= least)
    settings = {
        "num_steps": NUM_STEPS,
        "log_every_steps": _EVERY,
        "global_batch_size": batch,
        "micro_batch_size": choose_micro_batch(config, memory, batch, is_gpu=is_gpu),
        "num_evaluations": 1,
        "num_evaluation_examples": min(batch, _MOST_EVALUATED),
        "held_out_fraction": 0.1,
        "trackers": [],
    }
    changes = [f"training.{name}={value}" for name, value in settings.items()]
    changes.append("phases=null")
    return load_recipe(PretrainRecipe, "pretrain", size, changes)


def _made_up_store(folder: Path) -> Path:
    rng = random.Random(0)
    words = [f"w{number}" for number in range(_NUM_WORDS)]
    documents = [
        "\n".join(" ".join(rng.choices(words, k=_WORDS)) for _ in range(_SENTENCES))
        for _ in range(_NUM_DOCUMENTS)
    ]
    (folder / "text.txt").write_text("\n\n".join(documents) + "\n", encoding="utf-8")
    # As many entries as BERT's, since the MLM head's cost grows with them.
    filler = [f"unused{number}" for number in range(30_522 - _NUM_WORDS - len(SPECIAL_TOKENS))]
    tokenizer = Tokenizer(Vocabulary([*SPECIAL_TOKENS, *words, *filler]))
    write_store(open_corpus([folder / "text.txt"]), tokenizer, folder / "store")
    return folder / "store"


def _memory_gb() -> float:
    """Memory of the device that PyTorch trains on."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_properties(0).total_memory / 1e9
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
