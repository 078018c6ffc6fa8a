"""Texts are given as arguments (pairs as two), with --input, or on standard input, a line each.

Example: bertsmith predict fill-mask --model runs/first "the capital of [MASK] ."
"""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from bertsmith._words import counted
from bertsmith.cli.models import check_model, files_of_model
from bertsmith.cli.output import check_output, emit_json, say
from bertsmith.errors import InputError

if TYPE_CHECKING:
    from bertsmith.inference import InputRow, Pipeline

__all__ = ["command"]

_KINDS = ("fill-mask", "classify", "tag", "answer", "next-sentence", "embed", "score")


def command(
    what: str = typer.Argument(..., help=", ".join(_KINDS)),
    text: list[str] = typer.Argument(None, help="One text, or two where a pair is asked for."),
    model: str = typer.Option(..., help="Model folder or hub id."),
    input_file: Path | None = typer.Option(
        None, "--input", help="A .txt (a text a line), .jsonl, .csv or .tsv with named columns."
    ),
    output: Path | None = typer.Option(
        None,
        "-o",
        "--output",
        help="Write JSON lines here; embed: states of tokens into .jsonl, .npz or .parquet, "
        "vectors with --strategy into .jsonl.",
    ),
    top_k: int | None = typer.Option(None, help="fill-mask, answer: how many to show."),
    null_threshold: float | None = typer.Option(
        None, help="answer: say that there is none where that leads by more, as evaluate found it."
    ),
    layers: str | None = typer.Option(
        None, help="embed: hidden states of these layers for every token, e.g. -1,-2,-3,-4."
    ),
    strategy: str | None = typer.Option(None, help="embed: mean, cls or pooler."),
    truncate: bool = typer.Option(
        False, "--truncate", help="Cut text that is too long instead of refusing it."
    ),
    precision: str = typer.Option("fp32", help="fp32, bf16, fp16 (GPUs), or auto."),
    overwrite: bool = typer.Option(
        False, "--overwrite", help="Replace the file that stands at the output."
    ),
    as_json: bool = typer.Option(False, "--json", help="Print JSON lines."),
) -> None:
    """Runs the command."""
    if what not in _KINDS:
        raise InputError(f"no prediction {what!r}", fix=f"use one of {', '.join(_KINDS)}")
    check_model(model)
    if output is not None:
        # Without --input the file of `< FILE` is read.
        inputs: list[str | Path] = [input_file or "-", *files_of_model(model)]
        check_output(output, inputs=inputs, overwrite=overwrite)
    options = {"top_k": top_k, "strategy": strategy, "null_threshold": null_threshold}
    chosen: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
    from bertsmith.inference import pipeline, predict_rows

    if what == "answer":
        chosen |= _windows(model)
    predictor = pipeline(what, model, truncate=truncate, precision=precision, **chosen)
    rows = _rows(predictor, text or [], input_file, model)
    if what == "classify":
        rows = _as_trained(rows, model)
    if layers is not None or (what == "embed" and output is not None and strategy is None):
        if strategy is not None:
            raise InputError("--strategy and --layers ask for different things", fix="leave one")
        _write_features(what, predictor, rows, _layers(layers), output)
        return
    results = ((row.values, _plain(result)) for row, result in predict_rows(predictor, rows))
    if output is not None:
        if what == "embed" and output.suffix != ".jsonl":
            raise InputError("holds JSON lines", where=output, fix="name it .jsonl")
        _write_json_lines(results, output)
        return
    for values, result in results:
        if as_json:
            emit_json({**values, "result": result})
        else:
            _show(values, result)


def _layers(text: str | None) -> list[int] | None:
    if text is None:
        return None
    try:
        return [int(number) for number in text.split(",")]
    except ValueError as error:
        raise InputError(
            "is no list of layers", where=f"--layers {text}", fix="write -1,-2,-3,-4"
        ) from error


