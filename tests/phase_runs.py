"""Pre-training runs of seconds in two phases, stopped and gone on with."""

import itertools
import os
import random
import signal

import pytest
import torch

from bertsmith.corpus import CorpusSettings, open_corpus
from bertsmith.recipes import load_recipe
from bertsmith.store import write_store
from bertsmith.training import Interrupted, PretrainRecipe, pretrain
from bertsmith.training.update import Updater
from bertsmith.wordpiece import Tokenizer, learn_vocabulary
from cli_runs import sentence
from pretraining_runs import silent

FAST = [
    "model.num_hidden_layers=2",
    "model.hidden_size=32",
    "model.max_position_embeddings=64",
    "model.hidden_dropout_prob=0.1",
    "examples.max_seq_length=16",
    "training.global_batch_size=8",
    "training.micro_batch_size=8",
    "training.held_out_fraction=0.1",
    "training.num_evaluations=4",
    "training.precision=fp32",
    "training.log_every_steps=1",
    "training.num_steps=20",
]
PHASES = (
    "phases=[{share: 0.6}, {share: 0.4, max_seq_length: 48, global_batch_size: 6, "
    "micro_batch_size: 3}]"
)


def make_store(folder):
    """A store of documents that fill long sequences."""
    rng = random.Random(3)
    documents = ["\n".join(sentence(rng) for _ in range(12)) for _ in range(40)]
    (folder / "corpus.txt").write_text("\n\n".join(documents))
    corpus = open_corpus([str(folder / "corpus.txt")], CorpusSettings())
    vocabulary = learn_vocabulary((document.text for document in corpus), size=150)
    write_store(corpus, Tokenizer(vocabulary, lowercase=True), folder / "store")
    return folder / "store"


def recipe(*changes):
    return load_recipe(PretrainRecipe, "pretrain", "tiny", [*FAST, *changes])


def without_times(found):
    measured = {"mfu", "waiting_share", "peak_memory_bytes"}
    return [
        {k: v for k, v in record.items() if "second" not in k and k not in measured}
        for record in found
    ]


def stop_after(monkeypatch, *steps):
    """Sends Ctrl-C after some of the process's updates."""
    original, number = Updater.__call__, itertools.count(1)

    def update(self, *arguments):
        original(self, *arguments)
        if next(number) in steps:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(Updater, "__call__", update)


def train_with_stops(store, chosen, folder, num_stops, **options):
    for _ in range(num_stops):
        with pytest.raises(Interrupted):
            pretrain(store, chosen, folder, warn=silent, **options)
        torch.manual_seed(12345)
    pretrain(store, chosen, folder, warn=silent, **options)
