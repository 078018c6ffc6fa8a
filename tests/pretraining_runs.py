"""Pre-training runs of seconds, for tests of the loop and its checkpoints."""

import json
import random

import torch
from safetensors.torch import load_file

from bertsmith.corpus import CorpusSettings, open_corpus
from bertsmith.recipes import load_recipe
from bertsmith.store import write_store
from bertsmith.training import PretrainRecipe
from bertsmith.wordpiece import Tokenizer, learn_vocabulary
from cli_runs import sentence

FAST = [
    "model.num_hidden_layers=2",
    "model.hidden_size=32",
    "model.max_position_embeddings=64",
    "model.hidden_dropout_prob=0.1",
    "model.attention_probs_dropout_prob=0.1",
    "examples.max_seq_length=32",
    "training.global_batch_size=8",
    "training.micro_batch_size=8",
    "training.held_out_fraction=0.1",
    "training.num_evaluations=2",
    "training.precision=fp32",
    "training.log_every_steps=1",
]


class PowerCutError(Exception):
    """Ends a run where it stands, as far as the process can do that to itself."""


def make_store(folder):
    """A store of 50 documents of 8 sentences."""
    rng = random.Random(3)
    documents = ["\n".join(sentence(rng) for _ in range(8)) for _ in range(50)]
    (folder / "corpus.txt").write_text("\n\n".join(documents))
    corpus = open_corpus([str(folder / "corpus.txt")], CorpusSettings())
    vocabulary = learn_vocabulary((document.text for document in corpus), size=150)
    write_store(corpus, Tokenizer(vocabulary, lowercase=True), folder / "store")
    return folder / "store"


def recipe(*changes):
    return load_recipe(PretrainRecipe, "pretrain", "tiny", [*FAST, *changes])


def silent(line):
    raise AssertionError(line)


def weights(folder):
    return load_file(folder / "model.safetensors")


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def records(folder, kind):
    """The log's records of a kind."""
    lines = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
    return [record for record in lines if record["kind"] == kind]


def losses(folder):
    """Step and MLM loss of every log line."""
    return [(record["step"], record["mlm_loss"]) for record in records(folder, "train")]