def _rows(
    predictor: "Pipeline", texts: list[str], input_file: Path | None, model: str
) -> "Iterable[InputRow]":
    """The inputs: from the arguments, a file or standard input."""
    from bertsmith.inference import InputRow, read_inputs

    if input_file is not None:
        from bertsmith.tasks.finetuning import input_columns

        yield from read_inputs(input_file, input_columns(model))
    elif texts:
        # A text before a list of words: an argument is a text.
        by_kind = sorted(predictor.columns, key=lambda columns: "words" in columns)
        fitting = [columns for columns in by_kind if len(columns) == len(texts)]
        if not fitting:
            wanted = " or ".join(" and ".join(columns) for columns in predictor.columns)
            raise InputError(
                f"{counted(len(texts), 'text')} given", fix=f"give {wanted}, or use --input"
            )
        yield InputRow("argument", dict(zip(fitting[0], texts, strict=True)))
    elif ("text",) in predictor.columns and not sys.stdin.isatty():
        for number, line in enumerate(sys.stdin.buffer, start=1):
            where = f"standard input, line {number}"
            try:
                yield InputRow(where, {"text": line.decode().rstrip("\r\n")})
            except UnicodeDecodeError as error:
                what = f"is not UTF-8 at byte {error.start} of the line"
                raise InputError(what, where=where, fix="send UTF-8") from error
    else:
        raise InputError("no text given", fix="give it as an argument or with --input FILE")


def _windows(model: str) -> dict[str, int]:
    """As long as in fine-tuning, and as `evaluate` has them, whose threshold is of those."""
    from bertsmith.tasks.finetuning import trained_length

    length = trained_length(model)
    return {} if length is None else {"max_seq_length": length}


def _as_trained(rows: "Iterable[InputRow]", model: str) -> "Iterator[InputRow]":
    """The same rows; refused are single texts where a model knows pairs alone.

    Of the first text it would say something as well, which means nothing.
    """
    from bertsmith.tasks.finetuning import pairs_task

    task = pairs_task(model)
    for row in rows:
        if task is not None and "text_pair" not in row.values:
            raise InputError(
                f"is one text, and {model} was fine-tuned on pairs, for {task}",
                where=row.where,
                fix="give two texts: as arguments, or as text and text_pair in a file",
            )
        yield row


def _write_features(
    what: str,
    predictor: Any,
    rows: "Iterable[InputRow]",
    layers: list[int] | None,
    output: Path | None,
) -> None:
    if what != "embed":
        raise InputError(f"predict {what} has no --layers", fix="use predict embed")
    if output is None:
        raise InputError(
            "hidden states of tokens go into a file", fix="give -o features.jsonl, .npz or .parquet"
        )
    texts = []
    for row in rows:
        text = row.values.get("text")
        if not isinstance(text, str):
            raise InputError("has no text", where=row.where, fix="give a column named text")
        texts.append(text)
    predictor.write_features(output, texts, layers)
    say(f"{output}: {counted(len(texts), 'text')}")


def _plain(result: Any) -> Any:
    """Arrays as lists, for JSON."""
    return result.tolist() if hasattr(result, "tolist") else result


def _write_json_lines(results: Iterable[tuple[dict[str, Any], Any]], output: Path) -> None:
    from bertsmith._files import atomic_json_lines

    count = 0
    with atomic_json_lines(output) as write:
        for values, result in results:
            write({**values, "result": result})
            count += 1
    say(f"{output}: {counted(count, 'result')}")


def _show(values: dict[str, Any], result: Any) -> None:
    """Prints one result for people."""
    say(" | ".join(v if isinstance(v, str) else " ".join(v) for v in values.values()))
    for item in result if isinstance(result, list) else [result]:
        if isinstance(item, list):
            _show({"mask": ""}, item)
        elif isinstance(item, dict):
            say("  " + "  ".join(_shown(key, value) for key, value in item.items()))
        else:
            say(f"  {item}")


def _shown(key: str, value: Any) -> str:
    if isinstance(value, float):
        return f"{key} {value:.4f}"
    return f"{value}" if isinstance(value, str) else f"{key} {value}"
