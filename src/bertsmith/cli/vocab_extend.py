"""The words that save the most tokens on the corpus get a token of their own; old ids stay.

`bertsmith pretrain STORE --init MODEL` gives each the mean of its pieces' embeddings to start from.

Example: bertsmith vocab extend --vocab bert/ clinic.jsonl.zst -o new.txt --add 1000
"""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from bertsmith._words import counted
from bertsmith.cli.corpora import (
    CorpusPaths,
    DaskAddress,
    NumWorkers,
    choose_workers,
    next_prepare,
    open_tokenizer,
    takes_corpus_options,
)
from bertsmith.cli.output import check_output, columns, emit_json, say, table

if TYPE_CHECKING:
    from bertsmith.corpus import CorpusSettings

__all__ = ["command"]

_NUM_SHOWN = 10


@takes_corpus_options
def command(
    corpus: CorpusPaths,
    settings: "CorpusSettings",
    vocab: Path = typer.Option(..., help="The vocab.txt to add to, or a model folder with one."),
    output: Path = typer.Option(..., "-o", "--output", help="Where the new vocab.txt is written."),
    add: int = typer.Option(1000, min=1, help="How many words to add."),
    use_unused: bool = typer.Option(
        False,
        "--use-unused",
        help="Put words in the places of unused tokens first; otherwise all are appended.",
    ),
    min_frequency: int = typer.Option(2, min=1, help="Words seen less often are not added."),
    lowercase: bool | None = typer.Option(
        None,
        "--lowercase/--cased",
        help="How the vocabulary is used; default: as a folder says, else lower-case.",
    ),
    workers: NumWorkers = None,
    dask: DaskAddress = None,
    overwrite: bool = typer.Option(
        False, "--overwrite", help="Replace the file that stands at the output."
    ),
    as_json: bool = typer.Option(False, "--json", help="Print the result as JSON."),
) -> None:
    """Runs the command."""
    from bertsmith.corpus import open_corpus
    from bertsmith.wordpiece import count_words, extend_vocabulary

    inputs: list[str | Path] = [*corpus, vocab, vocab / "vocab.txt"]
    check_output(output, inputs=inputs, overwrite=overwrite)
    tokenizer = open_tokenizer(vocab, lowercase)
    text, team = open_corpus(corpus, settings), choose_workers(workers, dask)
    counter = count_words(text, team, lowercase=tokenizer.lowercase)
    found = extend_vocabulary(
        tokenizer.vocabulary,
        counter.most_frequent(),
        add,
        min_frequency=min_frequency,
        use_unused=use_unused,
    )
    found.vocabulary.save(output)
    before, after = (n / found.num_words for n in (found.num_tokens_before, found.num_tokens_after))
    if as_json:
        emit_json(
            {
                "path": str(output),
                "size": len(found.vocabulary),
                "sha256": found.vocabulary.sha256,
                "tokens_per_word_before": before,
                "tokens_per_word_after": after,
                "added": [vars(word) for word in found.added],
            }
        )
        return
    size, num_added = counted(len(found.vocabulary), "token"), counted(len(found.added), "word")
    say(f"{output}: {size}, {num_added} added")
    if len(found.added) < add:
        say("  no more words of the text save tokens")
    if not found.added:
        return
    shown = found.added[:_NUM_SHOWN]
    rows = [(w.word, " ".join(w.pieces), f"{w.count:,}", f"{w.num_saved:,}") for w in shown]
    columns([("word", "pieces until now", "count", "tokens saved"), *rows])
    table(
        [
            ("tokens per word", f"{before:.3f} before, {after:.3f} after"),
            ("next", next_prepare(corpus, settings, output, cased=not tokenizer.lowercase)),
            (
                "then",
                "bertsmith pretrain store --init MODEL --recipe tiny --budget 10m "
                "--set training.learning_rate=1e-4 -o runs/domain",
            ),
        ]
    )
