"""Runs of seconds, really trained, to be looked at by reports, the doctor and trackers."""

import json
import random

from bertsmith.corpus import CorpusSettings, open_corpus
from bertsmith.recipes import load_recipe
from bertsmith.store import write_store
from bertsmith.training import PretrainRecipe
from bertsmith.wordpiece import Tokenizer, learn_vocabulary
from cli_runs import sentence

_FAST = (
    "model.num_hidden_layers=1",
    "model.hidden_size=32",
    "model.max_position_embeddings=64",
    "examples.max_seq_length=32",
    "training.global_batch_size=8",
    "training.micro_batch_size=8",
    "training.held_out_fraction=0.1",
    "training.num_evaluations=2",
    "training.precision=fp32",
    "training.log_every_steps=2",
)


def recipe(*changes):
    """The recipe of a run that takes a second."""
    return load_recipe(PretrainRecipe, "pretrain", "tiny", [*_FAST, *changes])


def make_store(folder, num_documents=50):
    """A store of documents of eight sentences."""
    rng = random.Random(3)
    documents = ["\n".join(sentence(rng) for _ in range(8)) for _ in range(num_documents)]
    (folder / "corpus.txt").write_text("\n\n".join(documents))
    corpus = open_corpus([str(folder / "corpus.txt")], CorpusSettings())
    vocabulary = learn_vocabulary((document.text for document in corpus), size=150)
    write_store(corpus, Tokenizer(vocabulary, lowercase=True), folder / "store")
    return folder / "store"


def records(folder):
    """The log of a run."""
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]
