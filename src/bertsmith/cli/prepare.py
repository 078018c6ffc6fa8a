"""Sentences are split and tokenized in parallel; the store is the same for any number of workers.

Stopped, in whatever way, the same command goes on after the files that were finished.

Example: bertsmith prepare wiki.jsonl.zst --vocab vocab.txt -o store
"""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from bertsmith._words import counted
from bertsmith.cli.corpora import (
    CorpusPaths,
    DaskAddress,
    NumWorkers,
    choose_workers,
    open_tokenizer,
    takes_corpus_options,
)
from bertsmith.cli.early_workers import starts_workers_early
from bertsmith.cli.output import emit_json, say, table, warn
from bertsmith.cli.stopping import exit_code
from bertsmith.errors import RecipeError

if TYPE_CHECKING:
    from bertsmith.corpus import CorpusSettings
    from bertsmith.wordpiece import Tokenizer

__all__ = ["command"]


@starts_workers_early("bertsmith.store.tokenizing")
@takes_corpus_options
def command(
    corpus: CorpusPaths,
    settings: "CorpusSettings",
    output: Path = typer.Option(..., "-o", "--output", help="The store's folder."),
    vocab: Path | None = typer.Option(
        None, help="vocab.txt, or a model folder with one; with --append the store has it."
    ),
    lowercase: bool | None = typer.Option(
        None, "--lowercase/--cased", help="How the vocabulary is used; default: lower-case."
    ),
    words: str | None = typer.Option(
        None,
        help="What whole-word masking takes for words: pieces (with their ## pieces), or jieba"
        " for Chinese; default: pieces.",
    ),
    workers: NumWorkers = None,
    dask: DaskAddress = None,
    append: bool = typer.Option(
        False, "--append", help="Add the text to the store that stands there."
    ),
    again: bool = typer.Option(
        False,
        "--again",
        help="With --append: also text that the store has already, to see it more often.",
    ),
    overwrite: bool = typer.Option(
        False, "--overwrite", help="Replace the store that stands there."
    ),
    as_json: bool = typer.Option(False, "--json", help="Print the result as JSON."),
) -> None:
    """Runs the command."""
    if words not in (None, "pieces", "jieba"):
        raise RecipeError(f"{words!r} is none of pieces, jieba", where="--words")
    try:
        from bertsmith.cli.store_info import summary_rows
        from bertsmith.corpus import open_corpus
        from bertsmith.store import StoreSettings, append_to_store, unfit_vocabulary, write_store

        text, team = open_corpus(corpus, settings), choose_workers(workers, dask)
        if append:
            _refuse_beside_append(vocab, lowercase, words, overwrite)
            manifest = append_to_store(text, output, workers=team, notice=warn, again=again)
        elif again:
            raise RecipeError("goes with --append alone", where="--again", fix="leave it out")
        else:
            manifest = write_store(
                text,
                _tokenizer(vocab, lowercase),
                output,
                settings=StoreSettings(words="jieba" if words == "jieba" else "pieces"),
                workers=team,
                overwrite=overwrite,
                notice=warn,
            )
    except KeyboardInterrupt as stop:
        can_go_on = "-" not in corpus
        warn(f"stopped; {'run the same command to go on' if can_go_on else 'nothing is kept'}")
        raise typer.Exit(exit_code(stop)) from None
    if as_json:
        emit_json(manifest.model_dump(mode="json"))
        return
    say(f"{output}: a store of {counted(manifest.num_documents, 'document')}")
    mended = [(name.replace("_", " "), f"{n:,}") for name, n in manifest.counts.items()]
    table(summary_rows(manifest) + mended)
    quoted = shlex.quote(str(output))
    if told := unfit_vocabulary(manifest, output):
        warn(told)
    table([("next", f"bertsmith pretrain {quoted} --recipe tiny --budget 10m -o runs/first")])


def _refuse_beside_append(
    vocab: Path | None, lowercase: bool | None, words: str | None, overwrite: bool
) -> None:
    given = {
        "--vocab": vocab,
        "--lowercase/--cased": lowercase,
        "--words": words,
        "--overwrite": overwrite or None,
    }
    for option, value in given.items():
        if value is not None:
            what = "does not go with --append, which keeps the store and its vocabulary"
            raise RecipeError(what, where=option, fix="leave one of the two out")


def _tokenizer(vocab: Path | None, lowercase: bool | None) -> "Tokenizer":
    if vocab is None:
        fix = "give a vocab.txt, or learn one with `bertsmith vocab`"
        raise RecipeError("is missing", where="--vocab", fix=fix)
    return open_tokenizer(vocab, lowercase)
