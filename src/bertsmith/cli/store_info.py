"""What a store says of itself; reads the manifest alone.

Example: bertsmith store info store
"""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from bertsmith._words import counted
from bertsmith.cli.output import emit_json, say, table

if TYPE_CHECKING:
    from bertsmith.store import StoreManifest

__all__ = ["command", "summary_rows"]


def command(
    store: Path = typer.Argument(..., help="A folder that bertsmith prepare made."),
    as_json: bool = typer.Option(False, "--json", help="Print the manifest as JSON."),
) -> None:
    """Runs the command."""
    from bertsmith.store import read_manifest

    manifest = read_manifest(store)
    if as_json:
        emit_json(manifest.model_dump(mode="json"))
        return
    say(f"{store}: a store of {counted(manifest.num_documents, 'document')}")
    table(
        [
            *summary_rows(manifest),
            ("vocabulary", f"{manifest.vocab_size:,} tokens, sha256 {manifest.vocabulary_sha256}"),
            ("case", "lower-cased" if manifest.lowercase else "kept"),
            ("words", manifest.words),
            ("made by", f"bertsmith {manifest.bertsmith_version}"),
            ("Unicode", manifest.unicode_version),
            ("shards", f"{len(manifest.shards):,}"),
        ]
    )
    for number, part in enumerate(manifest.parts, 1):
        say(f"text {number} of {len(manifest.parts)}")
        read = part.corpus.model_dump(mode="json", exclude_defaults=True)
        cleaning = read.pop("cleaning", {})
        rows = [
            ("text", f"{part.num_text_bytes / 1e6:,.1f} MB"),
            ("shards", f"{part.num_shards:,}"),
            *((f"read with {name}", str(value)) for name, value in read.items()),
            *((f"cleaned with {name}", str(value)) for name, value in cleaning.items()),
            *((name.replace("_", " "), f"{number:,}") for name, number in part.counts.items()),
        ]
        table(rows)


def summary_rows(manifest: "StoreManifest") -> list[tuple[str, str]]:
    """A store in a few numbers, as rows of a table."""
    from bertsmith.store import describe

    summary = describe(manifest)
    return [
        ("sentences", f"{summary.num_sentences:,}"),
        ("tokens", f"{summary.num_tokens:,}"),
        ("sentences per document", f"{summary.sentences_per_document:.1f}"),
        ("tokens per sentence", f"{summary.tokens_per_sentence:.1f}"),
        ("bytes per token", f"{summary.bytes_per_token:.2f}"),
        ("[UNK]", f"{summary.unknown_rate:.3%}"),
    ]
