"""The same text gives the same bytes, for any number of workers and any order of the files.

--algorithm bpe merges the most frequent pair of pieces, as tokenizers' "WordPiece" trainer does.

likelihood merges what raises the likelihood of the text most, as the WordPiece papers say.

Google never published how BERT's own vocabulary was learned.

Example: bertsmith vocab wiki.jsonl.zst -o vocab.txt --size 30522
"""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import typer

from bertsmith._words import counted
from bertsmith.cli.corpora import (
    CorpusPaths,
    DaskAddress,
    NumWorkers,
    choose_workers,
    next_prepare,
    takes_corpus_options,
)
from bertsmith.cli.output import check_output, emit_json, say, table, warn
from bertsmith.errors import RecipeError, VocabularyError

if TYPE_CHECKING:
    from bertsmith.corpus import CorpusSettings

__all__ = ["command"]


@takes_corpus_options
def command(
    corpus: CorpusPaths,
    settings: "CorpusSettings",
    output: Path = typer.Option(..., "-o", "--output", help="Where vocab.txt is written."),
    size: int = typer.Option(30522, help="Tokens, special ones included."),
    algorithm: Literal["bpe", "likelihood"] = typer.Option(
        "bpe", help="What to merge next: the most frequent pair, or what the likelihood gains by."
    ),
    lowercase: bool = typer.Option(
        True, "--lowercase/--cased", help="Lower-case and strip accents, or keep case."
    ),
    min_frequency: int = typer.Option(
        2, min=1, help="Characters and pairs seen less often get no piece."
    ),
    limit_alphabet: int = typer.Option(
        1000, min=1, help="The most characters taken; Chinese ones compete with merges instead."
    ),
    unused: int = typer.Option(
        0, min=0, help="How many free places to have, named unused0 and so on in brackets."
    ),
    reserve: list[str] = typer.Option(
        [],
        help="A word, or ##piece, to have a place whatever its count; may be repeated. Text is cut"
        " at punctuation all the same, so no text gives a token such as (E1).",
    ),
    workers: NumWorkers = None,
    dask: DaskAddress = None,
    overwrite: bool = typer.Option(
        False, "--overwrite", help="Replace the file that stands at the output."
    ),
    as_json: bool = typer.Option(False, "--json", help="Print the result as JSON."),
) -> None:
    """Runs the command."""
    from bertsmith._progress import progress
    from bertsmith.corpus import open_corpus
    from bertsmith.wordpiece import MAX_WORDS, count_words, learn_from_counts

    check_output(output, inputs=corpus, overwrite=overwrite)
    _check_reserved(reserve)
    text = open_corpus(corpus, settings)
    counter = count_words(text, choose_workers(workers, dask), lowercase=lowercase)
    counts = counter.most_frequent()
    with progress("learning pieces", size, "pieces") as bar:
        done = 0

        def show(num_pieces: int, _: int) -> None:
            nonlocal done
            bar.advance(num_pieces - done)
            done = num_pieces

        vocabulary = learn_from_counts(
            counts,
            size=size,
            algorithm=algorithm,
            min_frequency=min_frequency,
            num_unused=unused,
            reserve=reserve,
            limit_alphabet=limit_alphabet,
            progress=show,
        )
    vocabulary.save(output)
    _warn_of_unreachable(reserve, lowercase)
    if as_json:
        emit_json(
            {
                "path": str(output),
                "size": len(vocabulary),
                "sha256": vocabulary.sha256,
                "counts": {name: number for name, number in text.counts.items() if number},
            }
        )
        return
    say(f"{output}: {counted(len(vocabulary), 'token')}")
    if len(counts) == MAX_WORDS:
        say(f"  learned from the {MAX_WORDS:,} most frequent words")
    if len(vocabulary) < size:
        say(f"  the text has no more pieces than that; {size:,} were asked for")
    mended = [(name.replace("_", " "), f"{n:,}") for name, n in text.counts.items() if n]
    if mended:
        table(mended)
    table([("next", next_prepare(corpus, settings, output, cased=not lowercase))])


def _check_reserved(reserve: list[str]) -> None:
    """Refuses what can't be an entry before the text is counted rather than after it."""
    from bertsmith.wordpiece import SPECIAL_TOKENS, Vocabulary

    for token in reserve:
        try:
            Vocabulary(dict.fromkeys([*SPECIAL_TOKENS, token]))
        except VocabularyError as error:
            what = error.what if token else "is empty"
            fix = "give one word, or ##piece, without white space"
            raise RecipeError(what, where=f"--reserve {token!r}", fix=fix) from error


def _warn_of_unreachable(reserve: list[str], lowercase: bool) -> None:
    from bertsmith.wordpiece.words import words_of

    for token in reserve:
        word = token.removeprefix("##") or token
        if words_of(word, lowercase) != [word]:
            warn(f"no text gives {token!r}: the tokenizer cuts it, or lower-cases it, before")
