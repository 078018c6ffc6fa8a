"""Reads all of the text once, and looks at a sample closely. Broken text is counted, not refused.

Example: bertsmith doctor corpus wiki.jsonl.zst --html doctor.html
"""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bertsmith.cli.corpora import CorpusPaths, open_tokenizer, takes_corpus_options
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


@partial(takes_corpus_options, is_doctor=True)
def command(
    corpus: CorpusPaths,
    settings: "CorpusSettings",
    vocab: Annotated[
        Path | None, typer.Option(help="vocab.txt or model folder that the text is meant for.")
    ] = None,
    lowercase: Annotated[
        bool | None,
        typer.Option("--lowercase/--cased", help="How the vocabulary is used."),
    ] = None,
    sample: SampleSize = "100MB",
    examples: NumExamples = 3,
    html: Html = None,
    overwrite: Overwrite = False,
    strict: Strict = False,
    as_json: AsJson = False,
) -> None:
    """Runs the command."""
    from bertsmith.doctor import examine_corpus

    vocabularies = [] if vocab is None else [vocab, vocab / "vocab.txt"]
    check_page(html, [*corpus, *vocabularies], overwrite)
    sample_bytes = parse_size(sample)
    tokenizer = None if vocab is None else open_tokenizer(vocab, lowercase)
    examination = examine_corpus(
        corpus,
        settings,
        tokenizer=tokenizer,
        vocab_path=vocab,
        sample_bytes=sample_bytes,
        num_examples=examples,
    )
    finish(examination, html=html, as_json=as_json, strict=strict)
