"""What the commands that read a corpus share: their options, written once."""

import inspect
import shlex
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bertsmith.cli.cleaning_options import control_characters, refuse_without_effect
from bertsmith.cli.output import warn
from bertsmith.errors import RecipeError

if TYPE_CHECKING:
    from bertsmith._parallel import Workers
    from bertsmith.corpus import CorpusSettings
    from bertsmith.wordpiece import Tokenizer

__all__ = [
    "CorpusPaths",
    "DaskAddress",
    "NumWorkers",
    "choose_workers",
    "corpus_settings",
    "next_prepare",
    "open_tokenizer",
    "takes_corpus_options",
]

CorpusPaths = Annotated[
    list[str],
    typer.Argument(
        help="Files, folders, globs or URLs of .txt .jsonl .parquet .xml (.gz .bz2 .xz .zst);"
        " hf://owner/name for a data set; - for standard input."
    ),
]
NumWorkers = Annotated[
    int | None, typer.Option("--workers", help="Processes; default: one a core.")
]
DaskAddress = Annotated[
    str | None,
    typer.Option("--dask", help="A Dask scheduler to work on instead, such as tcp://host:8786."),
]

# A glob that the shell has expanded may be thousands.
_MAX_NAMED_FILES = 5

_READING, _CLEANING = "Reading the corpus", "Cleaning the corpus"


def _corpus_options(
    language: str = typer.Option(
        "en", help="Language of the text, for sentence splitting.", rich_help_panel=_READING
    ),
    text_column: str = typer.Option(
        "text", help="The column or key that holds the text.", rich_help_panel=_READING
    ),
    title_column: str = typer.Option(
        "title", help="The column or key that holds the title, if any.", rich_help_panel=_READING
    ),
    text_form: str = typer.Option(
        "auto",
        help=".txt: a line is a sentence (sentences), a paragraph (paragraphs), or joined"
        " with its neighbours (document).",
        rich_help_panel=_READING,
    ),
    standard_input_format: str = typer.Option(
        "txt", help="What - holds: txt, jsonl or xml.", rich_help_panel=_READING
    ),
    xml_namespaces: list[int] = typer.Option(
        [0], help="Which pages of a Wikipedia dump; 0: articles.", rich_help_panel=_READING
    ),
    errors: str = typer.Option(
        "strict",
        help="strict: stop at broken text; replace: mend it or leave it out, and count it.",
        rich_help_panel=_READING,
    ),
    clean: bool = typer.Option(
        False,
        "--clean",
        help="A sensible set of the options below: control characters, short documents,"
        " boilerplate, exact duplicates.",
        rich_help_panel=_CLEANING,
    ),
    # Two options, not --drop-.../--keep-...: that takes a second column, for which a terminal of 80
    # columns has no room.
    drop_control_characters: bool = typer.Option(
        False,
        "--drop-control-characters",
        help="Drop control and format characters.",
        rich_help_panel=_CLEANING,
    ),
    keep_control_characters: bool = typer.Option(
        False,
        "--keep-control-characters",
        help="Keep them, with --clean.",
        rich_help_panel=_CLEANING,
    ),
    min_document_chars: int | None = typer.Option(
        None, help="Drop documents with fewer characters.", rich_help_panel=_CLEANING
    ),
    boilerplate_documents: int | None = typer.Option(
        None,
        help="Drop lines that stand, word for word, in at least so many documents.",
        rich_help_panel=_CLEANING,
    ),
    boilerplate_min_bytes: int | None = typer.Option(
        None, help="Keep lines that are shorter, such as Yes.", rich_help_panel=_CLEANING
    ),
    duplicates: str | None = typer.Option(
        None,
        help="keep; exact: drop documents seen before; near: nearly the same ones too.",
        rich_help_panel=_CLEANING,
    ),
    near_duplicate_similarity: float | None = typer.Option(
        None, help="From where on documents are nearly the same.", rich_help_panel=_CLEANING
    ),
    only_language: str | None = typer.Option(
        None,
        help="Drop documents that aren't in this language, such as en.",
        rich_help_panel=_CLEANING,
    ),
) -> None:
    """The options of every command that reads a corpus; named as the fields of the settings."""


def takes_corpus_options(
    command: Callable[..., None], *, is_doctor: bool = False, cleans: bool = True
) -> Callable[..., None]:
    """Gives a command the options about reading and cleaning a corpus.

    The command has a parameter `settings`, a `CorpusSettings`; on the command line there are the
    single options instead.

    Args:
        command: the command.
        is_doctor: whether it looks for nearly equal documents unasked.
        cleans: whether it has the options about cleaning, and not those about reading alone.
    """
    shared = {
        name: parameter
        for name, parameter in inspect.signature(_corpus_options).parameters.items()
        if cleans or parameter.default.rich_help_panel == _READING
    }
    own = inspect.signature(command).parameters

    def with_options(**values: Any) -> None:
        options = {name: values.pop(name) for name in shared}
        settings = corpus_settings(options, is_doctor=is_doctor)
        command(settings=settings, **values)

    parameters = [*(own[name] for name in own if name != "settings"), *shared.values()]
    keywords = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in parameters]
    with_options.__signature__ = inspect.Signature(keywords)  # type: ignore[attr-defined]
    with_options.__annotations__ = {p.name: p.annotation for p in keywords}
    with_options.__doc__ = command.__doc__
    return with_options


