"""Sentences are split and tokenized in parallel; the store is the same for any number of workers.

Example: bertsmith prepare wiki.jsonl.zst --vocab vocab.txt -o store
"""

from pathlib import Path

import typer

from bertsmith.cli.output import emit_json, say, table

__all__ = ["command"]


def command(
    corpus: list[str] = typer.Argument(
        ..., help="Files, folders or globs of .txt .jsonl .parquet (.gz .bz2 .xz .zst); - is stdin."
    ),
    vocab: Path = typer.Option(..., help="vocab.txt, or a model folder with one."),
    output: Path = typer.Option(..., "-o", "--output", help="The store's folder."),
    lowercase: bool | None = typer.Option(
        None, "--lowercase/--cased", help="How the vocabulary is used; default: lower-case."
    ),
    language: str = typer.Option("en", help="Language of the text, for sentence splitting."),
    text_column: str = typer.Option("text", help="The column or key that holds the text."),
    text_form: str = typer.Option(
        "auto",
        help=".txt: a line is a sentence (sentences), a paragraph (paragraphs), or joined"
        " with its neighbours (document).",
    ),
    errors: str = typer.Option("strict", help="strict: stop at broken text; replace: go on."),
    workers: int | None = typer.Option(None, help="Processes; default: one a core."),
    overwrite: bool = typer.Option(False, help="Replace the store that stands at the output."),
    as_json: bool = typer.Option(False, "--json", help="Print the result as JSON."),
) -> None:
    """Runs the command."""
    from bertsmith.cli.corpora import corpus_settings
    from bertsmith.corpus import open_corpus
    from bertsmith.store import describe, write_store
    from bertsmith.wordpiece import Tokenizer

    settings = corpus_settings(
        errors=errors, text_column=text_column, text_form=text_form, language=language
    )
    if vocab.is_dir():
        tokenizer = Tokenizer.from_pretrained(vocab)
    else:
        tokenizer = Tokenizer(vocab, lowercase=lowercase is not False)
    manifest = write_store(
        open_corpus(corpus, settings),
        tokenizer,
        output,
        num_workers=workers,
        overwrite=overwrite,
    )
    if as_json:
        emit_json(manifest.model_dump(mode="json"))
        return
    say(f"{output}: a store of {manifest.num_documents:,} documents")
    summary = describe(manifest)
    rows = [
        ("sentences", f"{summary.num_sentences:,}"),
        ("tokens", f"{summary.num_tokens:,}"),
        ("sentences per document", f"{summary.sentences_per_document:.1f}"),
        ("tokens per sentence", f"{summary.tokens_per_sentence:.1f}"),
        ("bytes per token", f"{summary.bytes_per_token:.2f}"),
        ("[UNK]", f"{summary.unknown_rate:.3%}"),
    ]
    mended = [(name.replace("_", " "), f"{n:,}") for name, n in summary.counts.items() if n]
    table(rows + mended)
    table([("next", f"bertsmith pretrain {output} --recipe tiny --budget 10m -o runs/first")])
