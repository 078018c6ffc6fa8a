"""The demo's report.html."""

import os
import platform
import sys
from pathlib import Path
from typing import Any

import torch

from bertsmith import __version__
from bertsmith.reports import (
    Figure,
    Page,
    Samples,
    Series,
    Table,
    Text,
    bar_plot,
    line_plot,
    write_page,
)
from bertsmith.training import RunFolder

__all__ = ["own_text_commands", "write_demo_report"]

_OWN_TEXT = """bertsmith vocab YOUR_TEXT -o vocab.txt --size 16384
bertsmith prepare YOUR_TEXT --vocab vocab.txt -o store
bertsmith pretrain store --recipe mini --budget 1h -o runs/own
bertsmith predict fill-mask --model runs/own "one of your sentences with a [MASK] ."
bertsmith finetune classify --model runs/own --data YOUR_LABELLED_FOLDER -o runs/classifier"""


def own_text_commands() -> str:
    """The commands that do the same with a user's own text."""
    return _OWN_TEXT


def write_demo_report(facts: dict[str, Any], folder: Path) -> Path:
    """Writes `report.html` from the story's facts and the pre-training log.

    Args:
        facts: what `Story` collected.
        folder: the demo's folder.

    Returns:
        The report's path.
    """
    log = RunFolder(folder / "pretrained").read_metrics()
    path = folder / "report.html"
    write_page(_page(facts, log), path)
    return path


def _page(facts: dict[str, Any], log: list[dict[str, Any]]) -> Page:
    scores, tuning = facts["pretraining"]["scores"], facts["finetuning"]
    seconds = sum(fact["seconds"] for fact in facts.values() if "seconds" in fact)
    pretrained, scratch = tuning["pre-trained"], tuning["from scratch"]
    return Page(
        title="A BERT made from the text on this machine",
        lead="Documentation of the installed Python packages became a vocabulary, a corpus of "
        "token ids, a BERT pre-trained with masked LM and next-sentence prediction, and a "
        "classifier fine-tuned on a few hundred sentences.",
        headline=[
            (f"{scores['mlm_accuracy']:.1%}", "of masked tokens right, on held-out documents"),
            (f"{scores['unigram_accuracy']:.1%}", "always saying the most frequent token"),
            (f"{pretrained['mean']:.1%}", "classifier's accuracy, from the pre-trained weights"),
            (f"{scratch['mean']:.1%}", "the same, from fresh weights"),
            (f"{seconds / 60:.1f} min", "in all"),
        ],
        sections=[
            ("Text", _text_blocks(facts)),
            ("Pre-training", _pretraining_blocks(facts, log)),
            ("What it puts into a blank", [Samples(facts["samples"]["items"])]),
            ("Does pre-training pay?", _tuning_blocks(facts)),
            ("The same with your own text", [Text(_OWN_TEXT, is_code=True)]),
        ],
        footer=f"bertsmith {__version__}, PyTorch {torch.__version__}, Python "
        f"{sys.version.split()[0]}, {platform.machine()}, {os.cpu_count()} cores",
    )


def _text_blocks(facts: dict[str, Any]) -> list[Table]:
    sources = sorted(facts["corpus"]["sources"].items(), key=lambda item: -item[1])
    rows = [(name, f"{size / 1e6:.2f}") for name, size in sources[:10]]
    store = facts["store"]
    counts = [
        ("documents for pre-training", f"{store['documents']:,}"),
        ("sentences", f"{store['sentences']:,}"),
        ("tokens", f"{store['tokens']:,}"),
        ("tokens in the vocabulary", f"{facts['vocabulary']['tokens']:,}"),
    ]
    return [Table(("what", "number"), counts), Table(("where the text is from", "MB"), rows)]


def _pretraining_blocks(facts: dict[str, Any], log: list[dict[str, Any]]) -> list[Figure | Table]:
    train = [record for record in log if record["kind"] == "train"]
    held_out = [record for record in log if record["kind"] == "evaluation"]
    last = held_out[-1]
    losses = line_plot(
        [
            _series("MLM loss, training", train, "mlm_loss"),
            _series("MLM loss, held out", held_out, "mlm_loss"),
            _series("NSP loss, held out", held_out, "nsp_loss"),
        ],
        x_label="seconds",
        y_label="nats",
    )
    accuracies = line_plot(
        [
            _series("MLM accuracy, held out", held_out, "mlm_accuracy"),
            _series("NSP accuracy, held out", held_out, "nsp_accuracy"),
            _series("unigram baseline", held_out, "unigram_accuracy", dashed=True),
        ],
        x_label="seconds",
        y_label="share right",
    )
    rates = sorted(record["tokens_per_second"] for record in train)
    rows = [
        ("updates", f"{facts['pretraining']['steps']:,}"),
        ("tokens per second, median", f"{rates[len(rates) // 2]:,.0f}"),
        ("held-out MLM loss", f"{last['mlm_loss']:.3f}"),
        ("held-out MLM accuracy", f"{last['mlm_accuracy']:.1%}"),
        ("unigram baseline", f"{last['unigram_accuracy']:.1%}"),
        ("held-out NSP accuracy", f"{last['nsp_accuracy']:.1%}"),
    ]
    return [
        Figure(losses, "Loss over time."),
        Figure(accuracies, "Accuracy on documents that the model was not trained on."),
        Table(("what", "figure"), rows),
    ]


def _series(label: str, records: list[dict[str, Any]], key: str, *, dashed: bool = False) -> Series:
    seconds = [record["seconds"] for record in records]
    return Series(label, seconds, [record[key] for record in records], dashed)


def _tuning_blocks(facts: dict[str, Any]) -> list[Text | Figure | Table]:
    tuning, corpus = facts["finetuning"], facts["corpus"]
    kinds = ("pre-trained", "from scratch")
    plot = bar_plot(
        kinds,
        [tuning[kind]["mean"] for kind in kinds],
        [tuning[kind]["deviation"] for kind in kinds],
        [tuning[kind]["scores"] for kind in kinds],
        y_label="accuracy",
    )
    rows = [
        (
            kind,
            *(f"{score:.1%}" for score in tuning[kind]["scores"]),
            f"{tuning[kind]['mean']:.1%}",
            f"{tuning[kind]['deviation']:.1%}",
        )
        for kind in kinds
    ]
    num_seeds = len(tuning["pre-trained"]["scores"])
    header = ("weights", *(f"seed {seed}" for seed in range(num_seeds)), "mean", "deviation")
    return [
        Text(
            f"Which package does a sentence document: {', '.join(corpus['packages'])}? "
            f"{corpus['train_sentences']} sentences to learn from, {corpus['test_sentences']} to "
            "be scored on, all from documents that pre-training has not seen. Both kinds of run "
            "have the same model, data, settings and seeds; only the initial weights differ."
        ),
        Figure(plot, "Mean, standard deviation and the single runs."),
        Table(header, rows),
    ]
