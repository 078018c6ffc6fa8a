"""JSON lines: an object with a text and perhaps a title on every line."""

import json
from collections.abc import Iterator
from typing import Any, BinaryIO

from bertsmith.corpus.document import RawDocument
from bertsmith.corpus.lines import read_lines
from bertsmith.corpus.source import Source
from bertsmith.errors import CorpusError

__all__ = ["read"]

_ARRAY_FIX = "make JSON lines of the array with `jq -c '.[]'`"


def read(stream: BinaryIO, source: Source) -> Iterator[RawDocument]:
    """Yields a document for each line; a line break in its text ends a paragraph.

    Blank lines are passed over. A file whose first record lacks the text is not what the settings
    say; a later record without it is a fault like others.
    """
    settings, any_text, any_line = source.settings, False, False
    for number, line in read_lines(stream, source, cut_long=False):
        if not line.strip():
            continue
        is_array = not any_line and line.lstrip().startswith("[")
        any_line = True
        record = _parse(line, number, source, _ARRAY_FIX if is_array else "mend the line")
        if record is None:
            continue
        if settings.text_column not in record:
            what = f"has no field {settings.text_column!r}, only {_names(record)}"
            fix = "name the field that holds the text with --text-column"
            if not any_text:
                raise CorpusError(what, where=source.at(number), fix=fix)
            source.fault("broken_records", what, line=number, fix=fix, instead="skip the record")
            continue
        any_text = True
        text, title = record[settings.text_column], record.get(settings.title_column)
        if not isinstance(text, str | None):
            source.fault(
                "broken_records",
                f"field {settings.text_column!r} is of type {type(text).__name__}, not text",
                line=number,
                instead="skip the record",
            )
            continue
        text = source.clean(text or "", line=number)
        if not text.strip():
            source.fault("empty_documents", "the text is empty", line=number, instead="skip it")
            continue
        title = source.clean(str(title), line=number) if isinstance(title, str | int) else ""
        yield RawDocument(" ".join(title.split()), text, False, source.at(number))


def _parse(line: str, number: int, source: Source, fix: str) -> dict[str, Any] | None:
    try:
        record = json.loads(line)
    except json.JSONDecodeError as error:
        problem = f"is not JSON ({error.msg} at column {error.colno})"
    except (ValueError, RecursionError):
        problem = "is not JSON that can be read (a number too long, or too deeply nested)"
    else:
        if isinstance(record, dict):
            return record
        problem = f"is of type {type(record).__name__}, not an object with named fields"
    source.fault("broken_records", problem, line=number, fix=fix, instead="skip the record")
    return None


def _names(record: dict[str, Any]) -> str:
    names = [repr(name[:40]) for name in record]
    shown = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
    return shown or "an empty object"