def corpus_settings(options: Mapping[str, Any], *, is_doctor: bool = False) -> "CorpusSettings":
    """Builds the settings from options; a bad value is told as an option's.

    Args:
        options: name → value, named as fields of `CorpusSettings` and of its `CleaningSettings`;
            those of the latter are None, or not there, where the user didn't say. `clean`: whether
            they start from `CLEAN`; `drop_control_characters`, `keep_control_characters`: flags.
        is_doctor: see `takes_corpus_options`.

    Raises:
        RecipeError: a value that a setting can't have, or options that contradict each other.
    """
    from pydantic import ValidationError

    from bertsmith.corpus import CLEAN, CleaningSettings, CorpusSettings

    values = dict(options)
    cleaning = CLEAN.model_dump() if values.pop("clean", False) else {}
    drop, keep = (values.pop(f"{word}_control_characters", False) for word in ("drop", "keep"))
    values["control_characters"] = control_characters(drop, keep)
    for name in CleaningSettings.model_fields:
        value = values.pop(name, None)
        if value is not None:
            cleaning[name] = value
    try:
        settings = CorpusSettings.model_validate({**values, "cleaning": cleaning})
    except ValidationError as error:
        first = error.errors()[0]
        option = str(first["loc"][-1]).replace("_", "-")
        message = first["msg"].removeprefix("Value error, ")
        raise RecipeError(f"{first['input']!r}: {message}", where=f"--{option}") from error
    if not is_doctor:
        refuse_without_effect(options, settings.cleaning)
    return settings


def choose_workers(num_workers: int | None, dask: str | None) -> "Workers | None":
    """Who does the work: processes of this machine, or a cluster; None where the user didn't say.

    Raises:
        RecipeError: both are asked for, or no worker at all.
    """
    from bertsmith._parallel import Workers

    if dask is not None and num_workers is not None:
        raise RecipeError("takes the place of --workers", where="--dask", fix="give one of the two")
    if num_workers is not None and num_workers < 1:
        raise RecipeError(f"{num_workers}: give at least 1", where="--workers")
    if dask is not None:
        with suppress(ImportError):  # told where it is needed
            from bertsmith._dask import quiet_logs

            quiet_logs()
    return None if num_workers is None and dask is None else Workers(num_workers, dask)


def next_prepare(
    corpus: Sequence[str], settings: "CorpusSettings", vocab: Path, *, cased: bool
) -> str:
    """The `bertsmith prepare` that reads the same text as a command about a vocabulary did.

    Args:
        corpus: files, folders and globs, as they were given.
        settings: how they were read and cleaned.
        vocab: the vocabulary that it made.
        cased: whether that has capitals.
    """
    from bertsmith.corpus.options import changed_settings, option_words

    casing = ["--cased"] if cased else []
    named = list(corpus) if len(corpus) <= _MAX_NAMED_FILES else [corpus[0], "..."]
    words = ["bertsmith", "prepare", *named, "--vocab", str(vocab), *casing, "-o", "store"]
    return shlex.join([*words, *option_words(changed_settings(settings))])


def open_tokenizer(
    path: Path, lowercase: bool | None, to_give: str = "--cased (or --lowercase, if you mean it)"
) -> "Tokenizer":
    """Opens a vocab.txt, or a model folder, which says itself whether text is lower-cased.

    Args:
        path: the file or folder.
        lowercase: what --lowercase/--cased says; None where it isn't given, which means
            lower-casing for a vocab.txt.
        to_give: the option that is to be given with a vocabulary that has capitals.
    """
    from bertsmith.wordpiece import Tokenizer

    if not path.is_dir():
        tokenizer = Tokenizer(path, lowercase=lowercase is not False)
        if lowercase is None:
            _warn_of_capitals(tokenizer, path, to_give)
        return tokenizer
    tokenizer = Tokenizer.from_pretrained(path)
    if lowercase is None or lowercase == tokenizer.lowercase:
        return tokenizer
    return Tokenizer(tokenizer.vocabulary, lowercase=lowercase)


def _warn_of_capitals(tokenizer: "Tokenizer", path: Path, to_give: str) -> None:
    """A vocabulary for text with capitals is lower-cased by mistake more easily than on purpose."""
    from bertsmith.wordpiece.casing import MANY_CAPITALS, capitalised_entries

    _, share = capitalised_entries(tokenizer.vocabulary)
    if share >= MANY_CAPITALS:
        warn(
            f"{path}: {share:.0%} of the entries have capitals, which lower-cased text never "
            f"gives; give {to_give}"
        )
