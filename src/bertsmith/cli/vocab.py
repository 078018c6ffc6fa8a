"""Learns by pair counts (BPE), as `tokenizers` does; the same text gives the same bytes.

Example: bertsmith vocab wiki.jsonl.zst -o vocab.txt --size 30522
"""

from pathlib import Path

import typer

from bertsmith.cli.output import emit_json, say, table

__all__ = ["command"]


def command(
    corpus: list[str] = typer.Argument(
        ..., help="Files, folders or globs of .txt .jsonl .parquet (.gz .bz2 .xz .zst); - is stdin."
    ),
    output: Path = typer.Option(..., "-o", "--output", help="Where vocab.txt is written."),
    size: int = typer.Option(30522, help="Tokens, special ones included."),
    lowercase: bool = typer.Option(
        True, "--lowercase/--cased", help="Lower-case and strip accents, or keep case."
    ),
    min_frequency: int = typer.Option(2, help="Pairs seen less often are not merged."),
    unused: int = typer.Option(
        0, help="How many tokens to reserve, named unused0 and so on in brackets."
    ),
    text_column: str = typer.Option("text", help="The column or key that holds the text."),
    text_form: str = typer.Option(
        "auto",
        help=".txt: a line is a sentence (sentences), a paragraph (paragraphs), or joined"
        " with its neighbours (document).",
    ),
    errors: str = typer.Option("strict", help="strict: stop at broken text; replace: go on."),
    as_json: bool = typer.Option(False, "--json", help="Print the result as JSON."),
) -> None:
    """Runs the command."""
    from bertsmith.cli.corpora import corpus_settings, texts_with_progress
    from bertsmith.corpus import open_corpus
    from bertsmith.wordpiece import learn_vocabulary

    text = open_corpus(
        corpus, corpus_settings(errors=errors, text_column=text_column, text_form=text_form)
    )
    vocabulary = learn_vocabulary(
        texts_with_progress(text, "counting words"),
        size=size,
        lowercase=lowercase,
        min_frequency=min_frequency,
        num_unused=unused,
    )
    vocabulary.save(output)
    if as_json:
        emit_json({"path": str(output), "size": len(vocabulary), "sha256": vocabulary.sha256})
        return
    say(f"{output}: {len(vocabulary):,} tokens")
    if len(vocabulary) < size:
        say(f"  the text holds fewer than {size:,} pieces seen {min_frequency} times or more")
    cased = "" if lowercase else " --cased"
    table([("next", f"bertsmith prepare {corpus[0]} --vocab {output}{cased} -o store")])
