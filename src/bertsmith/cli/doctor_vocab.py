"""Counts the words of the text (or of a sample of it, spread evenly) and cuts each of them.

Example: bertsmith doctor vocab vocab.txt --corpus wiki.jsonl.zst
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bertsmith.cli.corpora import open_tokenizer, takes_corpus_options
from bertsmith.cli.doctor_output import (
    AsJson,
    Html,
    NumExamples,
    Overwrite,
    SampleSize,
    Strict,
    check_page,
    finish,
    parse_size,
)

if TYPE_CHECKING:
    from bertsmith.corpus import CorpusSettings

__all__ = ["command"]


@takes_corpus_options
def command(
    settings: "CorpusSettings",
    vocab: Annotated[Path, typer.Argument(help="vocab.txt, or a model folder with one.")],
    corpus: Annotated[
        list[str], typer.Option(help="Files, folders or globs of text; may be repeated.")
    ],
    lowercase: Annotated[
        bool | None,
        typer.Option(
            "--lowercase/--cased",
            help="How the vocabulary is used; default: as a folder says, else lower-case.",
        ),
    ] = None,
    sample: SampleSize = "100MB",
    examples: NumExamples = 5,
    html: Html = None,
    overwrite: Overwrite = False,
    strict: Strict = False,
    as_json: AsJson = False,
) -> None:
    """Runs the command."""
    from bertsmith.doctor import examine_vocabulary

    check_page(html, [*corpus, vocab, vocab / "vocab.txt"], overwrite)
    sample_bytes = parse_size(sample)
    examination = examine_vocabulary(
        open_tokenizer(vocab, lowercase),
        corpus,
        settings,
        vocab_path=vocab,
        sample_bytes=sample_bytes,
        num_examples=examples,
    )
    finish(examination, html=html, as_json=as_json, strict=strict)
