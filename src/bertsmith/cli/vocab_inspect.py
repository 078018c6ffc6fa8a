"""[UNK] rate, pieces per word, bytes per token, by script too; two vocabularies side by side.

Example: bertsmith vocab inspect vocab.txt --corpus wiki.jsonl.zst
"""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from bertsmith.cli.corpora import (
    DaskAddress,
    NumWorkers,
    choose_workers,
    open_tokenizer,
    takes_corpus_options,
)
from bertsmith.cli.output import columns, emit_json, say
from bertsmith.errors import RecipeError

if TYPE_CHECKING:
    from bertsmith.corpus import CorpusSettings
    from bertsmith.wordpiece import ScriptInspection, VocabularyInspection, WordCounter

    Found = list[VocabularyInspection]

__all__ = ["command"]

_NUM_SCRIPTS, _MAX_SHOWN = 10, 40
_CASINGS: dict[str, bool | None] = {"cased": False, "lowercase": True}
_CASED_OF_TWO = "--casing for each of the two, cased for this one"


@takes_corpus_options
def command(
    settings: "CorpusSettings",
    vocab: Path = typer.Argument(..., help="vocab.txt, or a model folder with one."),
    other: Path | None = typer.Argument(None, help="A second one, to compare."),
    corpus: list[str] = typer.Option(
        ..., help="Files, folders or globs to inspect it on; may be repeated."
    ),
    lowercase: bool | None = typer.Option(
        None,
        "--lowercase/--cased",
        help="How the vocabulary is used; default: as a folder says, else lower-case.",
    ),
    casing: list[str] = typer.Option(
        [], help="Of two vocabularies, how each is used, in their order: cased or lowercase."
    ),
    examples: int = typer.Option(10, min=0, help="How many words to list."),
    workers: NumWorkers = None,
    dask: DaskAddress = None,
    as_json: bool = typer.Option(False, "--json", help="Print the result as JSON."),
) -> None:
    """Runs the command."""
    from bertsmith.corpus import open_corpus
    from bertsmith.wordpiece import count_words, inspect_counts

    paths = [vocab] if other is None else [vocab, other]
    to_give = {} if other is None else {"to_give": _CASED_OF_TWO}
    tokenizers = [
        open_tokenizer(path, each, **to_give)
        for path, each in zip(paths, _casings(lowercase, casing, len(paths)), strict=True)
    ]
    text, team = open_corpus(corpus, settings), choose_workers(workers, dask)
    counters: dict[bool, WordCounter] = {}
    for lower in {tokenizer.lowercase for tokenizer in tokenizers}:
        counters[lower] = count_words(text, team, lowercase=lower)
    found = [
        inspect_counts(tokenizer, counters[tokenizer.lowercase], num_examples=examples)
        for tokenizer in tokenizers
    ]
    if as_json:
        results = zip(paths, tokenizers, found, strict=True)
        emit_json(
            [
                {"vocabulary": str(path), "lowercase": tokenizer.lowercase, **_as_json(result)}
                for path, tokenizer, result in results
            ]
        )
        return
    casings = [tokenizer.lowercase for tokenizer in tokenizers]
    _show_numbers(list(map(str, paths)), found, casings)
    _show_scripts(found)
    for path, result in zip(paths, found, strict=True):
        if examples:
            _show_words(path, result)


def _casings(lowercase: bool | None, casing: list[str], number: int) -> list[bool | None]:
    """Whether each vocabulary is used with lower-casing; None where nothing says.

    Raises:
        RecipeError: another number of casings than of vocabularies, or none that there is.
    """
    if not casing:
        return [lowercase] * number
    if lowercase is not None:
        raise RecipeError("says it of each", where="--casing", fix="leave --cased, --lowercase out")
    for each in casing:
        if each not in _CASINGS:
            raise RecipeError("is no casing", where=f"--casing {each}", fix="cased or lowercase")
    if len(casing) != number:
        what = f"is given for {len(casing)}, and there {_are(number)}"
        raise RecipeError(what, where="--casing", fix="give it once for each, in their order")
    return [_CASINGS[each] for each in casing]


def _are(number: int) -> str:
    return "is one vocabulary" if number == 1 else f"are {number} vocabularies"


def _as_json(result: "VocabularyInspection") -> dict[str, object]:
    rates = ("unknown_rate", "whole_word_rate", "pieces_per_word", "bytes_per_token")
    return {**asdict(result), **{name: getattr(result, name) for name in rates}}


_NUMBERS: dict[str, Callable[["VocabularyInspection"], str]] = {
    "words of the text": lambda found: f"{found.num_words:,}",
    "tokens of the text": lambda found: f"{found.num_tokens:,}",
    "[UNK]": lambda found: f"{found.unknown_rate:.3%}",
    "pieces per word": lambda found: f"{found.pieces_per_word:.3f}",
    "bytes per token": lambda found: f"{found.bytes_per_token:.3f}",
    "words that are one piece": lambda found: f"{found.whole_word_rate:.1%}",
    "entries": lambda found: f"{found.num_entries:,}",
    "entries never used": lambda found: f"{found.num_unused_entries:,}",
}


def _show_numbers(names: list[str], found: "Found", lowercase: list[bool]) -> None:
    rows: list[tuple[str, ...]] = []
    if len(set(lowercase)) > 1:
        rows.append(("text is read", *("lower-cased" if each else "cased" for each in lowercase)))
    rows += [(label, *map(show, found)) for label, show in _NUMBERS.items()]
    columns([("", *names), *rows])


def _show_scripts(found: "Found") -> None:
    rows = []
    for script in found[0].scripts[:_NUM_SCRIPTS]:
        share = script.num_words / max(found[0].num_words, 1)
        rows.append((script.script, f"{share:.3%}", *(_cell(each, script) for each in found)))
    say()
    columns([("script", "of the words", *["pieces per word, [UNK]"] * len(found)), *rows])


def _cell(found: "VocabularyInspection", wanted: "ScriptInspection") -> str:
    for script in found.scripts:
        if script.script == wanted.script:
            num_words = script.num_words
            return f"{script.num_tokens / num_words:.3f}, {script.num_unknown / num_words:.2%}"
    return "-"


def _show_words(path: Path, result: "VocabularyInspection") -> None:
    say(f"\n{path}")
    unknown = ", ".join(f"{_clip(word)} ({count:,})" for word, count in result.unknown_words)
    say(f"  most frequent [UNK] words: {unknown or 'none'}")
    if result.split_words:
        split = result.split_words
        rows = [(_clip(word), _clip(" ".join(pieces)), f"{n:,}") for word, pieces, n in split]
        columns([("costly split words", "pieces", "count"), *rows])


def _clip(text: str) -> str:
    return text if len(text) <= _MAX_SHOWN else f"{text[: _MAX_SHOWN - 1]}…"
